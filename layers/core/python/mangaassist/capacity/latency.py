"""The latency budget of a turn's first visible word, hop by hop, as data (CAP-5).

Standard library only: the stacks read it when they make an alarm per hop, the functions when they compare.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

BUDGET_FILE: Final = Path(__file__).parent / "latency_budget.json"


class BudgetExceeded(ValueError):
    """The hops together take ``spent_ms``, which is more than ``total_ms``."""

    def __init__(self, spent_ms: int, total_ms: int) -> None:
        self.spent_ms = spent_ms
        self.total_ms = total_ms
        super().__init__(f"the hops take {spent_ms} ms of a total of {total_ms} ms")


@dataclass(frozen=True, slots=True)
class Hop:
    """One stretch of the way from a question to its first visible word."""

    name: str
    budget_ms: int
    what: str
    stages: tuple[str, ...] = ()
    """Stages of a turn's ``timings_ms`` that it adds up."""
    between: tuple[str, str] | None = None
    """Or the two marks of ``timings_ms`` that it lies between."""

    @property
    def metric(self) -> str:
        """Name of the metric that reports it, in milliseconds: ``HopFirstTokenMs``."""
        return f"Hop{''.join(word.capitalize() for word in self.name.split('_'))}Ms"

    @property
    def is_measured(self) -> bool:
        """Whether the product can measure it; the network to the shopper is the client's to measure."""
        return bool(self.stages) or self.between is not None

    def spent_ms(self, timings_ms: Mapping[str, int]) -> int | None:
        """What a turn spent on it; ``None`` when the turn did not pass here."""
        if self.between is not None:
            start, end = self.between
            if start in timings_ms and end in timings_ms:
                return max(0, timings_ms[end] - timings_ms[start])
            return None
        passed = [timings_ms[stage] for stage in self.stages if stage in timings_ms]
        return sum(passed) if passed else None


@dataclass(frozen=True, slots=True)
class LatencyBudget:
    """All hops, in the order in which they are passed."""

    total_ms: int
    hops: tuple[Hop, ...]

    def __post_init__(self) -> None:
        if self.spent_ms > self.total_ms:
            raise BudgetExceeded(self.spent_ms, self.total_ms)

    @property
    def spent_ms(self) -> int:
        """What the hops take together."""
        return sum(hop.budget_ms for hop in self.hops)

    @property
    def reserve_ms(self) -> int:
        """What is left for bad luck."""
        return self.total_ms - self.spent_ms


@cache
def latency_budget() -> LatencyBudget:
    """The committed budget."""
    document = json.loads(BUDGET_FILE.read_text(encoding="utf-8"))
    return LatencyBudget(document["total_ms"], tuple(_hop(hop) for hop in document["hops"]))


def _hop(document: Mapping[str, Any]) -> Hop:
    between = document.get("between")
    return Hop(
        name=document["name"],
        budget_ms=document["budget_ms"],
        what=document["what"],
        stages=tuple(document.get("stages", ())),
        between=(between[0], between[1]) if between else None,
    )
