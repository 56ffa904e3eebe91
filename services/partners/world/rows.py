"""What a world is made of: rows of the tables, in the order in which they may be inserted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.partners.database import models

Row = dict[str, Any]
"""One row: the columns of its table."""


@dataclass
class World:
    """Rows by table."""

    epoch: datetime
    series: list[Row] = field(default_factory=list[Row])
    products: list[Row] = field(default_factory=list[Row])
    offers: list[Row] = field(default_factory=list[Row])
    price_changes: list[Row] = field(default_factory=list[Row])
    sellers: list[Row] = field(default_factory=list[Row])
    listings: list[Row] = field(default_factory=list[Row])
    customers: list[Row] = field(default_factory=list[Row])
    star_counts: list[Row] = field(default_factory=list[Row])
    reviews: list[Row] = field(default_factory=list[Row])
    promotions: list[Row] = field(default_factory=list[Row])
    promotion_series: list[Row] = field(default_factory=list[Row])
    orders: list[Row] = field(default_factory=list[Row])
    order_lines: list[Row] = field(default_factory=list[Row])
    order_events: list[Row] = field(default_factory=list[Row])
    shipments: list[Row] = field(default_factory=list[Row])
    shipment_lines: list[Row] = field(default_factory=list[Row])
    returns: list[Row] = field(default_factory=list[Row])
    return_lines: list[Row] = field(default_factory=list[Row])

    def tables(self) -> Iterator[tuple[type[models.Base], list[Row]]]:
        """Every table's rows; what others refer to comes first."""
        yield models.Series, self.series
        yield models.Product, self.products
        yield models.Offer, self.offers
        yield models.PriceChange, self.price_changes
        yield models.Seller, self.sellers
        yield models.Listing, self.listings
        yield models.Customer, self.customers
        yield models.StarCount, self.star_counts
        yield models.Review, self.reviews
        yield models.Promotion, self.promotions
        yield models.PromotionSeries, self.promotion_series
        yield models.Order, self.orders
        yield models.OrderLine, self.order_lines
        yield models.OrderEvent, self.order_events
        yield models.Shipment, self.shipments
        yield models.ShipmentLine, self.shipment_lines
        yield models.Return, self.returns
        yield models.ReturnLine, self.return_lines
