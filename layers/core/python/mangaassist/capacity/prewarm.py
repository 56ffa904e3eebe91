"""Raise, verify, announce, bring back: one reconcile loop driven by the calendar and the clock (CAP-1).

Every tick asks what should be up now and makes it so, whatever happened before. A schedule per event would be exact to
the minute and lost with one missed delivery, one deploy that resets a minimum, one event that moved; a loop repairs all
three on its next tick, and the whole plan can be tested by calling it with another time. What a tick did is remembered
per window, so that a person can see at which step it stands:

    raising ──> ready ──> restoring ──> over
       └──> incomplete (a step failed; the others went on, the next tick tries again)
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from mangaassist import metrics
from mangaassist.capacity.calendar import SaleCalendar, Window, expected_concurrency
from mangaassist.capacity.ports import CapacityKind, Metrics, WindowStore
from mangaassist.capacity.records import Step, WindowRecord, WindowState
from mangaassist.capacity.resources import Resource
from mangaassist.errors import DependencyError, MangaAssistError

READY_METRIC: Final = metrics.WARM_CAPACITY_READY
FAILED_METRIC: Final = metrics.PREWARM_STEP_FAILED
CAPPED_METRIC: Final = metrics.PREWARM_CAPPED
PAUSE_SECONDS: Final = 10.0


class UnknownEvent(MangaAssistError):
    """The calendar has no event ``event_id`` that is still to come or under way."""

    def __init__(self, event_id: str, known: Sequence[str]) -> None:
        self.event_id = event_id
        self.known = tuple(known)
        super().__init__(f"no event {event_id!r} to come: choose one of {', '.join(known) or 'none'}")


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a tick found and did."""

    now: datetime
    concurrency: int
    windows: tuple[Window, ...]
    steps: Mapping[str, Step]

    @property
    def is_ready(self) -> bool:
        """Whether everything asked for is there."""
        return all(step.state in ("verified", "restored") for step in self.steps.values())

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the resources that could not be set or looked at."""
        return tuple(name for name, step in self.steps.items() if step.state == "failed")

    def as_dict(self) -> dict[str, Any]:
        """For the log and for whoever called."""
        return {
            "now": self.now.isoformat(timespec="seconds"),
            "windows": [window.id for window in self.windows],
            "concurrency": self.concurrency,
            "ready": self.is_ready,
            "failed": list(self.failed),
            "steps": {name: step.model_dump(mode="json") for name, step in self.steps.items()},
        }


@dataclass(frozen=True, slots=True)
class Prewarming:
    """The loop's collaborators and what this environment makes of the calendar."""

    calendar: SaleCalendar
    resources: Sequence[tuple[Resource, CapacityKind]]
    store: WindowStore
    count: Metrics
    share: float = 1.0
    """Of the calendar's expected concurrency; a test environment gets a small one."""
    business_hours: bool = True
    patience_seconds: float = 0.0
    """How long a tick waits for capacity to arrive before it leaves that to the next one."""
    pause: Callable[[float], object] = field(default=time.sleep)

    def reconcile(self, now: datetime) -> Reconciled:
        """Make the capacity of this moment so. Nothing a resource does stops the others or raises from here."""
        remembered = {record.id: record for record in self.store.windows()}
        windows = self._windows(now, remembered)
        concurrency = math.ceil(expected_concurrency(windows) * self.share)
        steps = self._await(self._apply(concurrency, windows, remembered), concurrency)
        done = Reconciled(now, concurrency, windows, steps)
        for window in windows:
            self.store.save_window(_opened(window, remembered.get(window.id), done))
        for record in remembered.values():
            if record.state != "over" and record.id not in {window.id for window in windows}:
                self._close(record, done)
        self._report(done)
        return done

    def force(self, event_id: str, now: datetime) -> Reconciled:
        """Raise the capacity of an event now instead of at its time; it comes down at its end.

        Raises:
            UnknownEvent: the calendar has none of this id that is not over.
        """
        event = self.calendar.event(event_id)
        if event is None or event.ends_at <= now:
            raise UnknownEvent(event_id, [each.id for each in self.calendar.events if each.ends_at > now])
        before = self.store.window(event_id)
        self.store.save_window(
            WindowRecord(
                id=event.id,
                name=event.name,
                state="forced",
                starts_at=event.starts_at,
                ends_at=event.ends_at,
                forced_at=now,
                steps=before.steps if before else {},
                updated_at=now,
            )
        )
        return self.reconcile(now)

    def release(self, event_id: str, now: datetime) -> Reconciled:
        """Take ``force`` back: the event is raised at its own time again."""
        record = self.store.window(event_id)
        if record is not None and record.forced_at is not None:
            self.store.save_window(record.model_copy(update={"forced_at": None, "updated_at": now}))
        return self.reconcile(now)

    # --- inside ---------------------------------------------------------------------------------------

    def _windows(self, now: datetime, remembered: Mapping[str, WindowRecord]) -> tuple[Window, ...]:
        forced = {record.id: record.forced_at for record in remembered.values() if record.forced_at}
        return self.calendar.open_windows(now, forced=forced, business_hours=self.business_hours)

    def _apply(
        self, concurrency: int, windows: Sequence[Window], remembered: Mapping[str, WindowRecord]
    ) -> dict[str, Step]:
        ids = [window.id for window in windows] or list(remembered)
        before = {
            name: step
            for window_id in ids
            if window_id in remembered
            for name, step in remembered[window_id].steps.items()
        }
        return {
            resource.name: self._set(resource, kind, concurrency, before.get(resource.name))
            for resource, kind in self.resources
        }

    def _set(self, resource: Resource, kind: CapacityKind, concurrency: int, before: Step | None) -> Step:
        wanted = resource.units(concurrency)
        capped = resource.is_capped(concurrency)
        is_repeat = before is not None and before.state == "failed" and before.wanted == wanted
        attempts = before.attempts + 1 if before is not None and is_repeat else 1
        try:
            if kind.minimum() != wanted:
                kind.set_minimum(wanted, resource.ceiling)
            return _look(resource, kind, concurrency, attempts)
        except Exception as error:
            # Whatever breaks here concerns this resource alone; the next tick tries again.
            return Step(
                state="failed", wanted=wanted, attempts=attempts, error=_reason(error), is_capped=capped
            )

    def _await(self, steps: dict[str, Step], concurrency: int) -> dict[str, Step]:
        """Look again at what has not arrived, as long as there is patience."""
        waited = 0.0
        while waited < self.patience_seconds and any(step.state == "raising" for step in steps.values()):
            self.pause(PAUSE_SECONDS)
            waited += PAUSE_SECONDS
            for resource, kind in self.resources:
                step = steps[resource.name]
                if step.state == "raising":
                    try:
                        steps[resource.name] = _look(resource, kind, concurrency, step.attempts)
                    except Exception as error:
                        steps[resource.name] = step.model_copy(
                            update={"state": "failed", "error": _reason(error)}
                        )
        return steps

    def _close(self, record: WindowRecord, done: Reconciled) -> None:
        """A window that is no longer open: over, once nothing that it raised failed to follow."""
        state: WindowState = "restoring" if done.failed else "over"
        self.store.save_window(
            record.model_copy(
                update={
                    "state": state,
                    "forced_at": None,
                    "steps": dict(done.steps),
                    "updated_at": done.now,
                }
            )
        )

    def _report(self, done: Reconciled) -> None:
        # Zero too: an alarm ends when a tick says that nothing failed, not when nobody says anything.
        self.count(FAILED_METRIC, len(done.failed))
        if any(step.is_capped for step in done.steps.values()):
            self.count(CAPPED_METRIC)
        if done.windows:
            self.count(READY_METRIC, 1 if done.is_ready else 0)


