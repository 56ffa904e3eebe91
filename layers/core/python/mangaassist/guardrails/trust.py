"""Is a listing one to recommend? Its trust score and its seller's signals against thresholds (GRD-7); pure functions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Literal

from mangaassist.guardrails.stages import DATA
from mangaassist.store.facts import TrustSignals

Suspicion = Literal["low_trust_score", "new_seller", "young_listing", "underpriced"]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """``data/trust.json``. At a threshold a listing still passes, except that 70 % under comparable is already too far."""

    least_listing_trust_score: float
    """0 to 1."""
    new_seller_days: int
    """A seller younger than this is new."""
    young_listing_days: int
    """A listing of an established title younger than this is odd: why would it appear only now?"""
    percent_under_comparable: int
    """So far under the price of comparable listings it is no bargain any more."""


@cache
def thresholds() -> Thresholds:
    """The thresholds in force."""
    return Thresholds(**json.loads((DATA / "trust.json").read_text("utf-8")))


def suspicion(signals: TrustSignals, limits: Thresholds) -> Suspicion | None:
    """The first thing that speaks against a listing."""
    if signals.listing_trust_score < limits.least_listing_trust_score:
        return "low_trust_score"
    if signals.seller_age_days < limits.new_seller_days:
        return "new_seller"
    if signals.established_title and signals.listing_age_days < limits.young_listing_days:
        return "young_listing"
    return "underpriced" if _is_underpriced(signals, limits) else None


def _is_underpriced(signals: TrustSignals, limits: Thresholds) -> bool:
    comparable = signals.comparable_price
    if comparable is None or comparable.currency != signals.price.currency:
        return False
    return Decimal(signals.price.value) * 100 <= Decimal(comparable.value) * (
        100 - limits.percent_under_comparable
    )
