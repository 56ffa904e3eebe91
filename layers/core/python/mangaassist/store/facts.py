"""What the store's services say, as facts: typed, immutable, independent of who says it and how.

Amounts are decimal text, because a price is never a float. Times are ISO 8601 in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Amount:
    """``value`` is decimal text such as ``"9.99"``; ``currency`` an ISO 4217 code."""

    value: str
    currency: str


@dataclass(frozen=True, slots=True)
class Product:
    """One sellable book, as the catalogue describes it. What it costs is not the catalogue's to say."""

    asin: str
    series_id: str
    title: str
    series_title: str
    title_ja: str | None = None
    volume: int | None = None
    creators: tuple[str, ...] = ()
    genres: tuple[str, ...] = ()
    publisher: str | None = None
    status: str | None = None
    mature: bool = False
    buyable: bool = True
    creators_ja: tuple[str, ...] = ()
    """Of those creators whose Japanese name is known."""
    year: int | None = None
    """The series' first one."""
    volume_count: int | None = None
    """Volumes published of the series, in the store or not."""
    demographics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """What a book costs now and whether it can be had. ``as_of`` is when the pricing service last changed it."""

    asin: str
    price: Amount
    list_price: Amount | None
    in_stock: bool
    stock: int
    as_of: str


@dataclass(frozen=True, slots=True)
class RatingSummary:
    """Average of 1 to 5 stars over ``count`` reviews."""

    asin: str
    average: float
    count: int


@dataclass(frozen=True, slots=True)
class TrustSignals:
    """What speaks for or against a listing (GRD-7).

    ``listing_trust_score`` is 0 to 1; ages are in days; ``comparable_price`` is the median of comparable listings.
    """

    asin: str
    listing_trust_score: float
    listing_age_days: int
    seller_age_days: int
    established_title: bool
    price: Amount
    comparable_price: Amount | None


@dataclass(frozen=True, slots=True)
class Promotion:
    """An offer that runs from ``starts_at`` until ``ends_at``; empty ``series_ids`` means everything."""

    promotion_id: str
    title_en: str
    title_ja: str
    percent_off: int
    starts_at: str
    ends_at: str
    series_ids: tuple[str, ...] = ()
    code: str | None = None
    at_checkout: bool = False
    """Known to be taken off there, so that prices are before it."""


@dataclass(frozen=True, slots=True)
class OrderLine:
    """``unit_price`` is what was paid then, not what it costs now."""

    asin: str
    title: str
    quantity: int
    unit_price: Amount


@dataclass(frozen=True, slots=True)
class Order:
    """One order of one customer."""

    order_id: str
    customer_id: str
    placed_at: str
    status: Literal["processing", "shipped", "delivered", "cancelled", "unknown"]
    lines: tuple[OrderLine, ...]
    total: Amount


@dataclass(frozen=True, slots=True)
class Shipment:
    """Where a parcel is. ``estimated_delivery`` is absent once it has arrived."""

    shipment_id: str
    order_id: str
    carrier: str
    status: Literal["preparing", "in_transit", "delivered", "delayed", "unknown"]
    shipped_at: str | None
    estimated_delivery: str | None
    delivered_at: str | None


@dataclass(frozen=True, slots=True)
class ReturnEligibility:
    """Whether an order may be sent back, by the service's second vocabulary where it speaks it already."""

    order_id: str
    status: Literal["eligible", "partially_eligible", "ineligible", "unknown"]
    reason: str
    until: str | None


@dataclass(frozen=True, slots=True)
class Profile:
    """What a customer has told the store about themselves."""

    customer_id: str
    language: str
    favourite_genres: tuple[str, ...] = ()
    favourite_series: tuple[str, ...] = ()
    mature_allowed: bool = False
