"""Which of the product's two languages a text is in, and one normal form for matching."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

Language = Literal["en", "ja"]

_KANA = re.compile(r"[\u3041-\u309f\u30a0-\u30ff\uff66-\uff9f]")
_HAN = re.compile(r"[\u4e00-\u9fff\u3005]")
_LATIN = re.compile(r"[A-Za-z]")


def detect_language(text: str, hint: Language | None = None) -> Language:
    """The language to answer in: the client's hint, else Japanese for kana or mostly-Han text, else English.

    Chinese and Korean questions are answered in English; Han without kana is taken for Japanese only when no sign of
    Chinese is in it, because short Japanese questions ("漫画一覧") are often written so.
    """
    if hint is not None:
        return hint
    if _KANA.search(text):
        return "ja"
    if _HAN.search(text) and not _CHINESE.search(text) and not _LATIN.search(text):
        return "ja"
    return "en"


# Everyday Chinese characters that Japanese writes differently or does not use.
_CHINESE = re.compile(r"[你们吗呢么这那们给说请荐买书欢哪谢么是的我]")


def normalized(text: str) -> str:
    """NFKC, case-folded, white space collapsed: the form that rules match against."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
