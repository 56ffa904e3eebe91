"""The reranker: how well a text answers a query, by logistic regression over six readings of the pair."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.twin.models.embedding import Embedder
from tools.twin.models.features import normalize

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
        readings = np.array(read_pairs(self._embedder, query, texts))
        scores = 1 / (1 + np.exp(-(readings @ self._weights + self._bias)))
        return [(int(place), float(scores[place])) for place in np.argsort(-scores, kind="stable")]


def read_pairs(embedder: Embedder, query: str, texts: Sequence[str]) -> list[list[float]]:
    """The readings of the query with each text."""
    vector = embedder.embed(query)
    keys, weights, _ = embedder.weigh(query)
    plain = normalize(query)
    return [_read(embedder, vector, keys, weights, plain, text) for text in texts]


def _read(
    embedder: Embedder,
    vector: NDArray[np.float32],
    keys: NDArray[np.uint32],
    weights: NDArray[np.float32],
    query: str,
    text: str,
) -> list[float]:
    head = "\n".join(text.splitlines()[:HEAD_LINES])
    text_keys, _, _ = embedder.weigh(text)
    head_keys, head_weights, _ = embedder.weigh(head)
    total = float(weights.sum()) or 1.0
    named = [
        len(part)
        for line in normalize(head).splitlines()
        for piece in line.split(" / ")
        if len(part := piece.strip()) > 1 and part in query
    ]
    return [
        float(weights[np.isin(keys, text_keys)].sum()) / total,
        float(weights[np.isin(keys, head_keys)].sum()) / total,
        float(vector @ embedder.embed(text)),
        _longest_run(query, normalize(head)) / max(1, len(query)),
        max(named, default=0) / max(1, len(query)),
        float(head_weights[np.isin(head_keys, keys)].sum()) / (float(head_weights.sum()) or 1.0),
    ]


def _longest_run(query: str, head: str) -> int:
    """Length of the longest piece of ``query`` that occurs in ``head``."""
    best = 0
    for start in range(len(query)):
        while start + best < len(query) and query[start : start + best + 1] in head:
            best += 1
    return best
