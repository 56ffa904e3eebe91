"""From a series record to the items of the catalogue table; pure functions.

| item | pk | sk |
| --- | --- | --- |
| series | ``SERIES#<series_id>`` | ``SERIES`` |
| volume | ``ASIN#<asin>`` | ``PRODUCT`` |
| ingest run | ``RUN#<object key>`` | ``RUN`` |
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mangaassist.catalogue.records import SeriesRecord

Item = dict[str, Any]


def series_key(series_id: str) -> dict[str, str]:
    """Key of a series item."""
    return {"pk": f"SERIES#{series_id}", "sk": "SERIES"}


def product_key(asin: str) -> dict[str, str]:
    """Key of a volume item."""
    return {"pk": f"ASIN#{asin}", "sk": "PRODUCT"}


def run_key(object_key: str) -> dict[str, str]:
    """Key of the record of one ingest run."""
    return {"pk": f"RUN#{object_key}", "sk": "RUN"}


def series_item(record: SeriesRecord, content_hash: str) -> Item:
    """The facts of a series. ``content_hash`` is its receipt: written last, it says that all its volumes are there."""
    facts = record.model_dump(mode="json", exclude={"volumes", "rating"}, exclude_none=True)
    rating = {"average": Decimal(str(record.rating.average)), "count": record.rating.count}
    return {**series_key(record.series_id), **facts, "rating": rating, "content_hash": content_hash}


def volume_items(record: SeriesRecord) -> list[Item]:
    """What the shop sells of a series, one item per ASIN; prices stay text, exact to the cent."""
    return [
        {
            **product_key(volume.asin),
            "series_id": record.series_id,
            **volume.model_dump(mode="json", exclude_none=True),
        }
        for volume in record.volumes
    ]
