"""The vocabulary of the catalogue in two languages, and the genre words shoppers use.

``data/terms.json`` maps every genre, theme, demographic, status and type to Japanese and to English prose; genres also
carry the words by which a question names them.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

Kind = Literal["genres", "themes", "demographics", "statuses", "types"]

_DATA = Path(__file__).parent / "data" / "terms.json"


def known(kind: Kind) -> frozenset[str]:
    """Every term of ``kind`` the catalogue uses."""
    return frozenset(_terms()[kind])


def japanese(kind: Kind, term: str) -> str:
    """The Japanese of a term; a term without one stays as it is."""
    return str(_terms()[kind].get(term, {}).get("ja", term))


def prose(kind: Kind, term: str) -> str:
    """The term as it reads inside an English sentence; a term without a wording stays as it is."""
    return str(_terms()[kind].get(term, {}).get("prose", term))


def genres_in(question: str) -> tuple[str, ...]:
    """The genres a question asks for by name, in the catalogue's own terms and order.

    Words are matched whole in English and anywhere in Japanese; a genre named to be avoided ("no horror",
    「ホラー以外」) does not count.
    """
    text = unicodedata.normalize("NFKC", question)
    found: set[str] = set()
    for match in _question_words().finditer(text):
        if match["refused"] is None:
            found.update(_genres_by_word()[(match["en"] or match["ja"]).casefold()])
    return tuple(genre for genre in _terms()["genres"] if genre in found)


@cache
def _terms() -> Mapping[str, Mapping[str, Any]]:
    return MappingProxyType(json.loads(_DATA.read_text("utf-8")))


@cache
def _genres_by_word() -> Mapping[str, tuple[str, ...]]:
    words: dict[str, tuple[str, ...]] = {}
    for genre, term in _terms()["genres"].items():
        for word in (*term["words_en"], *term["words_ja"]):
            words[word.casefold()] = (*words.get(word.casefold(), ()), genre)
    return words


@cache
def _question_words() -> re.Pattern[str]:
    genres, negations = _terms()["genres"].values(), _terms()["negations"]
    english = _any(word for term in genres for word in term["words_en"])
    japanese_words = _any(word for term in genres for word in term["words_ja"])
    return re.compile(
        rf"(?P<refused>\b{_any(negations['before_en'])}\s+(?:\w+\s+){{0,2}}(?:{english})\b"
        rf"|(?:{english}|{japanese_words})(?:漫画|マンガ|もの|系)?{_any(negations['after_ja'])})"
        # Japanese runs on without spaces, so an ASCII word ends where ASCII ends: SF漫画, BLの.
        rf"|(?<![A-Za-z0-9])(?P<en>{english})(?![A-Za-z0-9])|(?P<ja>{japanese_words})",
        re.IGNORECASE,
    )


def _any(words: Iterable[str]) -> str:
    """An alternation, longest first, so that a word never hides a longer one that begins with it."""
    return "(?:" + "|".join(re.escape(word) for word in sorted(set(words), key=lambda w: (-len(w), w))) + ")"
