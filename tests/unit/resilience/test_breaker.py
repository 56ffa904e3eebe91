"""When an in-process circuit opens, probes and closes."""

from __future__ import annotations

import pytest

from mangaassist.errors import DependencyError, DependencyUnavailable
from mangaassist.resilience.breaker import (
    OPEN_SECONDS,
    AlwaysClosed,
    CircuitOpen,
    ConsecutiveFailures,
    Outcome,
    RequestRefused,
    outcome_of,
)


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> ConsecutiveFailures:
    return ConsecutiveFailures(clock)


async def calls(breaker: ConsecutiveFailures, *outcomes: Outcome, dependency: str = "pricing") -> None:
    for outcome in outcomes:
        probe = await breaker.admit(dependency)
        await breaker.record(dependency, outcome, probe=probe)


@pytest.mark.parametrize(
    "outcomes",
    [
        ("failed", "failed"),
        ("failed", "failed", "answered", "failed", "failed"),
        ("failed", "failed", "abandoned", "abandoned"),
    ],
)
async def test_fewer_than_three_failures_in_a_row_leave_it_closed(
    breaker: ConsecutiveFailures, outcomes: tuple[Outcome, ...]
) -> None:
    await calls(breaker, *outcomes)
    assert await breaker.admit("pricing") is False


async def test_three_failures_in_a_row_open_it_for_this_dependency_alone(
    breaker: ConsecutiveFailures,
) -> None:
    await calls(breaker, "failed", "abandoned", "failed", "failed")
    with pytest.raises(CircuitOpen) as caught:
        await breaker.admit("pricing")
    assert isinstance(caught.value, DependencyUnavailable)
    assert (caught.value.dependency, caught.value.reason) == ("pricing", "circuit open")
    assert await breaker.admit("reviews") is False


async def test_three_failures_over_more_than_ten_seconds_leave_it_closed(
    breaker: ConsecutiveFailures, clock: Clock
) -> None:
    for _ in range(5):
        await calls(breaker, "failed")
        clock.now += 5.1
    assert await breaker.admit("pricing") is False


async def test_exactly_ten_seconds_still_count(breaker: ConsecutiveFailures, clock: Clock) -> None:
    for _ in range(3):
        await calls(breaker, "failed")
        clock.now += 5.0
    with pytest.raises(CircuitOpen):
        await breaker.admit("pricing")


async def test_one_call_probes_and_its_answer_closes_the_circuit(
    breaker: ConsecutiveFailures, clock: Clock
) -> None:
    await calls(breaker, "failed", "failed", "failed")
    clock.now += OPEN_SECONDS - 0.1
    with pytest.raises(CircuitOpen):
        await breaker.admit("pricing")
    clock.now += 0.1
    assert await breaker.admit("pricing") is True
    with pytest.raises(CircuitOpen):
        await breaker.admit("pricing")
    await breaker.record("pricing", "answered", probe=True)
    await calls(breaker, "failed", "failed")
    assert await breaker.admit("pricing") is False


async def test_a_failed_probe_opens_it_anew_and_an_abandoned_one_lets_the_next_probe(
    breaker: ConsecutiveFailures, clock: Clock
) -> None:
    await calls(breaker, "failed", "failed", "failed")
    clock.now += OPEN_SECONDS
    await calls(breaker, "abandoned")
    await calls(breaker, "failed")
    with pytest.raises(CircuitOpen):
        await breaker.admit("pricing")
    clock.now += OPEN_SECONDS
    await calls(breaker, "answered", "answered")


async def test_calls_from_before_it_opened_decide_nothing(breaker: ConsecutiveFailures, clock: Clock) -> None:
    early = [await breaker.admit("pricing") for _ in range(2)]
    await calls(breaker, "failed", "failed", "failed")
    await breaker.record("pricing", "answered", probe=early[0])
    with pytest.raises(CircuitOpen):
        await breaker.admit("pricing")
    clock.now += OPEN_SECONDS
    assert await breaker.admit("pricing") is True
    await breaker.record("pricing", "failed", probe=early[1])
    await breaker.record("pricing", "answered", probe=True)
    assert await breaker.admit("pricing") is False


async def test_the_absent_breaker_forgets_everything() -> None:
    breaker = AlwaysClosed()
    for _ in range(10):
        assert await breaker.admit("pricing") is False
        await breaker.record("pricing", "failed", probe=False)


def test_a_refused_request_is_an_answer() -> None:
    assert outcome_of(RequestRefused("orders", "status 422")) == "answered"
    assert outcome_of(DependencyError("orders", "content type is not JSON")) == "failed"
