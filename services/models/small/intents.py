"""The intent classifier: multinomial logistic regression over lexical features (the nine labels of INT-1)."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from services.models.small.features import features, names

BUCKETS = 1 << 15
"""Features share this many weights per label; collisions are rare and learned around."""

NAMED = crc32(b"names something of the catalogue")
NAMED_COUNT = 50.0
"""By measurement: it has to be heard among some fifty features of a question."""


class IntentModel:
    """The trained classifier in ``folder``."""

    def __init__(self, folder: Path) -> None:
        trained = np.load(folder / "intents.npz")
        self.labels: list[str] = [str(label) for label in trained["labels"]]
        self._idf: NDArray[np.float32] = trained["idf"]
        self._weights: NDArray[np.float32] = trained["weights"]
        self._bias: NDArray[np.float32] = trained["bias"]
        self._titles = frozenset(trained["titles"].tolist())

    def scores(self, text: str) -> list[tuple[str, float]]:
        """Every label with its probability, likeliest first."""
        buckets, values = bucketed(text, self._titles)
        values = values * self._idf[buckets]
        length = np.linalg.norm(values)
        logits = self._bias + (values / length if length > 0 else values) @ self._weights[buckets]
        odds = np.exp(logits - logits.max())
        shares = odds / odds.sum()
        return [(self.labels[place], float(shares[place])) for place in np.argsort(-shares)]


def bucketed(text: str, titles: Set[int]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The buckets of a text's features and their damped counts; naming one of ``titles`` is a feature of its own."""
    found = features(text)
    if not titles.isdisjoint(names(text)):
        found[NAMED] = NAMED_COUNT
    keys = np.fromiter(found.keys(), np.int64, len(found))
    counts = np.fromiter(found.values(), np.float32, len(found))
    return keys % BUCKETS, np.log1p(counts)
