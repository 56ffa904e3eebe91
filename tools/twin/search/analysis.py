"""Text to terms, in Python, so that index time and query time cannot differ.

``standard`` follows Lucene's: words, single kanji and hiragana, runs of katakana. ``cjk`` makes bigrams. ``kuromoji``
needs a dictionary the twin does not carry: here it is ``cjk``, which finds the same titles and ranks them otherwise.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache

import tantivy

Analyzer = Callable[[str], list[str]]

_KATAKANA = "\u30a0-\u30ff\u31f0-\u31ff\uff66-\uff9f"
_CJK = "\u3005-\u3007\u3040-\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = rf"[^\W{_CJK}{_KATAKANA}]+"
_WORDS = rf"{_WORD}(?:['’.]{_WORD})*"
_STANDARD = re.compile(rf"[{_KATAKANA}]+|[{_CJK}]|{_WORDS}")
_RUNS = re.compile(rf"(?P<cjk>[{_CJK}{_KATAKANA}]+)|{_WORDS}")
MAX_TERM_LENGTH = 255


def standard(text: str) -> list[str]:
    return [term[:MAX_TERM_LENGTH] for term in _STANDARD.findall(text.lower())]


def cjk(text: str) -> list[str]:
    """Bigrams of Chinese and Japanese runs, words elsewhere; widths are folded (ｗ to w, ｶ to カ)."""
    terms: list[str] = []
    for match in _RUNS.finditer(unicodedata.normalize("NFKC", text).lower()):
        term = match[0]
        if match["cjk"] and len(term) > 1:
            terms += (term[at : at + 2] for at in range(len(term) - 1))
        else:
            terms.append(term[:MAX_TERM_LENGTH])
    return terms


def whitespace(text: str) -> list[str]:
    return [term[:MAX_TERM_LENGTH] for term in text.split()]


def english(text: str) -> list[str]:
    """``standard`` without stop words, stemmed."""
    return _english_filters().analyze(" ".join(standard(text)))


@cache
def _english_filters() -> tantivy.TextAnalyzer:
    filters = (tantivy.Filter.stopword("english"), tantivy.Filter.stemmer("english"))
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace())
    for each in filters:
        builder = builder.filter(each)
    return builder.build()


ANALYZERS: dict[str, Analyzer] = {
    "standard": standard,
    "icu_analyzer": standard,
    "cjk": cjk,
    "kuromoji": cjk,
    "english": english,
    "whitespace": whitespace,
}
