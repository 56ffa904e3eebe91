"""What is remembered about windows and purchases, as it stands in the table."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

StepState = Literal["raising", "verified", "failed", "restored"]
WindowState = Literal["forced", "raising", "ready", "incomplete", "restoring", "over"]
ThroughputState = Literal["requested", "creating", "active", "draining", "deleting", "gone", "failed"]


class Record(BaseModel):
    """Immutable: a change is a new record."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Step(Record):
    """What was last done about one resource. ``error`` is a class or a service's code, never a payload."""

    state: StepState
    wanted: int
    seen: int | None = None
    attempts: int = 0
    error: str | None = None
    is_capped: bool = False


class WindowRecord(Record):
    """One window of the calendar: what state it is in, resource by resource."""

    id: str
    name: str
    state: WindowState
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    forced_at: AwareDatetime | None = None
    ready_at: AwareDatetime | None = None
    steps: dict[str, Step] = Field(default_factory=dict[str, Step])
    updated_at: AwareDatetime

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the resources whose last step failed."""
        return tuple(name for name, step in sorted(self.steps.items()) if step.state == "failed")


class ThroughputRecord(Record):
    """One model's provisioned throughput, from the intent to buy until it is gone."""

    model_id: str
    state: ThroughputState
    name: str
    token: str
    units: int
    commitment: str | None = None
    arn: str | None = None
    window_id: str
    requested_at: AwareDatetime
    drained_at: AwareDatetime | None = None
    committed_until: str | None = None
    attempts: int = 0
    error: str | None = None
    utilisation: dict[str, float] = Field(default_factory=dict[str, float])
    """Share of the capacity used, by ISO day."""
    updated_at: AwareDatetime


def isoformat(moment: datetime) -> str:
    """A moment as it is stored and shown."""
    return moment.isoformat(timespec="seconds")
