"""Ratings whose average and number are the feed's, and words for some of them.

The store pools the volumes of a series, as shops pool the editions of a book: a volume's rating is its series'.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from mangaassist.catalogue.records import SeriesRecord
from services.partners.world.rows import World
from services.partners.world.rules import between, chance, rules, some_time_of_day, world_rules


def star_counts(average: float, count: int) -> dict[int, int]:
    """How ``count`` ratings of 1 to 5 come to ``average``, as nearly as whole stars allow.

    Their mean is within 0.5 / ``count`` of ``average``; with few ratings nothing is nearer.
    """
    if count == 0:
        return dict.fromkeys(range(1, 6), 0)
    lower, above = divmod(round(average * count), count)
    found = Counter({lower: count - above, lower + 1: above})
    # Opinions differ: a pair of equal ratings becomes one above and one below, which leaves the mean alone.
    for middle in (lower, lower + 1):
        if 1 < middle < 5:
            pairs = found[middle] // 5
            found[middle] -= 2 * pairs
            found[middle - 1] += pairs
            found[middle + 1] += pairs
    return {stars: found[stars] for stars in range(1, 6)}


def add_reviews(world: World, records: Sequence[SeriesRecord]) -> None:
    """Star counts of every series, and reviews drawn from them: by buyers first, the rest by nobody in particular."""
    rule = world_rules("reviews")
    bought = _deliveries(world)
    for record in records:
        numbers = chance(f"reviews/{record.series_id}")
        counts = star_counts(record.rating.average, record.rating.count)
        world.star_counts += [
            {"series_id": record.series_id, "stars": stars, "count": count} for stars, count in counts.items()
        ]
        if not record.volumes:
            continue
        left = Counter(counts)
        for delivered_at, customer_id, language, asin in bought.get(record.series_id, ()):
            if numbers.random() < rule["by_buyers_share"] and left.total():
                at = delivered_at + timedelta(days=between(numbers, rule["bought_to_written_days"]))
                if at < world.epoch:
                    _add(world, record, left, numbers, at, asin, language, customer_id)
        for _ in range(min(rule["written_for_each_series"], left.total())):
            at = world.epoch - timedelta(days=between(numbers, rule["age_days"])) + some_time_of_day(numbers)
            language = numbers.choice(("en", "ja"))
            _add(world, record, left, numbers, at, numbers.choice(record.volumes).asin, language, None)


def _add(
    world: World,
    record: SeriesRecord,
    left: Counter[int],
    numbers: Random,
    at: datetime,
    asin: str,
    language: str,
    customer_id: str | None,
) -> None:
    """One review; its stars are taken out of ``left``."""
    kinds = [stars for stars in range(1, 6) if left[stars]]
    stars = numbers.choices(kinds, [left[stars] for stars in kinds])[0]
    left[stars] -= 1
    title = record.titles.ja or record.titles.en if language == "ja" else record.titles.en
    words: str = numbers.choice(rules("reviews")[language][str(stars)])
    world.reviews.append(
        {
            "review_id": f"review-{len(world.reviews) + 1:06d}",
            "series_id": record.series_id,
            "asin": asin,
            "customer_id": customer_id,
            "stars": stars,
            "language": language,
            "text": words.replace("{title}", title),
            "written_at": at,
        }
    )


def _deliveries(world: World) -> dict[str, list[tuple[datetime, str, str, str]]]:
    """By series: when which customer, of which language, received which ASIN."""
    series = {row["asin"]: row["series_id"] for row in world.products}
    languages = {row["customer_id"]: row["language"] for row in world.customers}
    owners = {row["order_id"]: row["customer_id"] for row in world.orders}
    delivered = {row["shipment_id"]: row["delivered_at"] for row in world.shipments if row["delivered_at"]}
    found: defaultdict[str, list[tuple[datetime, str, str, str]]] = defaultdict(list)
    reviewed: set[tuple[str, str]] = set()
    for line in world.shipment_lines:
        owner, asin = owners[line["order_id"]], line["asin"]
        if line["shipment_id"] in delivered and (owner, asin) not in reviewed:
            reviewed.add((owner, asin))
            found[series[asin]].append((delivered[line["shipment_id"]], owner, languages[owner], asin))
    return found
