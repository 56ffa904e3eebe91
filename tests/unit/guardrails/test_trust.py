"""GRD-7's thresholds, each at its edge, and what the stage makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from mangaassist.errors import DependencyError, DependencyTimeout
from mangaassist.guardrails import wiring
from mangaassist.guardrails.pipeline import judge
from mangaassist.guardrails.trust import Thresholds, suspicion, thresholds
from mangaassist.settings import MissingSetting
from mangaassist.store.facts import Amount, TrustSignals

LIMITS = Thresholds(
    least_listing_trust_score=0.5, new_seller_days=30, young_listing_days=14, percent_under_comparable=70
)
GOOD = TrustSignals(
    asin="B0GOOD0001",
    listing_trust_score=0.9,
    listing_age_days=400,
    seller_age_days=900,
    established_title=True,
    price=Amount("9.99", "USD"),
    comparable_price=Amount("10.99", "USD"),
)


@pytest.mark.req("GRD-7")
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"listing_trust_score": 0.5}, None),
        ({"listing_trust_score": 0.49}, "low_trust_score"),
        ({"seller_age_days": 30}, None),
        ({"seller_age_days": 29}, "new_seller"),
        ({"listing_age_days": 14}, None),
        ({"listing_age_days": 13}, "young_listing"),
        ({"listing_age_days": 0, "established_title": False}, None),
        ({"price": Amount("3.01", "USD"), "comparable_price": Amount("10.00", "USD")}, None),
        ({"price": Amount("3.00", "USD"), "comparable_price": Amount("10.00", "USD")}, "underpriced"),
        ({"price": Amount("0.10", "USD"), "comparable_price": None}, None),
        ({"price": Amount("3", "USD"), "comparable_price": Amount("1500", "JPY")}, None),
        ({"price": Amount("1000000.00", "USD")}, None),
    ],
)
def test_each_threshold_at_its_edge(changes: dict[str, Any], expected: str | None) -> None:
    assert suspicion(replace(GOOD, **changes), LIMITS) == expected


def test_the_thresholds_in_force_are_thresholds() -> None:
    limits = thresholds()
    assert 0 < limits.least_listing_trust_score < 1
    assert limits.new_seller_days > 0
    assert limits.young_listing_days > 0
    assert 0 < limits.percent_under_comparable < 100
    assert suspicion(GOOD, limits) is None


class Directory:
    def __init__(self, *known: str, error: Exception | None = None) -> None:
        self._known, self._error = set(known), error

    def known(self, asins: Sequence[str]) -> set[str]:
        if self._error:
            raise self._error
        return self._known & set(asins)


class Trust:
    """Good signals for all that are ``sold``, but for what is changed."""

    def __init__(self, *sold: str, error: Exception | None = None, **changed: dict[str, Any]) -> None:
        self.asked: list[list[str]] = []
        self._sold, self._error, self._changed = sold, error, changed

    def signals(self, asins: Sequence[str]) -> Mapping[str, TrustSignals]:
        self.asked.append(list(asins))
        if self._error:
            raise self._error
        return {
            asin: replace(GOOD, asin=asin, **self._changed.get(asin, {}))
            for asin in asins
            if asin in self._sold
        }


@pytest.mark.req("GRD-7")
@pytest.mark.parametrize(
    "changes",
    [
        {"listing_trust_score": 0.1},
        {"seller_age_days": 1},
        {"listing_age_days": 1},
        {"price": Amount("1.00", "USD")},
    ],
)
def test_a_distrusted_listing_is_taken_out_whether_it_was_retrieved_or_not(changes: dict[str, Any]) -> None:
    trust = Trust("B0ALLOWED1", "B0KNOWN001", "B0GOOD0001", B0ALLOWED1=changes, B0KNOWN001=changes)
    verdict = judge(
        "B0ALLOWED1, B0KNOWN001 and B0GOOD0001",
        "en",
        ["B0ALLOWED1", "B0GOOD0001"],
        Directory("B0KNOWN001"),
        trust=trust,
    )
    assert verdict.text == "this title, this title and B0GOOD0001"
    assert verdict.stages["asin"] == "removed"
    [intervention] = verdict.interventions
    assert "B0" not in intervention.reason


@pytest.mark.req("GRD-7")
def test_one_batch_asks_about_all_that_exist_and_what_is_not_sold_goes() -> None:
    trust = Trust("B0ALLOWED1", "B0KNOWN001")
    verdict = judge(
        "B0ALLOWED1 B0KNOWN001 B0NOTSOLD1 B0WRONG001 B0ALLOWED1",
        "en",
        ["B0ALLOWED1"],
        Directory("B0KNOWN001", "B0NOTSOLD1"),
        trust=trust,
    )
    assert trust.asked == [["B0ALLOWED1", "B0KNOWN001", "B0NOTSOLD1"]]
    assert verdict.text == "B0ALLOWED1 B0KNOWN001 this title this title B0ALLOWED1"
    assert [each.stage for each in verdict.interventions] == ["asin", "asin"]


@pytest.mark.req("GRD-7")
def test_without_signals_existence_still_counts_and_the_stage_says_so() -> None:
    trust = Trust(error=DependencyTimeout("pricing", "deadline"))
    verdict = judge("B0ALLOWED1 B0WRONG001", "en", ["B0ALLOWED1"], Directory(), trust=trust)
    assert verdict.text == "B0ALLOWED1 this title"
    assert verdict.stages["asin"] == "unavailable"


def test_signals_count_where_the_directory_is_out() -> None:
    trust = Trust("B0ALLOWED1", B0ALLOWED1={"seller_age_days": 1})
    failing = Directory(error=DependencyError("catalogue", "InternalServerError"))
    verdict = judge("B0ALLOWED1 B0KNOWN001", "en", ["B0ALLOWED1"], failing, trust=trust)
    assert verdict.text == "this title this title"
    assert verdict.stages["asin"] == "unavailable"
    assert trust.asked == [["B0ALLOWED1"]]


@pytest.mark.parametrize("text", ["No product at all.", "Only B0WRONG001."])
def test_nothing_is_asked_about_nothing(text: str) -> None:
    trust = Trust()
    judge(text, "en", [], Directory(), trust=trust)
    assert trust.asked == []


def test_no_pricing_service_no_judgement_of_listings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARTNERS_URL", raising=False)
    assert wiring.trust() is None


def test_a_pricing_service_without_a_credential_is_a_mistake_of_the_deployment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PARTNERS_URL", "https://partners.example.com")
    monkeypatch.delenv("PARTNERS_CREDENTIAL_SECRET", raising=False)
    listings = wiring.trust()
    assert listings is not None
    with pytest.raises(MissingSetting, match="PARTNERS_CREDENTIAL_SECRET"):
        listings.signals(["B0ALLOWED1"])
