"""What a world is made of: rows of the tables, in the order in which they may be inserted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from services.partners.database import models

Row = dict[str, Any]
"""One row: the columns of its table."""


def _of(model: type[models.Base]) -> list[Row]:
    return field(default_factory=list[Row], metadata={"model": model})


@dataclass
class World:
    """Rows by table; a field's table stands in its metadata."""

    epoch: datetime
    series: list[Row] = _of(models.Series)
    products: list[Row] = _of(models.Product)
    offers: list[Row] = _of(models.Offer)
    price_changes: list[Row] = _of(models.PriceChange)
    sellers: list[Row] = _of(models.Seller)
    listings: list[Row] = _of(models.Listing)
    customers: list[Row] = _of(models.Customer)
    star_counts: list[Row] = _of(models.StarCount)
    reviews: list[Row] = _of(models.Review)
    promotions: list[Row] = _of(models.Promotion)
    promotion_series: list[Row] = _of(models.PromotionSeries)
    orders: list[Row] = _of(models.Order)
    order_lines: list[Row] = _of(models.OrderLine)
    order_events: list[Row] = _of(models.OrderEvent)
    shipments: list[Row] = _of(models.Shipment)
    shipment_lines: list[Row] = _of(models.ShipmentLine)
    returns: list[Row] = _of(models.Return)
    return_lines: list[Row] = _of(models.ReturnLine)

    def tables(self) -> Iterator[tuple[type[models.Base], list[Row]]]:
        """Every table's rows; what others refer to comes first."""
        for each in fields(self):
            if model := each.metadata.get("model"):
                yield model, getattr(self, each.name)
