"""One question within a budget, asked so that the client is the first to notice that time is up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

MARGIN_MS: Final = 20
"""By so much a client's deadline is shorter than the budget around it. With equal bounds the outer one strikes first: the
call counts as abandoned, and no circuit ever opens for a service that hangs."""

Answer = TypeVar("Answer")


async def within(budget_ms: int, ask: Callable[[int], Awaitable[Answer]]) -> Answer:
    """The answer; the budget holds whatever the client does with its deadline.

    Args:
        budget_ms: longest wait.
        ask: makes the call with the deadline it is given, in milliseconds. It is called here and not by the caller, for
            a call that is made and then given up before it is awaited is a coroutine that nobody awaits.

    Raises:
        TimeoutError: the client itself did not end in time.
    """
    async with asyncio.timeout(budget_ms / 1000):
        return await ask(max(1, budget_ms - MARGIN_MS))
