"""From interactions to a model: which series speak for which.

EASE (Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019): ridge regression of every series on all
others, in closed form. What series have in common (genres, themes, demographic, creators; rare ones weigh more) stands
beside the shoppers as if it were bought together, which carries series that few have bought; and once more in the sum,
which carries new titles, that nobody has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from tools.recommender.model import Model
from tools.recommender.titles import Titles
from tools.recommender.world import Interaction

NEIGHBOURS = 200
VIEW_WEIGHT = 0.3
"""Of a look, against a purchase."""
RIDGE = 400.0
"""Shoppers. This and the next two were chosen on worlds of another seed."""
CONTENT_IN_REGRESSION = 20.0
"""Shoppers that a perfect likeness of two series stands for."""
CONTENT_BESIDE = 0.5
"""Of likeness, against what the regression found."""
COLUMN_WEIGHTS = {"genres": 1.0, "themes": 1.0, "demographics": 0.7, "creators": 1.5}


def train(titles: Titles, interactions: Iterable[Interaction]) -> Model:
    """The model of a catalogue and its log; the same for the same input, whatever its order."""
    places = titles.places()
    log = sorted(interactions)
    weights, buyers, history = _tables(log, places, len(titles))
    similarity = item_to_item(titles, weights)
    neighbours, strengths = _nearest(similarity)
    starts = np.cumsum([0, *map(len, titles.volumes)]).astype(np.int32)
    people = sorted(history)
    bought = [
        [int(starts[row]) + position for row, position in (places[asin] for asin in history[name])]
        for name in people
    ]
    genre_names, genres = titles.indicator(titles.genres)
    return Model(
        asins=np.array([asin for volumes in titles.volumes for asin in volumes], np.str_),
        starts=starts,
        genre_names=np.array(genre_names, np.str_),
        genres=genres > 0,
        popularity=_popularity(buyers),
        neighbours=neighbours,
        strengths=strengths,
        shoppers=np.array(people, "U1" if not people else np.str_),
        history_starts=np.cumsum([0, *map(len, bought)]).astype(np.int32),
        history=np.array([place for line in bought for place in line], np.int32),
    )


def _tables(
    log: list[Interaction], places: Mapping[str, tuple[int, int]], size: int
) -> tuple[dict[tuple[str, int], float], NDArray[np.int64], dict[str, list[str]]]:
    """Weight by shopper and series, buyers by series, and purchases by shopper, oldest first."""
    weights: dict[tuple[str, int], float] = {}
    history: defaultdict[str, list[str]] = defaultdict(list)
    for each in log:
        row, _ = places[each.asin]
        weight = 1.0 if each.event == "purchase" else VIEW_WEIGHT
        weights[each.shopper, row] = max(weights.get((each.shopper, row), 0.0), weight)
        if each.event == "purchase" and each.asin not in history[each.shopper]:
            history[each.shopper].append(each.asin)
    buyers = np.zeros(size, np.int64)
    np.add.at(buyers, [row for (_, row), weight in weights.items() if weight == 1.0], 1)
    return weights, buyers, dict(history)


def item_to_item(titles: Titles, weights: Mapping[tuple[str, int], float]) -> NDArray[np.float64]:
    """How much having one series (row) speaks for another (column), 0 and more; for itself nothing."""
    content = content_similarity(titles)
    gram = _bought_together(len(titles), weights) + CONTENT_IN_REGRESSION * content
    inverse = np.linalg.inv(gram + RIDGE * np.eye(len(titles)))
    regression = np.maximum(inverse / -np.diagonal(inverse), 0.0)
    similarity = _levelled(regression) + CONTENT_BESIDE * _levelled(content)
    np.fill_diagonal(similarity, 0.0)
    return similarity


def content_similarity(titles: Titles) -> NDArray[np.float64]:
    """Cosine of what the catalogue says about two series."""
    parts = []
    for name, weight in COLUMN_WEIGHTS.items():
        _, table = titles.indicator(getattr(titles, name))
        rarity = np.log1p(len(titles) / (1 + table.sum(axis=0)))
        parts.append(weight * table * rarity)
    return _cosine(np.hstack(parts))


def _bought_together(size: int, weights: Mapping[tuple[str, int], float]) -> NDArray[np.float64]:
    from scipy import sparse

    keys = sorted(weights)
    row_of = {name: place for place, name in enumerate(sorted({name for name, _ in keys}))}
    table = sparse.csr_matrix(
        (
            [weights[key] for key in keys],
            ([row_of[name] for name, _ in keys], [series for _, series in keys]),
        ),
        (len(row_of), size),
        dtype=np.float64,
    )
    return np.asarray((table.T @ table).todense())


def _cosine(table: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.linalg.norm(table, axis=1, keepdims=True)
    unit = table / np.maximum(length, 1e-12)
    return unit @ unit.T


def _levelled(similarity: NDArray[np.float64]) -> NDArray[np.float64]:
    """On one scale: the typical best neighbour of a series is at 1."""
    inner = similarity.copy()
    np.fill_diagonal(inner, 0.0)
    best = inner.max(axis=1)
    typical = float(np.median(best[best > 0])) if (best > 0).any() else 1.0
    return np.minimum(inner / typical, 1.5)


def _nearest(similarity: NDArray[np.float64]) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    count = min(NEIGHBOURS, len(similarity))
    steps = np.round(similarity / max(float(similarity.max()), 1e-9) * 255).astype(np.uint8)
    # Whole steps: what differs only in the last bits of a product is a tie, and ties go by series id.
    order = np.argsort(-steps.astype(np.int16), axis=1, kind="stable")[:, :count]
    return order.astype(np.int16), np.take_along_axis(steps, order, axis=1)


def _popularity(buyers: NDArray[np.int64]) -> NDArray[np.float32]:
    """Shoppers who bought it, 0 to 1; a title nobody bought is taken for a middling one, or it never would be."""
    bought = buyers.astype(np.float64)
    middling = float(np.median(bought[bought > 0])) if (bought > 0).any() else 1.0
    bought[bought == 0] = middling
    return np.round(bought / bought.max(), 6).astype(np.float32)
