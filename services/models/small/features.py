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
NAME_LINES = 2
NAME_ATOMS = 10
"""Longer names are found by their words."""

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
    if not counts:
        # Punctuation, emoji, scripts we do not read: still a text of its own, and never a vector of length zero.
        counts[f"t:{text.strip()}", WORD_WEIGHT] = 1
    found: dict[int, float] = {}
    for (name, weight), count in counts.items():
        key = crc32(name.encode())
        found[key] = found.get(key, 0.0) + weight * count
    return found


def names(text: str) -> set[int]:
    """Hashes of what could be a whole title or name in ``text``.

    A text of several lines is a document: its first two hold titles and creators, parted by " / ". One line is a
    question, and any short run of its words may be a name, so most of these hashes mean nothing to anybody.
    """
    lines = text.splitlines()
    if len(lines) > 1:
        pieces = [piece for line in lines[:NAME_LINES] for piece in line.split(" / ")]
        candidates = {"".join(atoms) for piece in pieces if 0 < len(atoms := _atoms(piece)) <= NAME_ATOMS}
    else:
        atoms = _atoms(text)
        candidates = {
            "".join(atoms[start:end])
            for start in range(len(atoms))
            for end in range(start + 1, min(start + NAME_ATOMS, len(atoms)) + 1)
        }
    return {crc32(f"n:{name}".encode()) for name in candidates if len(name) > 1}


def _atoms(text: str) -> list[str]:
    """Latin words and single Japanese characters."""
    atoms: list[str] = []
    for match in _TOKEN.finditer(normalize(text)):
        atoms += [_LONG_VOWEL.sub(r"\1\2", match["word"])] if match["word"] is not None else match["cjk"]
    return atoms


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
