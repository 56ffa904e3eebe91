"""What is repeated, how long it is waited for, and when it is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangaassist.errors import (
    DependencyError,
    DependencyThrottled,
    DependencyTimeout,
    DependencyUnavailable,
)
from mangaassist.resilience.breaker import CircuitOpen, ConsecutiveFailures, RequestRefused
from mangaassist.resilience.guarded import Guarded
from mangaassist.resilience.retrying import Retrying

UNAVAILABLE = DependencyUnavailable("pricing", "status 503")


class Time:
    """A clock that only sleeping and ``takes`` move."""

    def __init__(self) -> None:
        self.now, self.pauses = 100.0, list[float]()

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


class Attempts:
    """Answers from a queue; notes the time each attempt was given."""

    def __init__(self, *outcomes: object, time: Time, takes: float = 0.0) -> None:
        self.queue, self.given, self._time, self._takes = list(outcomes), list[float](), time, takes

    async def __call__(self, seconds: float) -> object:
        self.given.append(seconds)
        self._time.now += self._takes
        outcome = self.queue.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture
def time() -> Time:
    return Time()


def retrying(time: Time, *, share: float = 1.0, **settings: int) -> Retrying:
    return Retrying(
        clock=time.clock, sleep=time.sleep, uniform=lambda low, high: low + share * (high - low), **settings
    )


@pytest.mark.req("RES-2")
@pytest.mark.parametrize(
    "error",
    [UNAVAILABLE, DependencyTimeout("pricing", "ReadTimeout"), DependencyThrottled("pricing", "status 429")],
)
async def test_transient_errors_are_repeated(time: Time, error: DependencyError) -> None:
    attempts = Attempts(error, "answer", time=time)
    assert await retrying(time).call("pricing", attempts, deadline_ms=1_000) == "answer"
    assert time.pauses == [0.05]
    assert attempts.given == pytest.approx([1.0, 0.95])


@pytest.mark.req("RES-2")
@pytest.mark.parametrize(
    "error",
    [DependencyError("pricing", "not JSON"), RequestRefused("pricing", "status 422"), CircuitOpen("pricing")],
)
async def test_the_rest_is_not(time: Time, error: DependencyError) -> None:
    with pytest.raises(DependencyError) as caught:
        await retrying(time).call("pricing", Attempts(error, time=time), deadline_ms=1_000)
    assert caught.value is error
    assert time.pauses == []


@pytest.mark.req("RES-2")
async def test_pauses_double_up_to_the_longest_and_the_last_error_is_told(time: Time) -> None:
    attempts = Attempts(*[UNAVAILABLE] * 5, time=time)
    with pytest.raises(DependencyUnavailable):
        await retrying(time, attempts=5, first_pause_ms=100, longest_pause_ms=300).call(
            "pricing", attempts, deadline_ms=60_000
        )
    assert time.pauses == [0.1, 0.2, 0.3, 0.3]


@pytest.mark.req("RES-2")
@given(share=st.floats(0, 1), attempts=st.integers(1, 8))
def test_jitter_is_full(share: float, attempts: int) -> None:
    time = Time()
    with pytest.raises(DependencyUnavailable):
        asyncio.run(
            retrying(time, share=share, attempts=attempts).call(
                "pricing", Attempts(*[UNAVAILABLE] * attempts, time=time), deadline_ms=60_000
            )
        )
    ceilings = [min(1.0, 0.05 * 2**place) for place in range(attempts - 1)]
    assert time.pauses == pytest.approx([share * ceiling for ceiling in ceilings])


@pytest.mark.req("RES-2")
async def test_no_pause_goes_over_the_deadline(time: Time) -> None:
    attempts = Attempts(UNAVAILABLE, UNAVAILABLE, time=time, takes=0.98)
    with pytest.raises(DependencyUnavailable):
        await retrying(time).call("pricing", attempts, deadline_ms=1_000)
    assert (len(attempts.given), time.pauses) == (1, [])


async def test_what_the_service_asks_for_is_waited_or_not_repeated_at_all(time: Time) -> None:
    asked = DependencyThrottled("pricing", "status 429", retry_after_seconds=2)
    await retrying(time).call("pricing", Attempts(asked, "answer", time=time), deadline_ms=3_000)
    assert time.pauses == [2.05]
    with pytest.raises(DependencyThrottled):
        await retrying(time).call("pricing", Attempts(asked, "answer", time=time), deadline_ms=1_000)
    assert time.pauses == [2.05]


@pytest.mark.parametrize("deadline_ms", [0, -5])
async def test_past_the_deadline_nothing_is_tried(time: Time, deadline_ms: int) -> None:
    attempts = Attempts("answer", time=time)
    with pytest.raises(DependencyTimeout):
        await retrying(time).call("pricing", attempts, deadline_ms=deadline_ms)
    assert attempts.given == []


def failing(error: Exception) -> Callable[[float], Awaitable[str]]:
    async def attempt(seconds: float) -> str:
        raise error

    return attempt


async def test_the_breaker_sees_every_attempt_and_ends_the_repetitions(time: Time) -> None:
    guarded = Guarded(retrying(time, attempts=10), ConsecutiveFailures(time.clock))
    attempts = Attempts(*[UNAVAILABLE] * 10, time=time)
    with pytest.raises(CircuitOpen):
        await guarded.call("pricing", attempts, deadline_ms=60_000)
    assert len(attempts.given) == 3


async def test_refused_requests_open_no_circuit(time: Time) -> None:
    guarded = Guarded(retrying(time), ConsecutiveFailures(time.clock))
    for _ in range(5):
        with pytest.raises(RequestRefused):
            await guarded.call("orders", failing(RequestRefused("orders", "status 422")), deadline_ms=1_000)
    assert await guarded.call("orders", Attempts("answer", time=time), deadline_ms=1_000) == "answer"


async def test_an_attempt_that_never_ends_is_ended_by_the_deadline() -> None:
    async def silence(seconds: float) -> str:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(DependencyTimeout, match="pricing: deadline"):
        await Guarded().call("pricing", silence, deadline_ms=20)


async def test_a_caller_who_leaves_counts_neither_way(time: Time) -> None:
    breaker = ConsecutiveFailures(time.clock)
    guarded = Guarded(retrying(time, attempts=1), breaker)
    started = asyncio.Event()

    async def silence(seconds: float) -> str:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    for _ in range(3):
        call = asyncio.create_task(guarded.call("pricing", silence, deadline_ms=60_000))
        await started.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert await breaker.admit("pricing") is False
