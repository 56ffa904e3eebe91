"""For which models throughput can be bought, and how much of it a day's traffic is worth (CAP-2)."""

from __future__ import annotations

import math
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from mangaassist.errors import MangaAssistError

OFFERS_FILE: Final = Path(__file__).parent / "data" / "throughput.json"
TRAFFIC_FILE: Final = Path(__file__).parent / "data" / "traffic.json"
PERCENTILE: Final = 0.75
COVERED_SHARE: Final = 0.80
"""CAP-2: the steady part is bought, 80% of the 75th percentile; what comes above goes on demand."""


class NotPurchasable(MangaAssistError):
    """No throughput is sold for ``model_id``; ``why`` says what there is instead."""

    def __init__(self, model_id: str, why: str) -> None:
        self.model_id = model_id
        self.why = why
        super().__init__(f"no provisioned throughput is sold for {model_id}: {why}")


class Offer(BaseModel):
    """One row of the list, sold or not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_id: str
    offer_id: str | None = None
    """Id that is bought, which names a context length beside the model."""
    purchasable: bool
    note: str
    tokens_per_minute_per_unit: Annotated[int, Field(gt=0)] | None = None
    tokens_per_minute_is: str | None = None


class OfferList(BaseModel):
    """The list, the day it was checked and where it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    checked: date
    source: str
    models: tuple[Offer, ...]

    def purchasable(self, model_id: str) -> Offer:
        """The offer for a model.

        Raises:
            NotPurchasable: it is not sold, or not on the list.
        """
        offer = next((each for each in self.models if each.model_id == model_id), None)
        if offer is None:
            raise NotPurchasable(model_id, "it is not on the list of capacity/data/throughput.json")
        if not offer.purchasable:
            raise NotPurchasable(model_id, offer.note)
        return offer


class Traffic(BaseModel):
    """What one model's callers used, hour by hour."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    as_of: date
    source: str
    tokens_per_minute_by_hour: Annotated[tuple[float, ...], Field(min_length=1)]

    def baseline(self, percentile: float = PERCENTILE) -> float:
        """The hour that so many hours stay below (nearest rank)."""
        ordered = sorted(self.tokens_per_minute_by_hour)
        return ordered[max(0, math.ceil(percentile * len(ordered)) - 1)]


def model_units(traffic: Traffic, offer: Offer, *, share: float = 1.0, max_units: int) -> int:
    """Units to buy: 80% of the 75th percentile, at least one, never more than ``max_units``."""
    assert offer.tokens_per_minute_per_unit is not None
    wanted = traffic.baseline() * share * COVERED_SHARE / offer.tokens_per_minute_per_unit
    return max(1, min(max_units, math.ceil(round(wanted, 6))))


@cache
def offers() -> OfferList:
    """The committed list."""
    return OfferList.model_validate_json(OFFERS_FILE.read_bytes())


@cache
def traffic() -> Traffic:
    """The committed traffic history."""
    return Traffic.model_validate_json(TRAFFIC_FILE.read_bytes())
