"""One measured ratio."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """``measured_ms`` against ``baseline_ms`` of the same run; ``budget`` is the ratio not to exceed."""

    what: str
    measured_ms: float
    baseline: str
    baseline_ms: float
    budget: float | None = None

    @property
    def ratio(self) -> float:
        """How many baselines the measured thing costs."""
        return self.measured_ms / self.baseline_ms

    def as_document(self) -> dict[str, Any]:
        """The JSON form."""
        return {**asdict(self), "ratio": self.ratio}
