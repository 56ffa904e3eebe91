"""The latency budget: its figures, and what a turn's timings make of it."""

from __future__ import annotations

import pytest

from mangaassist.capacity.latency import BudgetExceeded, Hop, LatencyBudget, latency_budget


def test_the_budget_is_the_published_one() -> None:
    budget = latency_budget()
    assert {hop.name: hop.budget_ms for hop in budget.hops} == {
        "gateway_auth": 100,
        "intent": 200,
        "retrieval": 300,
        "assembly": 50,
        "first_token": 1_500,
        "emit": 150,
        "network": 200,
    }
    assert (budget.spent_ms, budget.total_ms, budget.reserve_ms) == (2_500, 3_000, 500)


def test_every_hop_but_the_network_is_measured_from_a_turn() -> None:
    timings = {
        "session": 12,
        "understanding": 15,
        "embedding": 30,
        "search": 40,
        "rerank": 50,
        "context": 3,
        "generation_started": 130,
        "first_token": 630,
        "first_text_posted": 640,
    }
    spent = {hop.name: hop.spent_ms(timings) for hop in latency_budget().hops}
    assert spent == {
        "gateway_auth": 12,
        "intent": 15,
        "retrieval": 120,
        "assembly": 3,
        "first_token": 500,
        "emit": 10,
        "network": None,
    }
    assert [hop.name for hop in latency_budget().hops if not hop.is_measured] == ["network"]


def test_a_hop_that_a_turn_did_not_pass_costs_nothing_and_reports_nothing() -> None:
    by_template = {"session": 9, "understanding": 0, "first_token": 10}
    spent = {hop.name: hop.spent_ms(by_template) for hop in latency_budget().hops}
    assert spent["retrieval"] is None
    assert spent["first_token"] is None
    assert spent["gateway_auth"] == 9


def test_metrics_are_named_after_their_hop() -> None:
    assert latency_budget().hops[4].metric == "HopFirstTokenMs"


def test_a_budget_that_does_not_add_up_is_refused() -> None:
    with pytest.raises(BudgetExceeded):
        LatencyBudget(100, (Hop("a", 60, "one"), Hop("b", 50, "two")))
