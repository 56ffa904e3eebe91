"""Which listings the guardrail must notice (GRD-7), and why: a few, always the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mangaassist.catalogue.records import SeriesRecord
from services.partners.world.rules import chance, world_rules

Suspicion = Literal["new_seller", "young_listing", "underpriced", "distrusted"]
KINDS: tuple[Suspicion, ...] = ("new_seller", "young_listing", "underpriced", "distrusted")


def is_established(record: SeriesRecord, year: int) -> bool:
    """Whether the title is old enough that a young listing of it is odd."""
    return record.year <= year - world_rules("listings")["established_after_years"]


def suspicious_asins(records: Sequence[SeriesRecord], year: int) -> dict[str, Suspicion]:
    """ASIN to what is wrong with it; at most one of a series."""
    rule = world_rules("suspicious")
    candidates = [
        record
        for record in records
        if is_established(record, year)
        and len(record.volumes) >= rule["series_volumes"]
        and not record.mature
    ]
    numbers = chance("suspicious")
    picked = numbers.sample(candidates, min(len(candidates), rule["of_each_kind"] * len(KINDS)))
    found: dict[str, Suspicion] = {}
    for place, record in enumerate(picked):
        volumes = [volume for volume in record.volumes if volume.volume >= rule["from_volume"]]
        found[numbers.choice(volumes).asin] = KINDS[place % len(KINDS)]
    return found
