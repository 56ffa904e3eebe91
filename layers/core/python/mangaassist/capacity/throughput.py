"""Provisioned throughput of language models by schedule: buy, publish, withdraw, give back (CAP-2, GEN-9).

Units of a purchase cannot be changed and its ARN is new every time, so a schedule means create and delete. What is
bought is billed by the hour until it is deleted; nothing here may be lost between two steps. Therefore the intent is
written before the purchase, with the name and the client token it will be made under:

    requested ──create──> creating ──in service──> active ──withdraw──> draining ──delete──> deleting ──> gone
        │ crash after the purchase, before its ARN was stored: found again by name, or asked for again by token

Readers resolve a model to what is *published*. It is published after it is in service and withdrawn one tick before it
is deleted, which is longer than readers remember (``CACHE_SECONDS``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from mangaassist import metrics
from mangaassist.capacity.calendar import SaleCalendar, SaleEvent
from mangaassist.capacity.offers import Offer, OfferList, Traffic, model_units
from mangaassist.capacity.ports import Metrics, Provisioned, ThroughputMarket, ThroughputStore, TrafficMeter
from mangaassist.capacity.records import ThroughputRecord
from mangaassist.errors import DependencyError

FAILED_METRIC: Final = metrics.THROUGHPUT_STEP_FAILED
ACTIVE_METRIC: Final = metrics.THROUGHPUT_ACTIVE
UTILISATION_METRIC: Final = metrics.THROUGHPUT_UTILISATION
IDLE_METRIC: Final = metrics.THROUGHPUT_IDLE
ORPHAN_METRIC: Final = metrics.THROUGHPUT_ORPHAN
IDLE_SHARE: Final = 0.50
IDLE_DAYS: Final = 14
"""CAP-2: less than half used for two weeks."""
DRAIN: Final = timedelta(minutes=2)
"""Between withdrawing and deleting; readers remember for 30 s."""
PUBLISHED_STATES: Final = frozenset({"active"})


class ThroughputPlan(BaseModel):
    """For one model: when throughput is bought, and on what terms. ``commitment`` has no default on purpose."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_id: str
    commitment: Literal["none", "OneMonth", "SixMonths"]
    """``none`` is billed by the hour and ends when it is deleted; a term is owed to its end whatever happens."""
    hours_before: Annotated[int, Field(ge=1, le=48)] = 48
    hours_after: Annotated[int, Field(ge=0, le=24)] = 24
    max_units: Annotated[int, Field(ge=1, le=20)] = 1


PLANS: Final = TypeAdapter(tuple[ThroughputPlan, ...])


@dataclass(frozen=True, slots=True)
class ThroughputReconciled:
    """What a tick found and did: the state of each model, and what failed."""

    now: datetime
    states: Mapping[str, str]
    errors: Mapping[str, str]
    published: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """For the log and for whoever called."""
        return {
            "now": self.now.isoformat(timespec="seconds"),
            "states": dict(self.states),
            "errors": dict(self.errors),
            "published": dict(self.published),
        }


