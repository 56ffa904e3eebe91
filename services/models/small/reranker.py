"""The reranker: how well a text answers a query, by logistic regression over six readings of the pair."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.models.small.embedding import Embedder, Weighed
from services.models.small.features import normalize

READINGS = (
    "coverage: share of the query's weight whose features the text has",
    "head: the same for the first two lines of the text, which name title and creators",
    "cosine of the two embeddings",
    "run: longest piece of the query found in the head, as a share of the query",
    "named: longest line part of the head found whole in the query, as a share of the query",
    "density: share of the head's weight whose features the query has",
)
HEAD_LINES = 2


class Reranker:
    """The trained scorer in ``folder``, over the same embeddings as search."""

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        trained = json.loads((folder / "reranker.json").read_text("utf-8"))
        self._weights = np.array(trained["weights"])
        self._bias = float(trained["bias"])
        self._embedder = embedder

    def scores(self, query: str, texts: Sequence[str]) -> list[tuple[int, float]]:
        """The place of every text with its score in (0, 1), best first."""
        if not texts:
            return []
        asked = read(self._embedder, query)
        readings = np.array([compare(asked, read(self._embedder, text)) for text in texts])
        scores = 1 / (1 + np.exp(-(readings @ self._weights + self._bias)))
        return [(int(place), float(scores[place])) for place in np.argsort(-scores, kind="stable")]


@dataclass(frozen=True, slots=True)
class Reading:
    """What comparing needs to know of a query or a text; ``head`` is its first two lines, normalized."""

    whole: Weighed
    vector: NDArray[np.float32]
    head: str
    of_head: Weighed


def read(embedder: Embedder, text: str) -> Reading:
    """Take a text in."""
    head = "\n".join(text.splitlines()[:HEAD_LINES])
    whole = embedder.weigh(text)
    return Reading(whole, embedder.place(whole), normalize(head), embedder.weigh(head))


def compare(query: Reading, text: Reading) -> list[float]:
    """The readings of a pair, in the order of ``READINGS``."""
    length = max(1, len(query.head))
    named = [
        len(part)
        for line in text.head.splitlines()
        for piece in line.split(" / ")
        if len(part := piece.strip()) > 1 and part in query.head
    ]
    return [
        _covered(query.whole, text.whole),
        _covered(query.whole, text.of_head),
        float(query.vector @ text.vector),
        _longest_run(query.head, text.head) / length,
        max(named, default=0) / length,
        _covered(text.of_head, query.whole),
    ]


def _covered(wanted: Weighed, given: Weighed) -> float:
    """The share of the weight of ``wanted`` whose features ``given`` has."""
    total = float(wanted.weights.sum()) or 1.0
    return float(wanted.weights[np.isin(wanted.keys, given.keys)].sum()) / total


def _longest_run(query: str, head: str) -> int:
    """Length of the longest piece of ``query`` that occurs in ``head``."""
    best = 0
    for start in range(len(query)):
        while start + best < len(query) and query[start : start + best + 1] in head:
            best += 1
    return best
