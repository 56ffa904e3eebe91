"""Shoppers who do not exist: an id, a language and tastes."""

from __future__ import annotations

from collections.abc import Sequence

from mangaassist.catalogue.records import SeriesRecord
from services.partners.world.rows import World
from services.partners.world.rules import between, chance, world_rules


def customer_id(number: int) -> str:
    """The id of the ``number``-th customer, from 1."""
    return f"customer-{number:04d}"


def add_customers(world: World, records: Sequence[SeriesRecord]) -> None:
    """Profiles; favourites are series of a favourite genre, popular ones more often."""
    rule = world_rules("customers")
    genres = sorted({genre for record in records for genre in record.genres})
    for number in range(1, rule["count"] + 1):
        numbers = chance(f"customers/{number}")
        mature_allowed = numbers.random() < rule["mature_share"]
        language = "ja" if numbers.random() < rule["japanese_share"] else "en"
        liked = numbers.sample(genres, min(len(genres), between(numbers, rule["favourite_genres"])))
        allowed = [record for record in records if record.volumes and (mature_allowed or not record.mature)]
        shelf = [record for record in allowed if not set(liked).isdisjoint(record.genres)] or allowed
        wanted = between(numbers, rule["favourite_series"])
        drawn = (
            numbers.choices(shelf, [record.rating.count + 1 for record in shelf], k=wanted) if shelf else []
        )
        world.customers.append(
            {
                "customer_id": customer_id(number),
                "language": language,
                "favourite_genres": liked,
                "favourite_series": list(dict.fromkeys(record.series_id for record in drawn)),
                "mature_allowed": mature_allowed,
            }
        )
