"""What capacity needs from the world: something that can be raised, a memory, and somebody who hears of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mangaassist.capacity.records import ThroughputRecord, WindowRecord
    from mangaassist.metrics import Metric


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at a resource showed. ``units`` is what is really there, not what was asked for."""

    units: int
    is_settled: bool
    detail: str = ""

    def covers(self, minimum: int) -> bool:
        """Whether at least ``minimum`` units are there and stay."""
        return self.is_settled and self.units >= minimum


class CapacityKind(Protocol):
    """One kind of capacity of one resource. Every call may raise ``DependencyError``; each may be repeated freely."""

    def minimum(self) -> int | None:
        """The minimum in force; ``None`` when nobody has set one yet."""
        ...

    def set_minimum(self, minimum: int, ceiling: int) -> None:
        """Never fewer than ``minimum`` from now on, never more than ``ceiling``."""
        ...

    def verify(self) -> Seen:
        """What is there now."""
        ...


class WindowStore(Protocol):
    """Remembers what was done about each window."""

    def window(self, window_id: str) -> WindowRecord | None: ...

    def windows(self) -> list[WindowRecord]: ...

    def save_window(self, record: WindowRecord) -> None: ...


@dataclass(frozen=True, slots=True)
class Provisioned:
    """A provisioned model as the service reports it."""

    arn: str
    name: str
    status: str
    units: int
    model_arn: str = ""
    committed_until: str | None = None
    """ISO time before which it cannot be deleted."""


class ThroughputMarket(Protocol):
    """Where provisioned throughput is bought and given back."""

    def create(
        self,
        *,
        name: str,
        model_id: str,
        units: int,
        commitment: str | None,
        token: str,
        tags: Mapping[str, str],
    ) -> str:
        """Buy; returns the ARN. The same ``token`` again buys nothing new."""
        ...

    def get(self, arn: str) -> Provisioned | None: ...

    def named(self, prefix: str) -> list[Provisioned]:
        """Everything whose name starts with ``prefix``."""
        ...

    def delete(self, arn: str) -> None:
        """Give back; deleting what is gone is no error."""
        ...


class TrafficMeter(Protocol):
    """How much of a provisioned model was used."""

    def tokens(self, arn: str, *, hours: int) -> float | None:
        """Tokens of the last ``hours``; ``None`` when nothing was measured."""
        ...


class ThroughputStore(Protocol):
    """Remembers what was bought, and publishes what may be used."""

    def throughput(self, model_id: str) -> ThroughputRecord | None: ...

    def throughputs(self) -> list[ThroughputRecord]: ...

    def save_throughput(self, record: ThroughputRecord) -> None: ...

    def publish(self, active: Mapping[str, str]) -> None:
        """Put in force which model ids resolve to which ARN; replaces the whole map."""
        ...

    def published(self) -> Mapping[str, str]: ...


class Metrics(Protocol):
    """Where a number goes that an alarm watches."""

    def __call__(self, metric: Metric, value: float = 1, /) -> None: ...
