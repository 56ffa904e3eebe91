"""The invented, sellable side of a series: volumes with ASINs, prices and stock, and a shop rating.

Everything is a pure function of the series id and the facts, so the same source always gives the same feed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import Any

from tools.catalogue.source import Row, load_toml

ASIN_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ASIN_PREFIX = "B0"
ASIN_DIGITS = 8
LOWEST_PRICE_CENTS = 99


@dataclass(frozen=True, slots=True)
class VolumeCount:
    """How many volumes a series has, and whether the source says so (``stated``) or a rule does (``synthetic``)."""

    count: int
    source: str


class AsinMint:
    """Gives every volume an ASIN nobody else in the feed has."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def mint(self, series_id: str, volume: int) -> str:
        """The ASIN of a volume: ``B0`` and 8 of A-Z0-9, from the hash of what it names."""
        attempt = 0
        while (asin := _asin(f"{series_id}/{volume}/{attempt}")) in self._taken:
            attempt += 1
        self._taken.add(asin)
        return asin


def volume_count(row: Row) -> VolumeCount:
    """The stated count, else one by the rules of ``data/offers.toml``."""
    if row.volumes:
        return VolumeCount(row.volumes, "stated")
    rule = _data()["volumes"]
    if row.type == "one_shot":
        return VolumeCount(1, "synthetic")
    if row.status == "publishing" or not row.chapters:
        end = row.end_year or rule["counted_to_year"]
        count = (max(0, end - row.start_year)) * rule["volumes_per_year"] or 1
    else:
        count = round(row.chapters / rule["chapters_per_volume"][row.type])
    return VolumeCount(min(max(1, count), rule["maximum"]), "synthetic")


def rating(row: Row) -> dict[str, float | int]:
    """Stars and how many gave them, from the community score."""
    rule = _data()["ratings"]
    stars = 1 + (row.score - 1) * 4 / 9
    return {
        "average": round(min(5.0, max(1.0, stars)), 1),
        "count": max(rule["minimum_count"], row.votes // rule["votes_per_rating"]),
    }


def volumes(row: Row, count: int, mint: AsinMint) -> list[dict[str, Any]]:
    """The volumes of a series, as the feed carries them."""
    price, list_price = _prices(row, count)
    sold_out = _chance(f"{row.id}/series-stock") < _data()["stock"]["series_sold_out_per_mille"]
    return [
        {
            "asin": mint.mint(row.id, volume),
            "volume": volume,
            "title": f"{row.title}, Vol. {volume}" if count > 1 else row.title,
            "price": dollars(price),
            "list_price": dollars(list_price) if list_price is not None else None,
            "currency": "USD",
            "stock": 0 if sold_out else _stock(f"{row.id}/{volume}/stock"),
            "synthetic": True,
        }
        for volume in range(1, count + 1)
    ]


def dollars(cents: int) -> str:
    """Whole cents as decimal text."""
    return f"{cents // 100}.{cents % 100:02d}"


def seeded(text: str) -> int:
    """A large number that depends on nothing but ``text``; unlike ``hash()`` the same in every process."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())


def _prices(row: Row, count: int) -> tuple[int, int | None]:
    rule = _data()["prices"]
    base: dict[str, int] = rule["base_cents"]
    keys = (row.type, *row.demographics, "other")
    cents = next(base[key] for key in keys if key in base)
    if _age(row) >= rule["backlist"]["older_than_years"]:
        cents -= rule["backlist"]["minus_cents"]
    if count == 1 and row.type != "one_shot":
        cents += rule["single_volume"]["plus_cents"]
    if _chance(f"{row.id}/sale") >= rule["sale"]["series_per_mille"]:
        return cents, None
    choices = rule["sale"]["percent_off"]
    percent = choices[seeded(f"{row.id}/percent") % len(choices)]
    return max(LOWEST_PRICE_CENTS, cents * (100 - percent) // 100), cents


def _age(row: Row) -> int:
    """In years, counted to the date of the source."""
    return int(_data()["volumes"]["counted_to_year"]) - row.start_year


def _stock(seed: str) -> int:
    rule = _data()["stock"]
    return (
        0 if _chance(seed) < rule["volume_sold_out_per_mille"] else 1 + seeded(seed + "/n") % rule["maximum"]
    )


def _chance(seed: str) -> int:
    """A number from 0 to 999."""
    return seeded(seed) % 1000


def _asin(seed: str) -> str:
    number, letters = seeded(seed), []
    for _ in range(ASIN_DIGITS):
        number, place = divmod(number, len(ASIN_ALPHABET))
        letters.append(ASIN_ALPHABET[place])
    return ASIN_PREFIX + "".join(letters)


@cache
def _data() -> dict[str, Any]:
    return load_toml("offers.toml")
