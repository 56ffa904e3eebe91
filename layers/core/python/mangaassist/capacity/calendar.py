"""The sale calendar: when more shoppers come, and how many at once (CAP-1).

``data/calendar.json`` is the calendar; a change of it is a review and a deploy, like any other promise of capacity.
Times carry their offset. Windows start and end on the five-minute marks on which the reconcile loop ticks, so that
capacity is raised at the very minute that ``lead_minutes`` names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

CALENDAR_FILE: Final = Path(__file__).parent / "data" / "calendar.json"
TICK_MINUTES: Final = 5
"""How often the loop looks; ``stacks/capacity.py`` makes its schedule from this."""
BUSINESS_HOURS: Final = "business-hours"
"""Stands where an event's id does."""


class CalendarPart(BaseModel):
    """Closed and immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SaleEvent(CalendarPart):
    """A sale: ``expected_concurrency`` shoppers are being answered at the same moment while it lasts."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    name: Annotated[str, Field(min_length=1, max_length=100)]
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    expected_concurrency: Annotated[int, Field(ge=1, le=100_000)]

    @model_validator(mode="after")
    def _is_a_window(self) -> Self:
        if self.starts_at >= self.ends_at:
            raise ValueError(f"event {self.id} ends before it starts")
        for moment in (self.starts_at, self.ends_at):
            if moment.minute % TICK_MINUTES or moment.second or moment.microsecond:
                raise ValueError(
                    f"event {self.id} does not start and end on a {TICK_MINUTES}-minute mark: {moment}"
                )
        if self.id == BUSINESS_HOURS:
            raise ValueError(f"{BUSINESS_HOURS} is taken: give the event another id")
        return self


class BusinessHours(CalendarPart):
    """Every day from ``opens_utc`` to ``closes_utc``. In UTC, because a schedule must mean the same everywhere."""

    opens_utc: time
    closes_utc: time
    note: str
    expected_concurrency: Annotated[int, Field(ge=1, le=100_000)]

    @model_validator(mode="after")
    def _within_a_day(self) -> Self:
        if self.opens_utc >= self.closes_utc:
            raise ValueError("business hours close before they open")
        return self


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time in which capacity is up: from ``raise_at`` until ``ends_at``."""

    id: str
    name: str
    raise_at: datetime
    starts_at: datetime
    ends_at: datetime
    expected_concurrency: int

    def is_open(self, now: datetime) -> bool:
        """Whether capacity should be up now; the end belongs to the time after."""
        return self.raise_at <= now < self.ends_at


class SaleCalendar(CalendarPart):
    """Every sale that is planned, and the hours in which the shop is busy anyway."""

    version: str
    lead_minutes: Annotated[int, Field(ge=TICK_MINUTES, le=120, multiple_of=TICK_MINUTES)]
    business_hours: BusinessHours | None
    events: tuple[SaleEvent, ...]

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        ids = [event.id for event in self.events]
        if twice := {name for name in ids if ids.count(name) > 1}:
            raise ValueError(f"event ids stand twice: {', '.join(sorted(twice))}")
        return self

    def event(self, event_id: str) -> SaleEvent | None:
        """The event of this id."""
        return next((event for event in self.events if event.id == event_id), None)

    def open_windows(
        self,
        now: datetime,
        *,
        forced: Mapping[str, datetime] | None = None,
        business_hours: bool = True,
    ) -> tuple[Window, ...]:
        """The windows that are open at ``now``, the soonest first.

        Args:
            now: the moment, with its zone.
            forced: events that somebody wants up already, and since when; they come down at their end like any other.
            business_hours: whether the daily window counts.
        """
        lead = timedelta(minutes=self.lead_minutes)
        windows = [self._of(event, lead, (forced or {}).get(event.id)) for event in self.events]
        if business_hours and self.business_hours is not None:
            windows += [_daily(self.business_hours, now, lead, day) for day in (0, 1)]
        return tuple(
            sorted((each for each in windows if each.is_open(now)), key=lambda each: (each.raise_at, each.id))
        )

    @staticmethod
    def _of(event: SaleEvent, lead: timedelta, forced_at: datetime | None) -> Window:
        raise_at = event.starts_at - lead
        return Window(
            id=event.id,
            name=event.name,
            raise_at=raise_at if forced_at is None else min(raise_at, forced_at),
            starts_at=event.starts_at,
            ends_at=event.ends_at,
            expected_concurrency=event.expected_concurrency,
        )


def expected_concurrency(windows: tuple[Window, ...]) -> int:
    """What open windows ask for together: the largest, because a shopper is in one conversation, not in two sales."""
    return max((window.expected_concurrency for window in windows), default=0)


@cache
def sale_calendar() -> SaleCalendar:
    """The committed calendar."""
    return SaleCalendar.model_validate_json(CALENDAR_FILE.read_bytes())


def _daily(hours: BusinessHours, now: datetime, lead: timedelta, days_ahead: int) -> Window:
    day = now.astimezone(UTC).date() + timedelta(days=days_ahead)
    opens = datetime.combine(day, hours.opens_utc, UTC)
    return Window(
        id=BUSINESS_HOURS,
        name="Business hours",
        raise_at=opens - lead,
        starts_at=opens,
        ends_at=datetime.combine(day, hours.closes_utc, UTC),
        expected_concurrency=hours.expected_concurrency,
    )
