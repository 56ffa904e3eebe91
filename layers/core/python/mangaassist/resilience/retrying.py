"""Retries of idempotent calls: transient errors only, exponential backoff with full jitter, in time (RES-2)."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from mangaassist.errors import (
    DependencyError,
    DependencyThrottled,
    DependencyTimeout,
    DependencyUnavailable,
)
from mangaassist.resilience.breaker import CircuitOpen

T = TypeVar("T")

TRANSIENT: Final = (DependencyThrottled, DependencyTimeout, DependencyUnavailable)


def is_transient(error: DependencyError) -> bool:
    """Whether the same call may succeed when it is repeated shortly."""
    return isinstance(error, TRANSIENT) and not isinstance(error, CircuitOpen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrying:
    """``attempts`` in all; the pause before the *n*-th repetition is uniform below ``first_pause_ms`` x 2^(n-1).

    For idempotent calls alone: whoever repeats anything else does it twice.
    """

    attempts: int = 2
    first_pause_ms: int = 50
    longest_pause_ms: int = 1_000
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    uniform: Callable[[float, float], float] = random.uniform

    async def call(
        self, dependency: str, attempt: Callable[[float], Awaitable[T]], *, deadline_ms: float
    ) -> T:
        """The first answer.

        Args:
            dependency: whose deadline it is, for the error.
            attempt: makes the call within the seconds it is given.
            deadline_ms: time for all attempts and pauses together.

        Raises:
            DependencyError: the last attempt's, when it is not transient, attempts are used up, or the pause (the
                one that the service asked for, if it is longer) would not leave time for another.
        """
        ends_at = self.clock() + deadline_ms / 1_000
        for repetition in range(self.attempts):
            left = ends_at - self.clock()
            if left <= 0:
                break
            try:
                return await attempt(left)
            except DependencyError as error:
                pause = self._pause(repetition, error)
                last = repetition + 1 == self.attempts
                if last or not is_transient(error) or self.clock() + pause >= ends_at:
                    raise
            await self.sleep(pause)
        raise DependencyTimeout(dependency, "deadline")

    def _pause(self, repetition: int, error: DependencyError) -> float:
        """Seconds."""
        ceiling = min(self.longest_pause_ms, self.first_pause_ms * 2**repetition) / 1_000
        asked = error.retry_after_seconds if isinstance(error, DependencyThrottled) else None
        # Jitter on top of what was asked: everybody was told the same second.
        return (asked or 0) + self.uniform(0, ceiling)
