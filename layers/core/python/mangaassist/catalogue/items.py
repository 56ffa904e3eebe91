"""From a series record to the items of the catalogue table; pure functions.

| item | pk | sk |
| --- | --- | --- |
| series | ``SERIES#<series_id>`` | ``SERIES`` |
| volume | ``ASIN#<asin>`` | ``PRODUCT`` |
| ingest run | ``RUN#<object key>`` | ``RUN`` |
| change of some series | ``CHANGES#<shard>`` | ``ENTRY#<sequence>`` |
| where a shard of the change log ends | ``CHANGES#<shard>`` | ``HEAD`` |
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


def change_key(shard: str, sequence: int) -> dict[str, str]:
    """Key of an entry of the change log; entries of a shard sort by sequence, and before its head."""
    return {"pk": f"CHANGES#{shard}", "sk": f"ENTRY#{sequence:015d}"}


def change_head_key(shard: str) -> dict[str, str]:
    """Key of the item that knows the last entry of a shard."""
    return {"pk": f"CHANGES#{shard}", "sk": "HEAD"}


def series_item(record: SeriesRecord, content_hash: str) -> Item:
    """The facts of a series. ``content_hash`` is its receipt: written last, it says that all its volumes are there."""
    facts = record.model_dump(mode="json", exclude={"volumes", "rating"}, exclude_none=True)
    rating = {"average": Decimal(str(record.rating.average)), "count": record.rating.count}
    return {
        **series_key(record.series_id),
        **facts,
        "rating": rating,
        # Whoever reads a series finds its volumes by their keys; the table has no index by series.
        "asins": [volume.asin for volume in sorted(record.volumes, key=lambda volume: volume.volume)],
        "content_hash": content_hash,
    }


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
