"""One call of a dependency, bounded in time, repeated where that helps, and counted by its circuit breaker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from mangaassist.errors import DependencyError, DependencyTimeout
from mangaassist.resilience.breaker import AlwaysClosed, CircuitBreaker, Outcome, outcome_of
from mangaassist.resilience.retrying import Retrying

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Guarded:
    """The wrapper every client calls through; the breaker sees each attempt, so an open circuit ends the retries."""

    retrying: Retrying = field(default_factory=Retrying)
    breaker: CircuitBreaker = field(default_factory=AlwaysClosed)

    async def call(
        self, dependency: str, attempt: Callable[[float], Awaitable[T]], *, deadline_ms: float
    ) -> T:
        """The answer of ``attempt``, which gets the seconds it has.

        Raises:
            CircuitOpen: the dependency is not asked for the time being.
            DependencyTimeout: ``deadline_ms`` passed, whatever ``attempt`` was doing.
            DependencyError: as ``attempt`` raised it last.
        """

        async def counted(left_seconds: float) -> T:
            probe = await self.breaker.admit(dependency)
            outcome: Outcome = "abandoned"
            try:
                answer = await _in_time(dependency, attempt, left_seconds)
                outcome = "answered"
                return answer
            except DependencyError as error:
                outcome = outcome_of(error)
                raise
            finally:
                await self.breaker.record(dependency, outcome, probe=probe)

        return await self.retrying.call(dependency, counted, deadline_ms=deadline_ms)


async def _in_time(dependency: str, attempt: Callable[[float], Awaitable[T]], seconds: float) -> T:
    try:
        async with asyncio.timeout(seconds):
            return await attempt(seconds)
    except TimeoutError:
        raise DependencyTimeout(dependency, "deadline") from None
