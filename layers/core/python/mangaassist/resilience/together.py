"""Several calls of one dependency as one question."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from mangaassist.resilience.breaker import CircuitOpen

Answer = TypeVar("Answer")


async def all_or_none(calls: Sequence[Awaitable[Answer]]) -> list[Answer]:
    """All answers in their order, or the first failure, with the other calls cancelled."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return list(await asyncio.gather(*tasks))
    except CircuitOpen:
        # One of the others may be the call that probes. Given up, it would leave the circuit open, and so would the
        # next question of this length, for ever.
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
