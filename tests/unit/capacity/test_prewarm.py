"""The pre-warm loop with a moved clock: up at T-15, verified, announced, back after the end, whatever breaks on the way."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from mangaassist.capacity.calendar import SaleCalendar
from mangaassist.capacity.prewarm import CAPPED_METRIC, FAILED_METRIC, READY_METRIC, Prewarming, UnknownEvent
from mangaassist.capacity.resources import Resource
from mangaassist.errors import DependencyError
from tests.unit.capacity.fakes import Counted, FakeKind, FakeStore, at

SALE = SaleCalendar.model_validate(
    {
        "version": "t",
        "lead_minutes": 15,
        "business_hours": None,
        "events": [
            {
                "id": "sale",
                "name": "Sale",
                "starts_at": at("12-01 10:00"),
                "ends_at": at("12-01 14:00"),
                "expected_concurrency": 100,
            }
        ],
    }
)
QUIET, LEAD, DURING, AFTER = at("12-01 09:40"), at("12-01 09:45"), at("12-01 12:00"), at("12-01 14:00")


def resource(name: str, **changes: object) -> Resource:
    facts = {"kind": "fake", "address": {}, "base": 5, "ceiling": 500, "concurrency_per_unit": 1, **changes}
    return Resource.model_validate({"name": name, **facts})


@dataclass
class World:
    functions: FakeKind = field(default_factory=lambda: FakeKind(current=5))
    search: FakeKind = field(default_factory=lambda: FakeKind(current=2))
    store: FakeStore = field(default_factory=FakeStore)
    counted: Counted = field(default_factory=Counted)
    share: float = 1.0
    patience_seconds: float = 0.0
    pauses: list[float] = field(default_factory=list)

    @property
    def loop(self) -> Prewarming:
        return Prewarming(
            calendar=SALE,
            resources=[
                (resource("message"), self.functions),
                (
                    resource(
                        "search", base=2, ceiling=16, concurrency_per_unit=20, steps=(0, 2, 4, 8, 16, 32)
                    ),
                    self.search,
                ),
            ],
            store=self.store,
            count=self.counted,
            share=self.share,
            patience_seconds=self.patience_seconds,
            pause=self.pauses.append,
        )


@pytest.mark.req("CAP-1")
def test_a_sale_is_prepared_a_quarter_of_an_hour_before_and_put_away_after() -> None:
    world = World()
    world.loop.reconcile(QUIET)
    assert (world.functions.changes, world.search.changes) == ([], []), "nothing is touched on a quiet day"
    assert world.counted.of(READY_METRIC) == []

    done = world.loop.reconcile(LEAD)
    assert world.functions.current == 120, "100 shoppers x 1.2"
    assert world.search.current == 8, "6 units, and the next size there is"
    assert done.is_ready
    assert world.counted.of(READY_METRIC) == [1]
    record = world.store.window_records["sale"]
    assert (record.state, record.ready_at) == ("ready", LEAD)
    assert {name: step.state for name, step in record.steps.items()} == {
        "message": "verified",
        "search": "verified",
    }

    world.loop.reconcile(DURING)
    assert world.functions.changes == [120], "what is right already is not set again"
    assert world.store.window_records["sale"].ready_at == LEAD

    world.loop.reconcile(AFTER)
    assert (world.functions.current, world.search.current) == (5, 2)
    assert world.store.window_records["sale"].state == "over"
    assert world.counted.of(READY_METRIC) == [1, 1]


@pytest.mark.req("CAP-1")
def test_ready_is_not_said_before_it_is_seen() -> None:
    world = World(functions=FakeKind(current=5, delay=2))
    assert not world.loop.reconcile(LEAD).is_ready
    assert world.store.window_records["sale"].state == "raising"
    assert world.counted.of(READY_METRIC) == [0]
    world.loop.reconcile(LEAD)
    assert world.loop.reconcile(LEAD).is_ready
    assert world.store.window_records["sale"].state == "ready"
    assert world.functions.changes == [120], "asked for once"
    assert world.counted.of(READY_METRIC) == [0, 0, 1]


def test_a_patient_tick_looks_again() -> None:
    world = World(functions=FakeKind(current=5, delay=3), patience_seconds=60)
    assert world.loop.reconcile(LEAD).is_ready
    assert world.pauses == [10.0, 10.0, 10.0]


@pytest.mark.req("CAP-1")
def test_a_failed_step_stops_nobody_else_is_told_and_is_tried_again() -> None:
    world = World(functions=FakeKind(current=5, broken=DependencyError("scaling", "AccessDeniedException")))
    done = world.loop.reconcile(LEAD)
    assert done.failed == ("message",)
    assert world.search.current == 8
    assert world.counted.of(FAILED_METRIC) == [1]
    assert world.counted.of(READY_METRIC) == [0]
    record = world.store.window_records["sale"]
    assert record.state == "incomplete"
    failed = record.steps["message"]
    assert (failed.state, failed.error, failed.attempts) == ("failed", "AccessDeniedException", 1)

    world.loop.reconcile(LEAD)
    assert world.store.window_records["sale"].steps["message"].attempts == 2

    world.functions.broken = None
    assert world.loop.reconcile(LEAD).is_ready
    assert world.functions.current == 120
    assert world.store.window_records["sale"].state == "ready"


def test_an_error_that_nobody_foresaw_is_contained_too() -> None:
    world = World(search=FakeKind(current=2, broken=KeyError("capacityLimits")))
    done = world.loop.reconcile(LEAD)
    assert done.failed == ("search",)
    assert done.steps["search"].error == "KeyError"
    assert world.functions.current == 120


def test_what_did_not_come_down_stays_open_until_it_does() -> None:
    world = World()
    world.loop.reconcile(LEAD)
    world.search.broken = DependencyError("opensearchserverless", "ThrottlingException")
    world.loop.reconcile(AFTER)
    assert world.store.window_records["sale"].state == "restoring"
    assert world.functions.current == 5
    world.search.broken = None
    world.loop.reconcile(AFTER)
    assert world.search.current == 2
    assert world.store.window_records["sale"].state == "over"


def test_ticks_that_never_came_are_made_up_for() -> None:
    world = World()
    world.loop.reconcile(DURING)
    assert world.functions.current == 120, "nothing ran at T-15: the first tick that does, raises"
    world.functions.current = 5
    world.loop.reconcile(DURING)
    assert world.functions.current == 120, "a deploy reset the minimum: raised again"


def test_a_ceiling_is_kept_and_said() -> None:
    world = World(share=10)
    done = world.loop.reconcile(LEAD)
    assert world.functions.current == 500
    assert done.steps["message"].is_capped
    assert world.counted.of(CAPPED_METRIC) == [1]


def test_a_small_environment_prepares_for_its_share() -> None:
    world = World(share=0.1)
    world.loop.reconcile(LEAD)
    assert world.functions.current == 12


@pytest.mark.req("CAP-1")
def test_on_call_may_raise_an_event_by_hand_and_take_it_back() -> None:
    world = World()
    world.loop.force("sale", at("12-01 06:00"))
    assert world.functions.current == 120
    world.loop.reconcile(at("12-01 06:05"))
    assert world.functions.current == 120, "the next tick remembers"
    world.loop.release("sale", at("12-01 06:10"))
    assert world.functions.current == 5
    world.loop.reconcile(LEAD)
    assert world.functions.current == 120, "its own time still counts"


def test_what_is_forced_comes_down_at_its_end_without_being_released() -> None:
    world = World()
    world.loop.force("sale", at("12-01 06:00"))
    world.loop.reconcile(AFTER)
    assert world.functions.current == 5
    assert world.store.window_records["sale"].forced_at is None


@pytest.mark.parametrize("name", ["nothing", "sale"])
def test_only_what_is_still_to_come_can_be_forced(name: str) -> None:
    with pytest.raises(UnknownEvent):
        World().loop.force(name, AFTER)
