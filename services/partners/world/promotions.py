"""Promotions: some always run, the others are dated from the epoch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from mangaassist.catalogue.records import SeriesRecord
from services.partners.world.rows import World
from services.partners.world.rules import rules

ALWAYS = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def add_promotions(world: World, records: Sequence[SeriesRecord]) -> None:
    """Promotions and the series they are for."""
    popular = sorted(records, key=lambda record: (-record.rating.count, record.series_id))
    for rule in rules("promotions")["promotion"]:
        series_ids = _series_of(rule, popular)
        if series_ids is not None and not series_ids:
            continue  # a small feed without the genre: no series must not turn into all of them
        starts_at, ends_at = ALWAYS
        if days := rule.get("days"):
            starts_at, ends_at = (world.epoch + timedelta(days=day) for day in days)
        world.promotions.append(
            {
                "promotion_id": rule["id"],
                "title_en": rule["en"],
                "title_ja": rule["ja"],
                "percent_off": rule["percent_off"],
                "starts_at": starts_at,
                "ends_at": ends_at,
                "code": rule.get("code"),
            }
        )
        world.promotion_series += [
            {"promotion_id": rule["id"], "series_id": series_id} for series_id in series_ids or ()
        ]


def _series_of(rule: dict[str, Any], popular: Sequence[SeriesRecord]) -> list[str] | None:
    """Series a promotion is for; None for everything."""
    if genre := rule.get("genre"):
        matching = [record for record in popular if genre in record.genres]
        return [record.series_id for record in matching[: rule["series"]]]
    if count := rule.get("most_popular"):
        return [record.series_id for record in popular[:count]]
    return None
