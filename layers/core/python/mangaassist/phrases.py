"""Phrase rules as data: a file of named patterns, each compiled only when a text first comes near it.

A file holds ``words`` (named alternatives) and ``phrases``. In a pattern ``{name}`` stands for any of the words of
that name. ``near`` lists plain strings of which one must occur before the pattern is tried at all: so a text that
concerns no rule costs a few substring searches, and a cold start compiles next to nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_NAME = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Phrase:
    """One rule of a file. ``kind`` is what the file says about it: an intent, a category."""

    id: str
    kind: str
    near: tuple[str, ...]
    pattern: str

    def occurs_in(self, text: str) -> bool:
        """Whether the pattern is found in ``text``, which must be normalized as the file's users normalize it."""
        # A loop, not any(): the generator alone would double the cost of a rule that concerns nothing.
        for word in self.near:
            if word in text:
                break
        else:
            if self.near:
                return False
        return compiled(self.pattern).search(text) is not None


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """The compiled pattern, once per process."""
    return re.compile(pattern)


def expand(pattern: str, words: Mapping[str, Sequence[str]]) -> str:
    """``pattern`` with every ``{name}`` replaced by its alternatives."""
    return _NAME.sub(lambda name: f"(?:{'|'.join(words[name[1]])})", pattern)


def read_phrases(
    path: Path, *, key: str = "phrases", kind: str = "kind", fold: Callable[[str], str] = str
) -> tuple[Phrase, ...]:
    """The phrases under ``key`` of a data file; ``fold`` is applied to patterns and gates as to the texts they meet."""
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    words: Mapping[str, Sequence[str]] = document.get("words", {})
    return tuple(
        Phrase(
            id=entry["id"],
            kind=entry.get(kind, ""),
            near=tuple(fold(word) for word in entry.get("near", ())),
            pattern=fold(expand(entry["pattern"], words)),
        )
        for entry in document[key]
    )
