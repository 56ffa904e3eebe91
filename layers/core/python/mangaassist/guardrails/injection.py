"""Attempts to give the assistant orders: found by phrases, four languages as data (GRD-2).

The text is ironed flat first: compatibility forms, case, invisible characters, letters of other scripts that pass for
Latin ones, katakana as hiragana, letters spaced out. A phrase has to name what it wants to get rid of or get at ("your
instructions", "the system prompt"), because shoppers do write "ignore my last message" and heroes do break all rules.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mangaassist.language import normalized
from mangaassist.phrases import Phrase, read_phrases

LANGUAGES = ("en", "ja", "zh", "ko")

_DATA = Path(__file__).parent / "data"
_KATAKANA = {code: code - 0x60 for code in range(ord("ァ"), ord("ヶ") + 1)}
_SPACED_OUT = re.compile(r"\b(?:[a-z][ .\-_*]){4,}[a-z]\b")
_SPACER = re.compile(r"[ .\-_*]")


@dataclass(frozen=True, slots=True)
class Verdict:
    """``rules`` lists the ids of the phrases found; any of them makes the text an injection."""

    rules: tuple[str, ...]

    @property
    def injection(self) -> bool:
        """Whether the text is to be refused."""
        return bool(self.rules)


def inspect(text: str) -> Verdict:
    """What in a message tries to give orders to the assistant."""
    flat = flatten(text)
    languages = LANGUAGES[:1] if flat.isascii() and not _romaji(flat) else LANGUAGES
    return Verdict(tuple(phrase.id for phrase in _phrases(languages) if phrase.occurs_in(flat)))


def flatten(text: str) -> str:
    """``text`` without the disguises that are used to get a phrase past a filter."""
    flat = normalized(text)
    if not flat.isascii():
        flat = flat.translate(_homoglyphs()).translate(_KATAKANA)
    return _SPACED_OUT.sub(lambda run: _SPACER.sub("", run[0]), flat)


def _kana(pattern: str) -> str:
    """Phrases are written as people write, and meet texts whose katakana is hiragana."""
    return pattern.translate(_KATAKANA)


def _romaji(flat: str) -> bool:
    """Japanese in Latin letters needs the Japanese phrases; the words are those its phrases contain."""
    return any(
        word in flat for phrase in _phrases(("ja",)) if ".romaji_" in phrase.id for word in phrase.near
    )


@cache
def _phrases(languages: tuple[str, ...]) -> tuple[Phrase, ...]:
    return tuple(
        phrase
        for language in languages
        for phrase in read_phrases(_DATA / f"injection_{language}.json", kind="category", fold=_kana)
    )


@cache
def _homoglyphs() -> dict[int, str]:
    document: dict[str, dict[str, str]] = json.loads((_DATA / "homoglyphs.json").read_text("utf-8"))
    return {ord(each): letter for letter, others in document["latin"].items() for each in others}
