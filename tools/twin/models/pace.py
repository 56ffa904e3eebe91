"""How fast the stand-in speaks: by the model it stands in for, as set, or one chunk at a time when a test asks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Pace:
    """The wait for the first token and the speed after it."""

    first_token_ms: int
    tokens_per_second: float


BY_GRADE: Mapping[str, Pace] = {
    "strong": Pace(first_token_ms=250, tokens_per_second=60),
    "economy": Pace(first_token_ms=120, tokens_per_second=110),
}
"""Grades as in the product's list of models."""


class Metronome:
    """Holds every stream of the server to its pace, or at a gate.

    At the gate no chunk leaves until ``release`` lets it: a test then knows, without a clock, that what its client has
    read was sent before the rest existed.
    """

    def __init__(self, first_token_ms: int | None = None, tokens_per_second: float | None = None) -> None:
        self._default = (first_token_ms, tokens_per_second)
        self._first_token_ms, self._tokens_per_second = self._default
        self._gate: asyncio.Semaphore | None = None

    def set(self, document: Mapping[str, Any]) -> None:
        """Change the pace; raises ``ValueError`` with a sentence that says what to change."""
        unknown = set(document) - {"first_token_ms", "tokens_per_second", "is_gated"}
        if unknown:
            raise ValueError(
                f"unknown field {sorted(unknown)[0]!r}; a pace has first_token_ms, tokens_per_second, is_gated"
            )
        first, speed = document.get("first_token_ms"), document.get("tokens_per_second")
        if first is not None and (isinstance(first, bool) or not isinstance(first, int) or first < 0):
            raise ValueError("first_token_ms is a whole number of milliseconds, or null for the model's own")
        if speed is not None and (
            isinstance(speed, bool) or not isinstance(speed, int | float) or speed <= 0
        ):
            raise ValueError("tokens_per_second is a number above 0, or null for the model's own")
        self._first_token_ms, self._tokens_per_second = first, speed
        self._gate = asyncio.Semaphore(0) if document.get("is_gated") else None

    def reset(self) -> None:
        """Back to the pace the server was started with."""
        self._first_token_ms, self._tokens_per_second = self._default
        self._gate = None

    def release(self, chunks: int) -> None:
        """Let so many chunks through the gate; raises ``ValueError`` when there is none."""
        if self._gate is None:
            raise ValueError('the pace is not gated; PUT {"is_gated": true} to /_twin/pace first')
        for _ in range(chunks):
            self._gate.release()

    def describe(self) -> dict[str, Any]:
        """The settings in force."""
        return {
            "first_token_ms": self._first_token_ms,
            "tokens_per_second": self._tokens_per_second,
            "is_gated": self._gate is not None,
            "by_grade": {
                grade: {"first_token_ms": pace.first_token_ms, "tokens_per_second": pace.tokens_per_second}
                for grade, pace in BY_GRADE.items()
            },
        }

    async def first_token(self, grade: str) -> None:
        """Think."""
        if self._gate is None:
            wait_ms = self._first_token_ms
            await asyncio.sleep((BY_GRADE[grade].first_token_ms if wait_ms is None else wait_ms) / 1000)

    async def chunk(self, grade: str, tokens: int) -> None:
        """Wait until a chunk of so many tokens may leave."""
        if self._gate is not None:
            await self._gate.acquire()
        else:
            await asyncio.sleep(tokens / (self._tokens_per_second or BY_GRADE[grade].tokens_per_second))
