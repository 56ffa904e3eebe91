"""An event loop whose clock leaps: whoever waits for a moment has it at once, and what it took can be asserted exactly.

Nothing may wait for a thread meanwhile: the loop cannot know that one is at work, and would leap past it.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class _Selector(selectors.DefaultSelector):
    """``now`` is in seconds; it stands still while there is anything to do."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select()
        ready = super().select(0)
        if not ready:
            self.now += max(0.0, timeout)
        return ready


class LeapingLoop(asyncio.SelectorEventLoop):
    """Counts seconds from 0."""

    def __init__(self) -> None:
        self._leaping = _Selector()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.now


def leaping(story: Coroutine[Any, Any, Answer]) -> Answer:
    """What a coroutine returns on such a loop."""
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        return runner.run(story)
