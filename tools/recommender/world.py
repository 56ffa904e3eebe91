"""Who looked at and bought what: synthetic interactions of a seeded world. Nobody real was asked or watched.

Two sources make one log: the orders of the partners' synthetic customers, so that whoever asks the assistant as
``customer-0007`` is known here too, and shoppers of this module's own, because 200 customers teach nobody anything.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mangaassist.catalogue.records import SeriesRecord
from tools.recommender.titles import Titles

SEED = 20261121
EPOCH = datetime(2026, 11, 20, tzinfo=UTC)
"""The world's now: nothing in it happens later."""
DAY_SECONDS = 86_400
Event = Literal["view", "purchase"]


@dataclass(frozen=True, slots=True, order=True)
class Interaction:
    """One event; ``at`` is in whole seconds since 1970."""

    shopper: str
    at: int
    asin: str
    event: Event


@dataclass(frozen=True, slots=True)
class Shopper:
    """What a shopper would say they like."""

    shopper: str
    favourite_genres: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class World:
    """The log, ordered by shopper and time."""

    shoppers: tuple[Shopper, ...]
    interactions: tuple[Interaction, ...]


@cache
def rules() -> dict[str, Any]:
    """``data/world.toml``."""
    return tomllib.loads((Path(__file__).parent / "data" / "world.toml").read_text("utf-8"))


def build(records: Sequence[SeriesRecord], *, shoppers: int | None = None) -> World:
    """The world over ``records``; the same for the same catalogue, on every machine and every day.

    Args:
        records: the catalogue.
        shoppers: how many of this module's own; ``data/world.toml`` says, unless given.
    """
    titles = Titles.of(records)
    people, log = _customers(records)
    town = _Town(titles)
    for number in range(1, (rules()["shoppers"]["count"] if shoppers is None else shoppers) + 1):
        shopper, events = town.live(number)
        people.append(shopper)
        log += events
    return World(tuple(people), tuple(sorted(log)))


def _customers(records: Sequence[SeriesRecord]) -> tuple[list[Shopper], list[Interaction]]:
    """The partners' customers and what is in their orders, cancelled ones left out."""
    from services.partners.world.build import build as build_partners

    world = build_partners(sorted(records, key=lambda record: record.series_id), EPOCH)
    people = [Shopper(row["customer_id"], tuple(row["favourite_genres"])) for row in world.customers]
    orders = {row["order_id"]: row for row in world.orders if row["status"] != "cancelled"}
    return people, [
        Interaction(
            orders[line["order_id"]]["customer_id"],
            int(orders[line["order_id"]]["placed_at"].timestamp()) + line["position"],
            line["asin"],
            "purchase",
        )
        for line in world.order_lines
        if line["order_id"] in orders
    ]


class _Town:
    """Where this module's own shoppers live: what all of them share."""

    def __init__(self, titles: Titles) -> None:
        self._titles = titles
        choice = rules()["choice"]
        self._readers = choice["popularity"] * np.log1p(titles.readers)
        self._genres = titles.indicator(titles.genres)
        self._themes = titles.indicator(titles.themes)
        self._demographics = titles.indicator(titles.demographics)
        creators = titles.indicator(titles.creators)[1].astype(np.float32)
        self._same_creator = creators @ creators.T > 0
        self._circles = np.random.default_rng([SEED, 0]).integers(choice["circles"], size=len(titles))

    def live(self, number: int) -> tuple[Shopper, list[Interaction]]:
        """One shopper's life as a reader; it depends on nobody else's."""
        random, rule, choice = np.random.default_rng([SEED, number]), rules()["shoppers"], rules()["choice"]
        name = f"shopper-{number:05d}"
        odds = self._readers.copy()
        liked = _favourites(random, self._genres, rule["favourite_genres"])
        odds += choice["genre"] * self._genres[1][:, liked].sum(axis=1)
        themes = _favourites(random, self._themes, rule["favourite_themes"])
        odds += choice["theme"] * self._themes[1][:, themes].sum(axis=1)
        aimed_at = _favourites(random, self._demographics, rule["favourite_demographics"])
        odds += choice["demographic"] * self._demographics[1][:, aimed_at].sum(axis=1)
        circles = random.choice(choice["circles"], choice["circles_per_shopper"], replace=False)
        odds += choice["circle"] * np.isin(self._circles, circles)

        wanted = min(1 + random.poisson(rule["mean_series"]), rule["most_series"], len(self._titles))
        start = int(EPOCH.timestamp()) - DAY_SECONDS * int(random.integers(30, rule["active_days"]))
        begun = np.sort(random.integers(start, int(EPOCH.timestamp()) - DAY_SECONDS, wanted))
        events: list[Interaction] = []
        met = np.zeros(len(self._titles), np.bool_)
        for at in begun.tolist():
            row = _draw(random, odds + choice["creator"] * met)
            odds[row] = -np.inf
            met |= self._same_creator[row]
            events += self._read(random, name, row, at)
            for _ in range(random.poisson(rules()["views"]["abandoned"])):
                seen = _draw(random, odds)
                events.append(
                    Interaction(name, at + int(random.integers(3600)), self._titles.volumes[seen][0], "view")
                )
        return Shopper(name, tuple(self._genres[0][place] for place in liked.tolist())), events

    def _read(self, random: np.random.Generator, name: str, row: int, at: int) -> Iterator[Interaction]:
        """Volumes of one series in order, as far as the shopper comes before the world's now."""
        volumes, rule = self._titles.volumes[row], rules()["volumes"]
        if random.random() < rules()["views"]["before_purchase"]:
            yield Interaction(name, at - 60, volumes[0], "view")
        for asin in volumes[: random.geometric(1 / rule["mean_bought"])]:
            yield Interaction(name, at, asin, "purchase")
            at += 1 + int(random.exponential(rule["days_between"]) * DAY_SECONDS)
            if at >= EPOCH.timestamp():
                return


def _favourites(
    random: np.random.Generator,
    column: tuple[tuple[str, ...], NDArray[np.float64]],
    bounds: Sequence[int],
) -> NDArray[np.int64]:
    """Places of a few values, those of many series more often."""
    values, table = column
    share = np.sqrt(table.sum(axis=0))
    wanted = min(int(random.integers(bounds[0], bounds[1] + 1)), len(values))
    if not wanted:
        return np.zeros(0, np.int64)
    return random.choice(len(values), wanted, replace=False, p=share / share.sum())


def _draw(random: np.random.Generator, odds: NDArray[np.float64]) -> int:
    """A row, by its logarithmic odds."""
    share = np.exp(odds - odds.max())
    return int(random.choice(len(odds), p=share / share.sum()))
