"""How long each stage of a turn took, and how much of its time is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from mangaassist import tracing
from mangaassist.errors import DeadlineExceeded


class Stopwatch:
    """Started with the turn. ``clock`` gives seconds and never goes back."""

    def __init__(self, budget_ms: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._started = clock()
        self._budget_ms = budget_ms
        self._stages: dict[str, int] = {}
        self._lap_began: float | None = None
        self._laps: list[int] = []

    def elapsed_ms(self) -> int:
        """Whole milliseconds since the turn began."""
        return round((self._clock() - self._started) * 1000)

    def remaining_ms(self, stage: str) -> int:
        """What is left of the budget.

        Raises:
            DeadlineExceeded: nothing is left.
        """
        left = self._budget_ms - self.elapsed_ms()
        if left <= 0:
            raise self.exceeded(stage)
        return left

    def exceeded(self, stage: str) -> DeadlineExceeded:
        """The error of a turn whose time ran out in ``stage``."""
        return DeadlineExceeded(stage, self._budget_ms)

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        """Measure and trace a block; a stage entered twice adds up."""
        before = self._clock()
        try:
            with tracing.span(name):
                yield
        finally:
            spent = round((self._clock() - before) * 1000)
            self._stages[name] = self._stages.get(name, 0) + spent

    def mark(self, name: str) -> None:
        """Note the time since the turn began, once."""
        self._stages.setdefault(name, self.elapsed_ms())

    def lap(self) -> None:
        """Something of a series happened; the time since the one before it is a lap."""
        now = self._clock()
        if self._lap_began is not None:
            self._laps.append(round((now - self._lap_began) * 1000))
        self._lap_began = now

    def laps_ms(self) -> tuple[int, ...]:
        """Every lap so far."""
        return tuple(self._laps)

    def timings_ms(self) -> dict[str, int]:
        """Every stage so far, and ``total``."""
        return {**self._stages, "total": self.elapsed_ms()}
