"""One measured ratio."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """``measured`` against ``baseline_measured`` of the same run, both in ``unit``; ``budget`` is the ratio not to
    exceed."""

    what: str
    measured: float
    baseline: str
    baseline_measured: float
    budget: float | None = None
    unit: str = "ms"

    @property
    def ratio(self) -> float:
        """How many baselines the measured thing costs."""
        return self.measured / self.baseline_measured

    def as_document(self) -> dict[str, Any]:
        """The JSON form."""
        return {**asdict(self), "ratio": self.ratio}
