"""Fakes of what capacity needs: a resource that obeys or fails, a memory, a market, a list of metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from mangaassist.capacity.ports import Provisioned, Seen
from mangaassist.capacity.records import ThroughputRecord, WindowRecord
from mangaassist.errors import DependencyError


def at(text: str) -> datetime:
    """A moment in UTC: ``11-26 14:45`` of 2026."""
    return datetime.fromisoformat(f"2026-{text.replace(' ', 'T')}:00+00:00")


@dataclass
class FakeKind:
    """A resource whose capacity arrives ``delay`` looks after it was asked for."""

    current: int | None = 0
    available: int = 0
    delay: int = 0
    broken: Exception | None = None
    changes: list[int] = field(default_factory=list)
    ceilings: list[int] = field(default_factory=list)

    def minimum(self) -> int | None:
        if self.broken:
            raise self.broken
        return self.current

    def set_minimum(self, minimum: int, ceiling: int) -> None:
        self.current = minimum
        self.changes.append(minimum)
        self.ceilings.append(ceiling)

    def verify(self) -> Seen:
        if self.delay:
            self.delay -= 1
        else:
            self.available = self.current or 0
        return Seen(self.available, is_settled=self.delay == 0)


@dataclass
class Counted:
    """Every number that was emitted."""

    emitted: list[tuple[str, float]] = field(default_factory=list)

    def __call__(self, name: str, value: float = 1, /, **dimensions: str) -> None:
        self.emitted.append((name, value))

    def of(self, name: str) -> list[float]:
        """The values of one metric, in order."""
        return [value for each, value in self.emitted if each == name]


@dataclass
class FakeStore:
    """A memory that survives whatever is tried on it; ``forget_next`` loses one write, as a crash before it would."""

    window_records: dict[str, WindowRecord] = field(default_factory=dict)
    throughput_records: dict[str, ThroughputRecord] = field(default_factory=dict)
    active: dict[str, str] = field(default_factory=dict)
    crash_on: str | None = None

    def window(self, window_id: str) -> WindowRecord | None:
        return self.window_records.get(window_id)

    def windows(self) -> list[WindowRecord]:
        return list(self.window_records.values())

    def save_window(self, record: WindowRecord) -> None:
        self.window_records[record.id] = record

    def throughput(self, model_id: str) -> ThroughputRecord | None:
        return self.throughput_records.get(model_id)

    def throughputs(self) -> list[ThroughputRecord]:
        return list(self.throughput_records.values())

    def save_throughput(self, record: ThroughputRecord) -> None:
        if record.state == self.crash_on:
            raise Crash
        self.throughput_records[record.model_id] = record

    def publish(self, active: Mapping[str, str]) -> None:
        self.active = dict(active)

    def published(self) -> Mapping[str, str]:
        return self.active


class Crash(BaseException):
    """The process ends here; nothing after it happens, no handler sees it."""


@dataclass
class FakeMarket:
    """Sells under a token once, and remembers everything."""

    units: dict[str, Provisioned] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    purchases: list[dict[str, object]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    broken: DependencyError | None = None
    committed_until: str | None = None

    def create(self, **wanted: object) -> str:
        if self.broken:
            raise self.broken
        token, name = str(wanted["token"]), str(wanted["name"])
        if token in self.tokens:
            return self.tokens[token]
        self.purchases.append(wanted)
        arn = f"arn:provisioned-model/{len(self.purchases)}"
        self.tokens[token] = arn
        self.units[arn] = Provisioned(
            arn, name, "Creating", int(str(wanted["units"])), committed_until=self.committed_until
        )
        return arn

    def get(self, arn: str) -> Provisioned | None:
        return self.units.get(arn)

    def named(self, prefix: str) -> list[Provisioned]:
        return [unit for unit in self.units.values() if unit.name.startswith(prefix)]

    def delete(self, arn: str) -> None:
        if self.broken:
            raise self.broken
        self.deleted.append(arn)
        self.units.pop(arn, None)

    def serve(self) -> None:
        """Everything bought is in service now."""
        self.units = {arn: replace(unit, status="InService") for arn, unit in self.units.items()}


@dataclass
class FakeMeter:
    """Reports the same use every day."""

    used: float | None = 0.0

    def tokens(self, arn: str, *, hours: int) -> float | None:
        return self.used
