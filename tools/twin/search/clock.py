"""Time as the service sees it; tests move it forward instead of waiting."""

from __future__ import annotations

import time


class Clock:
    """Monotonic seconds that can be pushed ahead."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        return time.monotonic() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += seconds
