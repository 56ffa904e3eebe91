"""Waiting for a condition instead of a clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 60
POLL_SECONDS = 0.1


async def until(condition: Callable[[], T | None], what: str) -> T:
    """What ``condition`` returns once it is true-ish.

    Raises:
        AssertionError: it stayed false for a minute.
    """
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up:
        if found := await asyncio.to_thread(condition):
            return found
        await asyncio.sleep(POLL_SECONDS)
    raise AssertionError(f"waited {PATIENCE_SECONDS} s in vain for {what}")
