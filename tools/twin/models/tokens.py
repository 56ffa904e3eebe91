"""Tokens by rule: an estimate of what a model's tokenizer would count, and the pieces a stream is cut into.

Short words are one token, longer ones one for every five letters; Japanese takes about one for every two kana and one
for each kanji; punctuation and digits as tokenizers cut them. Pieces join to exactly the text they were cut from.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from zlib import crc32

MAXIMUM_CHUNK_TOKENS = 5

# An accent or variation selector is never parted from its character.
_MARKS = "[\u0300-\u036f\u200d\ufe00-\ufe0f\u3099\u309a]*"
_PIECE = re.compile(
    rf"\s?[A-Za-z]{{1,7}}(?![A-Za-z]){_MARKS}"  # a word, with the blank before it
    rf"|\s?[A-Za-z]{{1,5}}{_MARKS}"
    r"|\s?\d{1,3}"
    rf"|[\u3040-\u30ff]{{1,2}}{_MARKS}"
    rf"|\s?\S{_MARKS}"
    r"|\s+"
)


def pieces(text: str) -> list[str]:
    """``text`` in token-sized pieces."""
    return _PIECE.findall(text)


def count(text: str) -> int:
    """About how many tokens ``text`` is."""
    return len(pieces(text))


def chunks(text: str) -> Iterator[tuple[str, int]]:
    """Runs of one to five tokens with their size, as a model streams them; the same text is always cut alike."""
    draw = random.Random(crc32(text.encode()))  # noqa: S311 - a rhythm, not a secret
    tokens = pieces(text)
    start = 0
    while start < len(tokens):
        size = min(draw.randint(1, MAXIMUM_CHUNK_TOKENS), len(tokens) - start)
        yield "".join(tokens[start : start + size]), size
        start += size
