"""Trust signals of listings, which the pricing team keeps beside the prices (GRD-7)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median_low

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.partners.database.models import Listing, Offer, Product, Seller, Series
from services.partners.problems import declared
from services.partners.schemas import Answer, AsinsQuery, Money, Now, Store, each_once, optional_money

router = APIRouter(prefix="/pricing/v1", tags=["pricing"])

LEAST_COMPARABLES = 2
"""Below this a median is one shop's whim."""


class SellerAnswer(Answer):
    """Who sells it."""

    seller_id: str = Field(examples=["seller-03"])
    name: str
    age_days: int = Field(ge=0, description="Since the seller registered.")
    rating: float = Field(ge=0, le=5)


class TrustAnswer(Answer):
    """What speaks for or against a listing."""

    asin: str
    listing_trust_score: float = Field(ge=0, le=1)
    listing_age_days: int = Field(ge=0)
    established_title: bool = Field(description="The series has been sold for years.")
    seller: SellerAnswer
    price: Money
    comparable_price: Money | None = Field(
        description="Median price of the series' other volumes now; null where there are fewer than two."
    )


class Signals(Answer):
    """Those that are known, in the order asked, and the ASINs of those that are not."""

    signals: list[TrustAnswer]
    unknown_asins: list[str]


@router.get("/trust-signals", responses=declared())
def get_trust_signals(store: Store, now: Now, asin: AsinsQuery) -> Signals:
    """What speaks for or against up to 100 listings."""
    asked = each_once(asin)
    statement = (
        select(Listing, Seller, Offer.price_cents, Series.established, Series.series_id)
        .join(Seller, Seller.seller_id == Listing.seller_id)
        .join(Offer, Offer.asin == Listing.asin)
        .join(Product, Product.asin == Listing.asin)
        .join(Series, Series.series_id == Product.series_id)
        .where(Listing.asin.in_(asked))
    )
    with store.read() as session:
        found = {row[0].asin: row for row in session.execute(statement)}
        prices = _prices(session, [row[4] for row in found.values()])
    signals: list[TrustAnswer] = []
    for each in asked:
        if each not in found:
            continue
        listing, seller, price_cents, established, series_id = found[each]
        signals.append(
            TrustAnswer(
                asin=each,
                listing_trust_score=listing.trust_percent / 100,
                listing_age_days=max(0, (now - listing.listed_at).days),
                established_title=established,
                seller=SellerAnswer(
                    seller_id=seller.seller_id,
                    name=seller.name,
                    age_days=max(0, (now - seller.since).days),
                    rating=seller.rating_tenths / 10,
                ),
                price=Money.of(price_cents),
                comparable_price=optional_money(comparable(prices[series_id], each)),
            )
        )
    return Signals(signals=signals, unknown_asins=[each for each in asked if each not in found])


def comparable(prices: dict[str, int], asin: str) -> int | None:
    """Median in cents of the prices of a series' volumes but ``asin``; None where there are too few."""
    others = [cents for other, cents in prices.items() if other != asin]
    return median_low(others) if len(others) >= LEAST_COMPARABLES else None


def _prices(session: Session, series_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Price by ASIN by series."""
    statement = (
        select(Product.series_id, Offer.asin, Offer.price_cents)
        .join(Offer, Offer.asin == Product.asin)
        .where(Product.series_id.in_(set(series_ids)))
    )
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for series_id, asin, price_cents in session.execute(statement):
        found[series_id][asin] = price_cents
    return found
