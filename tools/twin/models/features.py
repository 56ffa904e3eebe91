"""Text as lexical features: words, pairs of words and character n-grams, each a 32-bit hash.

English and romanised Japanese are read by words and by their letters, so that a misspelt or differently romanised name
still shares most features; Japanese and Chinese, which have no spaces, by characters. Standard library only.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from zlib import crc32

WORD_WEIGHT = 1.0
PAIR_WEIGHT = 0.7
LETTERS_WEIGHT = 0.25
"""Of a 3- or 4-letter piece of a word: there are many of them, and most words share some."""
CHARACTER_WEIGHT = 0.5
CHARACTER_PAIR_WEIGHT = 1.0
CHARACTER_TRIPLE_WEIGHT = 1.0

_TOKEN = re.compile(
    r"(?P<word>[a-z0-9]+(?:'[a-z]+)?)|(?P<cjk>[\u3005\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]+)"
)
_LONG_VOWEL = re.compile(r"(o)[uo](?=[^aeiou]|$)|(u)u")
_HAN = re.compile(r"[\u3005\u3400-\u9fff\uf900-\ufaff]")


def normalize(text: str) -> str:
    """One spelling for what reads alike: NFKC, lower case, Latin letters without accents."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    if folded.isascii():
        return folded
    decomposed = unicodedata.normalize("NFD", folded)
    # Kana keep their marks (\u3099, \u309a are not in this block): が is not か.
    return unicodedata.normalize("NFC", re.sub(r"[\u0300-\u036f]", "", decomposed))


def features(text: str) -> dict[int, float]:
    """Hash of each feature of ``text`` to its weighted count."""
    counts: Counter[tuple[str, float]] = Counter(_features(normalize(text)))
    found: dict[int, float] = {}
    for (name, weight), count in counts.items():
        key = crc32(name.encode())
        found[key] = found.get(key, 0.0) + weight * count
    return found


def words(text: str) -> list[str]:
    """The words of ``text``, romanised long vowels shortened; Japanese as pairs of characters."""
    return [name[2:] for name, _ in _features(normalize(text)) if name[:2] in ("w:", "2:")]


def _features(text: str) -> Iterator[tuple[str, float]]:
    previous = ""
    for match in _TOKEN.finditer(text):
        if (word := match["word"]) is not None:
            word = _LONG_VOWEL.sub(r"\1\2", word)
            yield f"w:{word}", WORD_WEIGHT
            if previous:
                yield f"p:{previous} {word}", PAIR_WEIGHT
            previous = word
            edged = f"<{word}>"
            for size in (3, 4):
                for start in range(len(edged) - size + 1):
                    yield f"l:{edged[start : start + size]}", LETTERS_WEIGHT
        else:
            run = match["cjk"]
            previous = ""
            for character in run:
                if _HAN.match(character):
                    yield f"1:{character}", CHARACTER_WEIGHT
            for start in range(len(run) - 1):
                yield f"2:{run[start : start + 2]}", CHARACTER_PAIR_WEIGHT
            for start in range(len(run) - 2):
                yield f"3:{run[start : start + 3]}", CHARACTER_TRIPLE_WEIGHT
