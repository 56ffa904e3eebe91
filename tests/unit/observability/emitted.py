"""Reading back what a function wrote in the embedded metric format."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Emitted:
    """One metric of one line: its values, the dimension sets it is published under, and the line."""

    name: str
    unit: str
    namespace: str
    values: list[float]
    dimensions: list[list[str]]
    line: dict[str, Any]

    def under(self, *names: str) -> dict[str, str]:
        """The values of a dimension set it is published under, ``environment`` aside."""
        assert ["environment", *names] in self.dimensions
        return {name: self.line[name] for name in names}


def emitted(output: str) -> list[Emitted]:
    """Every metric in what was printed."""
    lines = [json.loads(line) for line in output.splitlines() if '"CloudWatchMetrics"' in line]
    return [
        Emitted(
            metric["Name"],
            metric["Unit"],
            directive["Namespace"],
            line[metric["Name"]],
            directive["Dimensions"],
            line,
        )
        for line in lines
        for directive in line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    ]


def sums(output: str) -> dict[str, float]:
    """By metric the sum of its values."""
    totals: dict[str, float] = {}
    for each in emitted(output):
        totals[each.name] = totals.get(each.name, 0) + sum(each.values)
    return totals
