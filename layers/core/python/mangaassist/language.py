"""Which of the product's two languages a text is in, and the normal forms that rules and guards match against."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Language = Literal["en", "ja"]

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
"""Characters without a shape: controls, zero-width and bidirectional marks, fillers, selectors, tag characters."""
_SPACES = re.compile(r"\s+")
_KANA = re.compile(r"[\u3041-\u3096\u30a1-\u30fa\u30fc]")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\u3005]")
_HANGUL = re.compile(r"[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")
_LATIN = re.compile(r"[a-z]")
_WORD = re.compile(r"[a-z']+")

_WIDTH = (
    {0xFF01 + offset: 0x21 + offset for offset in range(94)}
    | {0x3000: 0x20, 0xA0: 0x20, 0x202F: 0x20, 0xFFE5: 0xA5, 0xFFE1: 0xA3}
    | dict.fromkeys(map(ord, "‐‑‒–—―−﹣"), ord("-"))
    | dict.fromkeys(map(ord, "’‘"), ord("'"))
)


@dataclass(frozen=True, slots=True)
class _Signs:
    english_words: frozenset[str]
    chinese_characters: frozenset[str]


@cache
def _signs() -> _Signs:
    document = json.loads(Path(__file__).with_name("data").joinpath("language.json").read_text("utf-8"))
    return _Signs(
        english_words=frozenset(document["english_words"].split()),
        chinese_characters=frozenset(document["chinese_characters"]),
    )


def detect_language(text: str, hint: Language | None = None) -> Language:
    """The language to answer in: Japanese for a Japanese text, else ``hint`` (the page's locale), else English.

    Kana mean Japanese, unless an English sentence merely quotes a title. Han characters without kana are Japanese
    ("漫画一覧") as long as none of them is one that only Chinese writes. Chinese and Korean questions are answered in
    English. Latin letters overrule no hint: titles and even whole questions are typed in them on a Japanese page.
    """
    plain = normalized(text)
    signs = _signs()
    english_words = sum(word in signs.english_words for word in _WORD.findall(plain))
    kana, han = len(_KANA.findall(plain)), len(_HAN.findall(plain))
    if kana:
        quoted = english_words >= 2 and len(_LATIN.findall(plain)) > kana + han
        return hint or "en" if quoted else "ja"
    if _HANGUL.search(plain):
        return "en"
    if han:
        if english_words >= 2:
            return hint or "en"
        return "ja" if signs.chinese_characters.isdisjoint(plain) else "en"
    return hint or "en"


def strip_invisible(text: str) -> str:
    """``text`` without characters that have no shape; line breaks (as ``\\n``) and tabs stay."""
    return _INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def fold_width(text: str) -> str:
    """Full-width forms, odd spaces and odd dashes as ASCII, one character for one, so that positions stay true."""
    return text if text.isascii() else text.translate(_WIDTH)


def normalized(text: str) -> str:
    """Visible characters only, NFKC, case-folded, white space collapsed: the form that rules match against."""
    visible = strip_invisible(text)
    if not visible.isascii():
        # After NFKC, because it keeps typographic dashes and quotes as they are.
        visible = unicodedata.normalize("NFKC", visible).translate(_WIDTH)
    return _SPACES.sub(" ", visible).strip().casefold()