def _look(resource: Resource, kind: CapacityKind, concurrency: int, attempts: int) -> Step:
    wanted = resource.units(concurrency)
    seen = kind.verify()
    if concurrency <= 0:
        # Whatever scaling by load still holds above the base is that load's business.
        return Step(state="restored", wanted=wanted, seen=seen.units, attempts=attempts)
    return Step(
        state="verified" if seen.covers(wanted) else "raising",
        wanted=wanted,
        seen=seen.units,
        attempts=attempts,
        error=seen.detail or None,
        is_capped=resource.is_capped(concurrency),
    )


def _opened(window: Window, before: WindowRecord | None, done: Reconciled) -> WindowRecord:
    state: WindowState = "incomplete" if done.failed else "ready" if done.is_ready else "raising"
    is_same = before is not None and before.starts_at == window.starts_at
    ready_at = before.ready_at if before is not None and is_same else None
    return WindowRecord(
        id=window.id,
        name=window.name,
        state=state,
        starts_at=window.starts_at,
        ends_at=window.ends_at,
        forced_at=before.forced_at if before else None,
        ready_at=(ready_at or done.now) if state == "ready" else None,
        steps=dict(done.steps),
        updated_at=done.now,
    )


def _reason(error: Exception) -> str:
    return error.reason if isinstance(error, DependencyError) else type(error).__name__
