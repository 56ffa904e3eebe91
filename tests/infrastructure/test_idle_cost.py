"""The idle cost told from settings is that of the templates."""

from __future__ import annotations

import pytest

from tests.infrastructure.synthesized import Synthesized
from tools.cost.idle import IdleCost, idle_cost, idle_cost_of_template

SAME = {
    "NAT gateways": {"NAT gateways"},
    "interface endpoints": {"interface endpoints"},
    "Valkey Serverless": {"Valkey Serverless"},
    "search units (OCU)": {"search units (OCU)"},
    "model endpoints": {"intent endpoint", "reranker endpoint"},
    "warm functions": {"warm message functions"},
    "tasks": {"catalogue tasks"},
    "load balancers": {"load balancers"},
}
"""Items of a template, and what they are called when settings tell them."""


def of(lines: tuple[IdleCost, ...], items: set[str]) -> float:
    return sum(line.usd_per_month for line in lines if line.item in items)


@pytest.mark.req("CAP-6")
@pytest.mark.parametrize("item", sorted(SAME))
def test_settings_and_templates_tell_the_same_idle_cost(application: Synthesized, item: str) -> None:
    told = idle_cost(application.settings)
    declared = tuple(
        line
        for concern, template in application.templates.items()
        for line in idle_cost_of_template(concern, template)
    )
    assert of(declared, {item}) == pytest.approx(of(told, SAME[item]), abs=0.05)


@pytest.mark.req("CAP-6")
def test_keys_and_alarms_are_counted_from_the_template(application: Synthesized) -> None:
    lines = {
        line.item: line
        for line in idle_cost_of_template("CapacityState", application.templates["CapacityState"])
    }
    assert lines["keys"].usd_per_month == 1.0
    assert lines["keys"].concern == "CapacityState"
