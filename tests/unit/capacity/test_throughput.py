"""The throughput schedule with a moved clock and a process that dies between any two of its steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from pydantic import ValidationError

from mangaassist.capacity.calendar import SaleCalendar
from mangaassist.capacity.offers import NotPurchasable, Traffic, model_units, offers, traffic
from mangaassist.capacity.ports import Provisioned
from mangaassist.capacity.throughput import (
    FAILED_METRIC,
    IDLE_METRIC,
    ORPHAN_METRIC,
    ThroughputPlan,
    ThroughputSchedule,
    is_idle,
)
from mangaassist.errors import DependencyError
from tests.unit.capacity.fakes import Counted, Crash, FakeMarket, FakeMeter, FakeStore, at

NOVA = "amazon.nova-lite-v1:0"
SALE = SaleCalendar.model_validate(
    {
        "version": "t",
        "lead_minutes": 15,
        "business_hours": None,
        "events": [
            {
                "id": "sale",
                "name": "Sale",
                "starts_at": at("12-10 10:00"),
                "ends_at": at("12-10 14:00"),
                "expected_concurrency": 100,
            }
        ],
    }
)
EARLY, BEFORE, DURING = at("12-08 09:55"), at("12-08 10:00"), at("12-10 12:00")
STILL, AFTER = at("12-11 13:55"), at("12-11 14:00")
TICK = timedelta(minutes=5)


@dataclass
class World:
    market: FakeMarket = field(default_factory=FakeMarket)
    store: FakeStore = field(default_factory=FakeStore)
    meter: FakeMeter = field(default_factory=FakeMeter)
    counted: Counted = field(default_factory=Counted)
    plans: tuple[ThroughputPlan, ...] = (ThroughputPlan(model_id=NOVA, commitment="none", max_units=3),)

    @property
    def schedule(self) -> ThroughputSchedule:
        return ThroughputSchedule(
            calendar=SALE,
            plans=self.plans,
            offers=offers(),
            traffic=traffic(),
            market=self.market,
            store=self.store,
            meter=self.meter,
            count=self.counted,
            prefix="mangaassist-test",
            tags={"environment": "test"},
        )

    @property
    def state(self) -> str:
        return self.store.throughput_records[NOVA].state


@pytest.mark.req("CAP-2", "GEN-9")
def test_bought_48_hours_before_published_and_given_back_24_hours_after() -> None:
    world = World()
    world.schedule.reconcile(EARLY)
    assert world.market.purchases == []

    world.schedule.reconcile(BEFORE)
    (purchase,) = world.market.purchases
    assert purchase["model_id"] == "amazon.nova-lite-v1:0:24k"
    assert purchase["commitment"] is None
    assert purchase["tags"] == {"environment": "test"}
    assert world.state == "creating"
    assert world.store.active == {}, "what is not in service answers nobody"

    world.market.serve()
    world.schedule.reconcile(BEFORE + TICK)
    arn = world.store.throughput_records[NOVA].arn
    assert world.store.active == {NOVA: arn}

    world.schedule.reconcile(DURING)
    world.schedule.reconcile(STILL)
    assert len(world.market.purchases) == 1
    assert world.store.active == {NOVA: arn}

    world.schedule.reconcile(AFTER)
    assert world.store.active == {}
    assert world.market.deleted == [], "readers are given time to forget it"
    world.schedule.reconcile(AFTER + TICK)
    assert world.market.deleted == [arn]
    assert world.state == "gone"
    assert world.market.units == {}


@pytest.mark.req("CAP-2")
@pytest.mark.parametrize("state", ["creating", "active", "draining", "deleting", "gone"])
def test_a_crash_before_any_step_is_remembered_loses_nothing(state: str) -> None:
    world = World()
    moments = [BEFORE, BEFORE + TICK, DURING, AFTER, AFTER + TICK, AFTER + 2 * TICK, AFTER + 3 * TICK]
    crashed = False
    for moment in moments:
        world.market.serve()
        world.store.crash_on = None if crashed else state
        try:
            world.schedule.reconcile(moment)
        except Crash:
            crashed = True
    assert crashed, "the crash happened"
    assert len(world.market.purchases) == 1, "nothing was bought twice"
    assert world.state == "gone"
    assert world.market.units == {}, "nothing is left to be billed"
    assert world.store.active == {}


@pytest.mark.req("CAP-2")
def test_a_purchase_whose_arn_was_never_stored_is_found_by_its_name() -> None:
    world = World()
    world.store.crash_on = "creating"
    with pytest.raises(Crash):
        world.schedule.reconcile(BEFORE)
    assert world.state == "requested"
    assert len(world.market.units) == 1
    world.store.crash_on = None
    world.market.tokens.clear()  # Even after the service has forgotten the token.
    world.market.serve()
    world.schedule.reconcile(BEFORE + TICK)
    assert len(world.market.purchases) == 1
    assert world.state == "active"


def test_a_purchase_that_came_too_late_is_given_back() -> None:
    world = World()
    world.store.crash_on = "creating"
    with pytest.raises(Crash):
        world.schedule.reconcile(STILL)
    world.store.crash_on = None
    world.schedule.reconcile(AFTER + TICK)
    assert world.market.units == {}
    assert world.state == "gone"


def test_an_intent_that_bought_nothing_is_dropped_when_the_time_is_over() -> None:
    world = World()
    world.market.broken = DependencyError("bedrock", "ServiceQuotaExceededException")
    world.schedule.reconcile(STILL)
    world.market.broken = None
    world.schedule.reconcile(AFTER + TICK)
    assert world.state == "gone"
    assert world.market.purchases == []


@pytest.mark.req("CAP-2")
def test_a_refused_purchase_is_said_and_tried_again() -> None:
    world = World()
    world.market.broken = DependencyError("bedrock", "ServiceQuotaExceededException")
    done = world.schedule.reconcile(BEFORE)
    assert done.errors == {NOVA: "ServiceQuotaExceededException"}
    assert world.counted.of(FAILED_METRIC) == [1]
    record = world.store.throughput_records[NOVA]
    assert (record.state, record.attempts) == ("requested", 1)
    world.market.broken = None
    world.schedule.reconcile(BEFORE + TICK)
    assert world.state == "creating"
    assert world.store.throughput_records[NOVA].name == record.name


def test_a_failed_creation_is_cleared_away_and_bought_anew() -> None:
    world = World()
    world.schedule.reconcile(BEFORE)
    (arn,) = world.market.units
    world.market.units[arn] = Provisioned(arn, world.market.units[arn].name, "Failed", 1)
    world.schedule.reconcile(BEFORE + TICK)
    assert max(world.counted.of(FAILED_METRIC)) == 1
    world.schedule.reconcile(BEFORE + 2 * TICK)
    assert arn in world.market.deleted
    world.schedule.reconcile(BEFORE + 3 * TICK)
    world.market.serve()
    world.schedule.reconcile(BEFORE + 4 * TICK)
    assert world.state == "active"
    assert len(world.market.units) == 1


def test_what_somebody_deleted_by_hand_is_withdrawn_at_once() -> None:
    world = World()
    world.schedule.reconcile(BEFORE)
    world.market.serve()
    world.schedule.reconcile(BEFORE + TICK)
    world.market.units.clear()
    world.schedule.reconcile(DURING)
    assert world.store.active == {}
    assert max(world.counted.of(FAILED_METRIC)) == 1


@pytest.mark.req("CAP-2")
def test_a_commitment_is_used_to_its_end_because_it_is_owed() -> None:
    world = World(
        market=FakeMarket(committed_until="2026-12-20T00:00:00+00:00"),
        plans=(ThroughputPlan(model_id=NOVA, commitment="OneMonth"),),
    )
    world.schedule.reconcile(BEFORE)
    assert world.market.purchases[0]["commitment"] == "OneMonth"
    world.market.serve()
    world.schedule.reconcile(BEFORE + TICK)
    world.schedule.reconcile(AFTER + TICK)
    assert world.store.active
    assert world.market.deleted == []
    world.schedule.reconcile(at("12-20 00:00"))
    world.schedule.reconcile(at("12-20 00:05"))
    assert world.market.units == {}


def test_a_plan_says_its_commitment() -> None:
    with pytest.raises(ValidationError, match="commitment"):
        ThroughputPlan.model_validate({"model_id": NOVA})
    with pytest.raises(ValidationError):
        ThroughputPlan(model_id=NOVA, commitment="none", hours_before=49)


def test_what_carries_our_name_and_nobody_remembers_is_reported() -> None:
    world = World()
    world.market.units["arn:stray"] = Provisioned("arn:stray", "mangaassist-test-nova-1", "InService", 1)
    done = world.schedule.reconcile(EARLY)
    assert done.errors == {"arn:stray": "orphan"}
    assert world.counted.of(ORPHAN_METRIC) == [1]
    assert world.market.deleted == [], "a person decides about what the schedule did not buy"


@pytest.mark.req("CAP-2", "GEN-9")
@pytest.mark.parametrize("model_id", [each.model_id for each in offers().models if "claude" in each.model_id])
def test_current_claude_models_are_listed_as_not_purchasable(model_id: str) -> None:
    with pytest.raises(NotPurchasable):
        offers().purchasable(model_id)
    world = World(plans=(ThroughputPlan(model_id=model_id, commitment="none"),))
    done = world.schedule.reconcile(BEFORE)
    assert done.errors == {model_id: "NotPurchasable"}
    assert world.market.purchases == []


@pytest.mark.req("CAP-2")
def test_units_cover_four_fifths_of_the_75th_percentile() -> None:
    offer = offers().purchasable(NOVA)
    history = Traffic(as_of="2026-11-20", source="test", tokens_per_minute_by_hour=(1e5, 2e5, 1.5e6, 9e6))  # pyright: ignore[reportArgumentType]
    assert history.baseline() == 1.5e6
    assert model_units(history, offer, max_units=20) == 3, "1.5 million x 0.8 / 400 thousand"
    assert model_units(history, offer, max_units=2) == 2
    assert model_units(history, offer, share=0.001, max_units=20) == 1


@pytest.mark.req("CAP-2")
def test_two_weeks_of_little_use_raise_the_idle_signal() -> None:
    world = World(plans=(ThroughputPlan(model_id=NOVA, commitment="OneMonth"),))
    world.market.committed_until = "2027-06-01T00:00:00+00:00"
    world.schedule.reconcile(BEFORE)
    world.market.serve()
    for day in range(14):
        world.schedule.reconcile(BEFORE + timedelta(days=day, minutes=5))
        world.schedule.reconcile(BEFORE + timedelta(days=day, minutes=10))
    assert world.counted.of(IDLE_METRIC) == [0.0] * 13 + [1.0]


def test_one_busy_day_in_fourteen_is_not_idle() -> None:
    days = {f"2026-12-{day:02}": 0.1 for day in range(1, 15)}
    assert is_idle(days)
    assert not is_idle({**days, "2026-12-07": 0.5})
    assert not is_idle(dict(list(days.items())[:13]))
