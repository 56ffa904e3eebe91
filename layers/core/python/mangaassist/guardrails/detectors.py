"""Finding things in text that may not pass, in one piece or while it streams.

A detector is data: a ``pattern`` for the whole thing and ``unfinished``, what the beginning of it can look like at the
end of a text that goes on. ``unfinished`` may be generous, because it only makes a stream wait, but it must cover every
beginning of a match, and a whole match that touches the end. Then a text cut at ``Scanner.settled`` gives the same
matches as the text as a whole, which is what the inline guard rests on. ``literals`` are beginnings given as words.

Patterns see the text with full-width forms folded to ASCII, position by position (``fold_width``). A named group
``pii`` narrows what is replaced when the pattern needs a word before it. Every repetition is bounded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mangaassist.guardrails.checks import CHECKS
from mangaassist.language import fold_width
from mangaassist.phrases import expand

_DIGIT = re.compile(r"[0-9]")
_LOWER = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
LEFT_CONTEXT = 16
"""Characters before a position that a pattern may look back at."""


@dataclass(frozen=True, slots=True)
class Span:
    """``text[start:end]`` is of ``type`` and goes out as ``replacement``; ``whole_*`` is the match around it."""

    start: int
    end: int
    type: str
    replacement: str
    whole_start: int
    whole_end: int


@dataclass(frozen=True, slots=True, eq=False)
class Detector:
    """One row of a data file. ``near`` gates it: plain strings, or ``digit`` for any digit."""

    id: str
    type: str
    replacement: str
    pattern: str
    unfinished: str = ""
    near: tuple[str, ...] = ()
    check: Callable[[str], bool] | None = None
    literals: tuple[str, ...] = ()
    ignore_case: bool = False
    _compiled: list[re.Pattern[str]] = field(default_factory=list[re.Pattern[str]], repr=False)

    def candidates(self, folded: str, start: int = 0) -> Iterator[tuple[re.Match[str], bool]]:
        """Every match from ``start`` on, and whether it passes the check."""
        if not self._near(folded):
            return
        if not self._compiled:
            flags = re.ASCII | (re.IGNORECASE if self.ignore_case else 0)
            self._compiled.append(re.compile(self.pattern, flags))
        group = "pii" if "pii" in self._compiled[0].groupindex else 0
        for match in self._compiled[0].finditer(folded, start):
            yield match, self.check is None or self.check(match[group])

    def _near(self, folded: str) -> bool:
        return not self.near or any(
            _DIGIT.search(folded) is not None if word == "digit" else word in folded for word in self.near
        )


class Scanner:
    """A set of detectors; where two overlap, the earlier match wins, then the longer, then the earlier row."""

    def __init__(self, detectors: Sequence[Detector]) -> None:
        self._detectors = tuple(detectors)
        literals = {word.translate(_LOWER) for each in detectors for word in each.literals}
        self._beginnings = frozenset(word[:length] for word in literals for length in range(1, len(word) + 1))
        self._longest = max(map(len, literals), default=0)
        self._tail: re.Pattern[str] | None = None

    def spans(self, text: str, start: int = 0) -> list[Span]:
        """What to replace in ``text`` from ``start`` on, in order, without overlaps."""
        return self._spans(fold_width(text), start)[0]

    def replace(self, text: str) -> tuple[str, list[Span]]:
        """``text`` with every span replaced, and the spans."""
        spans = self.spans(text)
        return splice(text, spans), spans

    def settled(self, text: str, start: int = 0) -> tuple[int, list[Span]]:
        """How much of ``text`` no continuation can change, and the spans from ``start`` to there."""
        folded = fold_width(text)
        spans, wholes = self._spans(folded, start)
        cut = self._unfinished_from(folded, start)
        while crossing := [first for first, last in wholes if first < cut < last]:
            cut = min(crossing)
        return cut, [span for span in spans if span.whole_end <= cut]

    def _spans(self, folded: str, start: int) -> tuple[list[Span], list[tuple[int, int]]]:
        found: list[tuple[int, int, int, Span]] = []
        wholes: list[tuple[int, int]] = []
        for order, detector in enumerate(self._detectors):
            for match, sound in detector.candidates(folded, start):
                wholes.append(match.span())
                if sound:
                    first, last = match.span("pii" if "pii" in match.re.groupindex else 0)
                    span = Span(first, last, detector.type, detector.replacement, *match.span())
                    found.append((first, -last, order, span))
        kept: list[Span] = []
        for first, _, _, span in sorted(found, key=lambda each: each[:3]):
            if not kept or first >= kept[-1].end:
                kept.append(span)
        return kept, wholes

    def _unfinished_from(self, folded: str, start: int) -> int:
        if self._tail is None:
            ends = "|".join(each.unfinished for each in self._detectors if each.unfinished)
            self._tail = re.compile(rf"(?:{ends})\Z" if ends else r"\Z", re.ASCII)
        tail = self._tail.search(folded, start)
        cut = tail.start() if tail else len(folded)
        lower = folded[max(start, len(folded) - self._longest) :].translate(_LOWER)
        for length in range(len(lower), 0, -1):
            if lower[-length:] in self._beginnings:
                return min(cut, len(folded) - length)
        return cut


def splice(text: str, spans: Sequence[Span], start: int = 0, end: int | None = None) -> str:
    """``text[start:end]`` with the spans in it replaced."""
    pieces: list[str] = []
    for span in spans:
        pieces += (text[start : span.start], span.replacement)
        start = span.end
    return "".join((*pieces, text[start:end]))


def read_detectors(path: Path, replacement: Callable[[str], str]) -> tuple[Detector, ...]:
    """The detectors of a data file; ``replacement`` turns a type into what goes out in its place."""
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    words: Mapping[str, Sequence[str]] = document["words"]
    return tuple(
        Detector(
            id=row["id"],
            type=row["type"],
            replacement=replacement(row["type"]),
            pattern=expand(row["pattern"], words),
            unfinished=expand(row["unfinished"], words),
            near=tuple(row["near"]),
            check=CHECKS[row["check"]] if "check" in row else None,
            literals=tuple(row.get("literals", ())),
        )
        for row in document["detectors"]
    )
