"""How good it is on what training did not see: each shopper's last new series, new titles and new shoppers.

Everything is measured on synthetic interactions, so it says that the method finds what the world put there, and that it
beats popularity at it; it says nothing about real shoppers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log2
from typing import Any

import numpy as np

from tools.recommender.model import Model
from tools.recommender.titles import Titles
from tools.recommender.training import train
from tools.recommender.world import Interaction, World

AT = 10
LEAST_SERIES = 3
"""Shoppers with fewer have no past to learn from and a future to guess."""
NEW_TITLES_EVERY = 20
"""Every twentieth series is a new title: training sees nobody buy it."""

Recommend = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Split:
    """What training may see, and by shopper the series they began next."""

    past: tuple[Interaction, ...]
    target: dict[str, int]


def evaluate(titles: Titles, world: World) -> dict[str, Any]:
    """The report: shares are of shoppers, everything is at ten results."""
    split = split_last(titles, world)
    model = train(titles, split.past)
    favourites = {each.shopper: each.favourite_genres for each in world.shoppers}
    popular = _popular(model)
    asked = sorted(split.target)

    def known(name: str) -> list[str]:
        # The next volume of a series in progress is an easy guess, and never the new series that is asked about.
        return [asin for asin, _ in model.for_shopper(name, AT, continued=0)]

    def told(name: str) -> list[str]:
        return [asin for asin, _ in model.for_shopper("", AT, wanted=favourites[name])]

    def most_bought(name: str) -> list[str]:
        had = {model.series_of(str(model.asins[place])) for place in model.bought(name).tolist()}
        return [asin for asin in popular if model.series_of(asin) not in had][:AT]

    return {
        "synthetic": True,
        "shoppers": len(asked),
        "interactions": len(split.past),
        "known_shopper": _measured(model, asked, split.target, known),
        "popularity": _measured(model, asked, split.target, most_bought),
        "new_shopper": _measured(model, asked, split.target, told),
        "new_shopper_popularity": _measured(model, asked, split.target, lambda _: popular[:AT]),
        "new_title": _new_titles(titles, world),
    }


def split_last(titles: Titles, world: World) -> Split:
    """Cut each life before its last new series; nothing of that series stays, nor anything later."""
    places = titles.places()
    lives: defaultdict[str, list[Interaction]] = defaultdict(list)
    for each in world.interactions:
        lives[each.shopper].append(each)
    past: list[Interaction] = []
    target: dict[str, int] = {}
    for name, life in lives.items():
        first: dict[int, int] = {}
        for each in life:
            if each.event == "purchase":
                first.setdefault(places[each.asin][0], each.at)
        if len(first) < LEAST_SERIES:
            past += life
            continue
        last = max(first, key=lambda row: (first[row], row))
        target[name] = last
        past += [each for each in life if each.at < first[last] and places[each.asin][0] != last]
    return Split(tuple(past), target)


def _measured(
    model: Model, asked: Sequence[str], target: dict[str, int], recommend: Recommend
) -> dict[str, float]:
    hits, gains, crowded, kinds = [], [], [], []
    seen: set[int] = set()
    for name in asked:
        rows = [row for asin in recommend(name) if (row := model.series_of(asin)) is not None]
        place = rows.index(target[name]) if target[name] in rows else None
        hits.append(place is not None)
        gains.append(0.0 if place is None else 1 / log2(place + 2))
        crowded.append(max(map(rows.count, rows), default=0))
        kinds.append(int(model.genres[rows].any(axis=0).sum()))
        seen.update(rows)
    return {
        "hit_rate": _mean(hits),
        "ndcg": _mean(gains),
        "coverage": round(len(seen) / len(model.popularity), 4),
        "most_of_one_series": float(max(crowded, default=0)),
        "genres_in_ten": round(float(np.mean(kinds)), 2) if kinds else 0.0,
    }


def _new_titles(titles: Titles, world: World) -> dict[str, float]:
    """Among titles nobody has bought yet, is the one a shopper will buy among the first ten?"""
    places = titles.places()
    new = {row for row in range(len(titles)) if row % NEW_TITLES_EVERY == NEW_TITLES_EVERY - 1}
    model = train(titles, [each for each in world.interactions if places[each.asin][0] not in new])
    bought = {
        (each.shopper, places[each.asin][0])
        for each in world.interactions
        if each.event == "purchase" and places[each.asin][0] in new
    }
    firsts = [titles.volumes[row][0] for row in sorted(new)]
    by_readers = sorted(new, key=lambda row: (-titles.readers[row], row))[:AT]
    hits, popular = [], []
    for name, row in sorted(bought):
        if model.knows(name):
            found = [asin for asin, _ in model.ranked(name, firsts)[:AT]]
            hits.append(titles.volumes[row][0] in found)
            popular.append(row in by_readers)
    return {
        "titles": float(len(new)),
        "cases": float(len(hits)),
        "hit_rate": _mean(hits),
        "hit_rate_by_readers": _mean(popular),
        "hit_rate_by_chance": round(min(1.0, AT / max(len(new), 1)), 4),
    }


def _popular(model: Model) -> list[str]:
    order = np.argsort(-model.popularity, kind="stable")
    return [str(model.asins[model.starts[row]]) for row in order.tolist()]


def _mean(values: Sequence[bool] | Sequence[float]) -> float:
    return round(float(np.mean(values)), 4) if len(values) else 0.0