@dataclass(frozen=True, slots=True)
class ThroughputSchedule:
    """The loop's collaborators."""

    calendar: SaleCalendar
    plans: Sequence[ThroughputPlan]
    offers: OfferList
    traffic: Traffic
    market: ThroughputMarket
    store: ThroughputStore
    meter: TrafficMeter
    count: Metrics
    prefix: str
    """Starts every name: ``mangaassist-prod``. What carries it and is not remembered is an orphan."""
    share: float = 1.0
    tags: Mapping[str, str] | None = None

    def reconcile(self, now: datetime) -> ThroughputReconciled:
        """Bring every model one step nearer to what the calendar wants; a failure of one stops no other."""
        records = {record.model_id: record for record in self.store.throughputs()}
        plans = {plan.model_id: plan for plan in self.plans}
        errors: dict[str, str] = {}
        for model_id in sorted(plans.keys() | records.keys()):
            before = records.get(model_id)
            try:
                after = self._advance(model_id, plans.get(model_id), before, now)
            except Exception as error:
                reason = error.reason if isinstance(error, DependencyError) else type(error).__name__
                errors[model_id] = reason
                # What _advance stored before it failed is the truth to build on, not what was read before it.
                after = self.store.throughput(model_id)
                if after is not None:
                    after = after.model_copy(update={"error": reason, "attempts": after.attempts + 1})
                    self.store.save_throughput(after)
            if after is not None:
                records[model_id] = after
        published = self._publish(records)
        errors |= self._adopt_or_report_orphans(records)
        self._measure(records, now)
        self.count(FAILED_METRIC, len(errors))
        states = {model_id: record.state for model_id, record in sorted(records.items())}
        return ThroughputReconciled(now, states, errors, published)

    # --- the life of one purchase -----------------------------------------------------------------------

    def _advance(
        self, model_id: str, plan: ThroughputPlan | None, before: ThroughputRecord | None, now: datetime
    ) -> ThroughputRecord | None:
        event = self._wanted_for(plan, now) if plan is not None else None
        if before is None or before.state in ("gone", "failed"):
            if plan is None or event is None:
                return before
            return self._buy(self._intend(plan, event, now), now)
        match before.state:
            case "requested":
                # Even when no longer wanted: the purchase may have been made, and only its ARN can be deleted.
                return self._buy(before, now) if event is not None else self._abandon(before, now)
            case "creating":
                return self._watch(before, now)
            case "active" if event is None:
                return self._withdraw(before, now)
            case "active":
                return self._still_there(before, now)
            case "draining":
                return self._delete(before, now)
            case _:
                return self._confirm_gone(before, now)

    def _wanted_for(self, plan: ThroughputPlan, now: datetime) -> SaleEvent | None:
        before, after = timedelta(hours=plan.hours_before), timedelta(hours=plan.hours_after)
        due = [
            event for event in self.calendar.events if event.starts_at - before <= now < event.ends_at + after
        ]
        return min(due, key=lambda event: event.starts_at, default=None)

    def _intend(self, plan: ThroughputPlan, event: SaleEvent, now: datetime) -> ThroughputRecord:
        offer = self.offers.purchasable(plan.model_id)
        units = model_units(self.traffic, offer, share=self.share, max_units=plan.max_units)
        name = f"{self.prefix}-{_slug(plan.model_id)}-{now.astimezone(UTC):%Y%m%dt%H%M%S}"
        return self._saved(
            ThroughputRecord(
                model_id=plan.model_id,
                state="requested",
                name=name,
                token=hashlib.sha256(name.encode()).hexdigest()[:40],
                units=units,
                commitment=None if plan.commitment == "none" else plan.commitment,
                window_id=event.id,
                requested_at=now,
                updated_at=now,
            ),
            now,
        )

    def _buy(self, intent: ThroughputRecord, now: datetime) -> ThroughputRecord:
        bought = self._found(intent)
        arn = bought.arn if bought else self._create(intent, self.offers.purchasable(intent.model_id))
        record = self._saved(intent, now, state="creating", arn=arn, error=None)
        return self._watch(record, now)

    def _found(self, intent: ThroughputRecord) -> Provisioned | None:
        return next((each for each in self.market.named(intent.name) if each.name == intent.name), None)

    def _create(self, intent: ThroughputRecord, offer: Offer) -> str:
        return self.market.create(
            name=intent.name,
            model_id=offer.offer_id or offer.model_id,
            units=intent.units,
            commitment=intent.commitment,
            token=intent.token,
            tags=self.tags or {},
        )

    def _abandon(self, intent: ThroughputRecord, now: datetime) -> ThroughputRecord:
        bought = self._found(intent)
        if bought is None:
            return self._saved(intent, now, state="gone")
        return self._delete(self._saved(intent, now, state="draining", arn=bought.arn, drained_at=None), now)

    def _watch(self, record: ThroughputRecord, now: datetime) -> ThroughputRecord:
        found = self.market.get(record.arn or "")
        if found is None:
            return self._saved(record, now, state="failed", error="vanished")
        match found.status:
            case "InService":
                return self._saved(
                    record, now, state="active", error=None, committed_until=found.committed_until
                )
            case "Failed":
                self.count(FAILED_METRIC)
                return self._saved(record, now, state="draining", drained_at=None, error="Failed")
            case _:
                return record

    def _still_there(self, record: ThroughputRecord, now: datetime) -> ThroughputRecord:
        if self.market.get(record.arn or "") is not None:
            return record
        # Somebody deleted it by hand: readers fall back at once, the next tick buys anew.
        self.count(FAILED_METRIC)
        return self._saved(record, now, state="failed", error="vanished")

    def _withdraw(self, record: ThroughputRecord, now: datetime) -> ThroughputRecord:
        if record.committed_until is not None and now < datetime.fromisoformat(record.committed_until):
            return record  # Owed to its end: as long as it is paid for, it is used.
        return self._saved(record, now, state="draining", drained_at=now)

    def _delete(self, record: ThroughputRecord, now: datetime) -> ThroughputRecord:
        if record.drained_at is not None and now - record.drained_at < DRAIN:
            return record
        self.market.delete(record.arn or "")
        return self._confirm_gone(self._saved(record, now, state="deleting"), now)

    def _confirm_gone(self, record: ThroughputRecord, now: datetime) -> ThroughputRecord:
        # By its name: a role that may only look at what carries our tag is refused, not told, that it is gone.
        if self._found(record) is not None:
            return record
        return self._saved(record, now, state="gone", error=None)

    def _saved(self, record: ThroughputRecord, now: datetime, **changes: object) -> ThroughputRecord:
        after = record.model_copy(update={**changes, "updated_at": now})
        self.store.save_throughput(after)
        return after

    # --- what concerns all of them ------------------------------------------------------------------------

    def _publish(self, records: Mapping[str, ThroughputRecord]) -> dict[str, str]:
        active = {
            model_id: record.arn
            for model_id, record in records.items()
            if record.state in PUBLISHED_STATES and record.arn
        }
        if dict(self.store.published()) != active:
            self.store.publish(active)
        self.count(ACTIVE_METRIC, len(active))
        return active

    def _adopt_or_report_orphans(self, records: Mapping[str, ThroughputRecord]) -> dict[str, str]:
        """What carries our name and nobody remembers is billed for nothing: say so, and let a person decide."""
        if not self.plans and not records:
            return {}
        try:
            bought = self.market.named(f"{self.prefix}-")
        except Exception as error:
            return {"list": error.reason if isinstance(error, DependencyError) else type(error).__name__}
        known = {record.arn for record in records.values()} | {record.name for record in records.values()}
        orphans = [each for each in bought if each.arn not in known and each.name not in known]
        self.count(ORPHAN_METRIC, len(orphans))
        return {each.arn: "orphan" for each in orphans}

    def _measure(self, records: Mapping[str, ThroughputRecord], now: datetime) -> None:
        """Once a day per purchase: how much of it was used, and whether that was little for two weeks."""
        today = now.date().isoformat()
        for record in records.values():
            if record.state != "active" or record.arn is None or today in record.utilisation:
                continue
            offer = self.offers.purchasable(record.model_id)
            try:
                tokens = self.meter.tokens(record.arn, hours=24)
            except DependencyError:
                continue  # Tomorrow is another day; the purchase itself is well.
            capacity = (offer.tokens_per_minute_per_unit or 0) * record.units * 24 * 60
            share = round((tokens or 0.0) / capacity, 4) if capacity else 0.0
            days = dict(sorted({**record.utilisation, today: share}.items())[-IDLE_DAYS:])
            self._saved(record, now, utilisation=days)
            self.count(UTILISATION_METRIC, round(100 * share, 2))
            self.count(IDLE_METRIC, int(is_idle(days)))


def is_idle(utilisation: Mapping[str, float]) -> bool:
    """Whether less than half was used on each of the last fourteen days."""
    return len(utilisation) >= IDLE_DAYS and all(
        share < IDLE_SHARE for _, share in sorted(utilisation.items())[-IDLE_DAYS:]
    )


def _slug(model_id: str) -> str:
    """A model id as part of a name: Bedrock allows letters, digits, hyphens and underscores, 63 in all."""
    return "".join(character if character.isalnum() else "-" for character in model_id)[:20].strip("-")
