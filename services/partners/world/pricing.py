"""Products, offers, how prices came to be what they are, and who sells: starting from the feed's prices."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from mangaassist.catalogue.records import SeriesRecord, Volume
from services.partners.money import cents
from services.partners.world.rows import Row, World
from services.partners.world.rules import between, chance, some_time_of_day, world_rules
from services.partners.world.suspicious import Suspicion, is_established, suspicious_asins

HOUSE_STOCK = 60
"""The highest stock of earlier days; the feed's own maximum."""


class Change(NamedTuple):
    """A state of an offer since ``at``."""

    at: datetime
    price: int
    list_price: int | None
    stock: int


def add_pricing(world: World, records: Sequence[SeriesRecord]) -> None:
    """Series, products, offers with their history, sellers and listings."""
    suspicions = suspicious_asins(records, world.epoch.year)
    sellers = _add_sellers(world)
    for record in records:
        numbers = chance(f"pricing/{record.series_id}")
        world.series.append(
            {
                "series_id": record.series_id,
                "title": record.titles.en,
                "established": is_established(record, world.epoch.year),
                "mature": record.mature,
            }
        )
        for volume in record.volumes:
            suspicion = suspicions.get(volume.asin)
            world.products.append(
                {
                    "asin": volume.asin,
                    "series_id": record.series_id,
                    "title": volume.title,
                    "volume": volume.volume,
                }
            )
            listed_at = _listed_at(world.epoch, numbers, suspicion)
            _add_offer(world, volume.asin, _history(world.epoch, volume, listed_at, numbers, suspicion))
            world.listings.append(_listing(volume.asin, listed_at, sellers, numbers, suspicion))


def _history(
    epoch: datetime, volume: Volume, listed_at: datetime, numbers: Random, suspicion: Suspicion | None
) -> list[Change]:
    """States of the offer, oldest first; without suspicion the last one is the feed's."""
    rule = world_rules("prices")
    price, stock = cents(volume.price), volume.stock
    list_price = cents(volume.list_price) if volume.list_price is not None else None

    def ago(bounds: list[int]) -> datetime:
        return epoch - timedelta(days=between(numbers, bounds)) + some_time_of_day(numbers)

    def earlier_stock() -> int:
        return numbers.randint(1, HOUSE_STOCK)

    if suspicion == "young_listing":
        return [Change(listed_at, price, list_price, stock)]
    if list_price is not None and list_price > price:
        history = [
            Change(listed_at, list_price, None, earlier_stock()),
            Change(ago(rule["reduced_days_ago"]), price, list_price, stock),
        ]
    else:
        kind = numbers.random()
        changed = ago(rule["older_change_days_ago"])
        if kind < rule["raised_share"]:
            before = max(1, price * between(numbers, rule["raised_from_percent"]) // 100)
            history = [
                Change(listed_at, before, None, earlier_stock()),
                Change(changed, price, list_price, stock),
            ]
        elif kind < rule["raised_share"] + rule["past_sale_share"]:
            reduced = max(1, price * between(numbers, rule["past_sale_percent"]) // 100)
            over = changed + (epoch - changed) / 2
            history = [
                Change(listed_at, price, list_price, earlier_stock()),
                Change(changed, reduced, price, earlier_stock()),
                Change(over.replace(microsecond=0), price, list_price, stock),
            ]
        else:
            history = [Change(listed_at, price, list_price, stock)]
    if suspicion == "underpriced":
        suspicious = world_rules("suspicious")
        at = epoch - timedelta(days=suspicious["underpriced_days_ago"])
        history = [change for change in history if change.at < at]
        dumped = max(1, price * suspicious["underpriced_at_percent"] // 100)
        history.append(Change(at, dumped, max(price, list_price or 0), max(1, stock)))
    return history


def _add_offer(world: World, asin: str, history: list[Change]) -> None:
    for revision, change in enumerate(history, start=1):
        world.price_changes.append(
            {
                "asin": asin,
                "revision": revision,
                "price_cents": change.price,
                "list_price_cents": change.list_price,
                "stock": change.stock,
                "changed_at": change.at,
                "set_by_api": False,
            }
        )
    last = history[-1]
    world.offers.append(
        {
            "asin": asin,
            "price_cents": last.price,
            "list_price_cents": last.list_price,
            "stock": last.stock,
            "as_of": last.at,
            "revision": len(history),
            "set_by_api": False,
        }
    )


def _listed_at(epoch: datetime, numbers: Random, suspicion: Suspicion | None) -> datetime:
    days = between(numbers, world_rules("listings")["age_days"])
    within = some_time_of_day(numbers)
    if suspicion == "young_listing":
        return epoch - timedelta(days=world_rules("suspicious")["young_listing_age_days"])
    return epoch - timedelta(days=days) + within


def _listing(
    asin: str, listed_at: datetime, sellers: list[str], numbers: Random, suspicion: Suspicion | None
) -> Row:
    trust = between(numbers, world_rules("listings")["trust_percent"])
    seller = numbers.choice(sellers)
    if suspicion is not None:
        trust = world_rules("suspicious")[f"{suspicion}_trust_percent"]
    if suspicion == "new_seller":
        seller = NEW_SELLER
    return {"asin": asin, "seller_id": seller, "listed_at": listed_at, "trust_percent": trust}


NEW_SELLER = "seller-new"


def _add_sellers(world: World) -> list[str]:
    """Every seller; returns the ids of the good ones."""
    rule, suspicious = world_rules("sellers"), world_rules("suspicious")
    numbers = chance("sellers")
    for number in range(1, rule["count"] + 1):
        world.sellers.append(
            {
                "seller_id": f"seller-{number:02d}",
                "name": f"Bookseller {number:02d} (synthetic)",
                "since": world.epoch - timedelta(days=between(numbers, rule["age_days"])),
                "rating_tenths": between(numbers, rule["rating_tenths"]),
            }
        )
    good = [row["seller_id"] for row in world.sellers]
    world.sellers.append(
        {
            "seller_id": NEW_SELLER,
            "name": "Bookseller of last week (synthetic)",
            "since": world.epoch - timedelta(days=suspicious["new_seller_age_days"]),
            "rating_tenths": suspicious["new_seller_rating_tenths"],
        }
    )
    return good
