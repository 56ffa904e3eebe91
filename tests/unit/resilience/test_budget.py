"""A question within a budget: who notices first that time is up, and what a call that is never begun leaves behind."""

from __future__ import annotations

import asyncio
import gc
import warnings

import pytest

from mangaassist.errors import DependencyTimeout
from mangaassist.resilience.breaker import CircuitOpen, ConsecutiveFailures
from mangaassist.resilience.budget import MARGIN_MS, within
from mangaassist.resilience.guarded import Guarded
from mangaassist.resilience.retrying import Retrying
from tests.fakes.clock import leaping


async def silent(_: float) -> None:
    await asyncio.Event().wait()


@pytest.mark.req("RES-5")
def test_a_service_that_hangs_opens_its_circuit_though_nobody_waits_longer_than_it_may() -> None:
    retrying = Retrying(attempts=1, clock=lambda: asyncio.get_running_loop().time())
    guarded = Guarded(retrying, ConsecutiveFailures())

    async def ask() -> None:
        await within(250, lambda ms: guarded.call("slow", silent, deadline_ms=ms))

    for _ in range(3):
        with pytest.raises(DependencyTimeout):
            leaping(ask())
    with pytest.raises(CircuitOpen):
        leaping(ask())


async def test_the_budget_holds_for_a_client_that_keeps_no_deadline() -> None:
    with pytest.raises(TimeoutError):
        await within(1, silent)


async def test_a_client_always_has_a_deadline_in_the_future() -> None:
    async def given(deadline_ms: int) -> int:
        return deadline_ms

    assert await within(1, given) == 1
    assert await within(800, given) == 800 - MARGIN_MS


async def test_a_question_that_is_dropped_before_it_is_asked_leaves_no_coroutine_behind() -> None:
    begun: list[float] = []

    async def ask(deadline_ms: float) -> None:
        begun.append(deadline_ms)

    asking = asyncio.ensure_future(within(100, ask))
    asking.cancel()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        await asyncio.gather(asking, return_exceptions=True)
        del asking
        gc.collect()
    assert (begun, heard) == ([], [])
