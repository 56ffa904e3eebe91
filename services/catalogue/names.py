"""Titles and names as they are compared: width, case, accents, script and spacing of no account.

A title is compared twice: squeezed, without spaces, for "the whole of it" and "its beginning"; and by its words, for
"some of its words". Japanese runs on without spaces, so there a word may stand anywhere in the squeezed title.
"""

from __future__ import annotations

import json
import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Final

_DATA = Path(__file__).parent / "data" / "kana.json"
_WORD = re.compile(r"[^\W_]+")
_APOSTROPHES = str.maketrans("", "", "'’ʼ`")
_TO_HIRAGANA = {code: code - 0x60 for code in range(ord("ァ"), ord("ヶ") + 1)}
_ACCENTS = re.compile("[\u0300-\u036f]")
_KANA: Final = re.compile("[ぁ-ゖー\\s]+")
_JAPANESE = re.compile("[\u3040-\u30ff\u3400-\u9fff々]")
# Begins with no repetition: over a run of spaces such a search would take its length cubed.
_VOLUME = re.compile(
    r"(?:\b(?:volume|vol)\b\.?\s*(?P<en>\d{1,4})|(?:第\s*)?(?P<ja>\d{1,4})\s*巻)$", re.IGNORECASE
)
_BEFORE_VOLUME: Final = " \t\r\n\f\v,:"


def normalised(text: str) -> str:
    """Words in lower case with single spaces; katakana as hiragana, letters without accents."""
    text = unicodedata.normalize("NFKC", text).casefold().translate(_APOSTROPHES)
    # Latin accents go; voicing marks of kana lie elsewhere in Unicode and stay: か is not が.
    text = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", text)))
    return " ".join(_WORD.findall(text.translate(_TO_HIRAGANA)))


def squeezed(name: str) -> str:
    """A normalised name without its spaces."""
    return name.replace(" ", "")


def is_japanese(word: str) -> bool:
    """Whether a word has Japanese in it, and so may stand anywhere."""
    return _JAPANESE.search(word) is not None


def spellings(query: str) -> tuple[str, ...]:
    """A query as it may be written in a title: as it is and, where it is all kana, in romaji."""
    name = normalised(query)
    if not name:
        return ()
    # A mark alone, such as ー, is written as nothing: that would be the beginning of every title.
    return (name, latin) if _KANA.fullmatch(name) and (latin := romaji(name).strip()) else (name,)


def without_volume(query: str) -> tuple[str, int | None]:
    """A query without the volume it asks for at its end (``vol. 3``, ``3巻``), and that volume."""
    text = unicodedata.normalize("NFKC", query).rstrip()
    match = _VOLUME.search(text)
    title = text[: match.start()].rstrip(_BEFORE_VOLUME) if match else ""
    if match is None or not title:
        return query, None
    return title, int(match["en"] or match["ja"])


def romaji(hiragana: str) -> str:
    """Hiragana as the feed romanises it: Hepburn, with long vowels as they are spelled (``shounen``)."""
    syllables, written = _syllables(), ""
    place, doubled = 0, False
    while place < len(hiragana):
        letter = hiragana[place]
        if letter == "っ":
            doubled, place = True, place + 1
            continue
        if letter == "ー":
            written += written[-1:]
            place += 1
            continue
        length = 2 if hiragana[place : place + 2] in syllables else 1
        syllable = syllables.get(hiragana[place : place + length], letter)
        if doubled:
            syllable = ("t" if syllable.startswith("ch") else syllable[:1]) + syllable
        written += syllable
        place, doubled = place + length, False
    return written


@cache
def _syllables() -> dict[str, str]:
    return {
        kana: latin for row in json.loads(_DATA.read_text("utf-8")).values() for kana, latin in row.items()
    }
