"""Embeddings: what a text is about (latent semantic analysis) beside which words it uses (a random projection).

The latent half was learned from documents that name everything in English and Japanese, so ホラー and "horror" point the
same way. The lexical half keeps names apart, also names that training never saw. Inference needs nothing but numpy.

Both halves lie in interleaved blocks, most telling first, so that a vector cut to 512 or 256 dimensions keeps both.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.models.small.features import features, names

DIMENSIONS = (1024, 512, 256)
LATENT = 512
LEXICAL = 512
LEXICAL_SHARE = 0.5
"""Of the squared length of a vector; by measurement (tools/twin/models/README.md)."""
UNKNOWN_WEIGHT = 1.5
"""Of a feature that training never saw; those it saw weigh up to 8."""
NAME_COUNT = 4.0
"""A whole title or name counts as much as if a word stood in the text so often."""
BLOCKS = ((0, 128), (128, 256), (256, 512))
"""Of each half, alternating: latent 0-127, lexical 0-127, latent 128-255 and so on."""

_QUARTER = LEXICAL // 4
_MULTIPLIERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Weighed:
    """The features of a text, their weights, and their places in the vocabulary (-1: unknown)."""

    keys: NDArray[np.uint32]
    weights: Floats
    places: NDArray[np.int64]


class Embedder:
    """The trained model in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._keys: NDArray[np.uint32] = np.load(folder / "keys.npy")
        self._weights: Floats = np.load(folder / "weights.npy")
        self._rows: NDArray[np.int32] = np.load(folder / "rows.npy")
        self._latent: NDArray[np.int8] = np.load(folder / "latent.npy")
        self._scale: Floats = np.load(folder / "scale.npy")

    def embed(self, text: str, *, dimensions: int = 1024, normalize: bool = True) -> Floats:
        """The vector of ``text``; unless normalized, its length is that of the weighted features."""
        weighed = self.weigh(text)
        vector = shorten(self.place(weighed), dimensions)
        return vector if normalize else vector * np.float32(np.linalg.norm(weighed.weights))

    def place(self, weighed: Weighed) -> Floats:
        """The vector of a weighed text."""
        weights, places = weighed.weights, weighed.places
        rows = self._rows[places]
        learned = (places >= 0) & (rows >= 0)
        latent = (weights[learned] @ self._latent[rows[learned]].astype(np.float32)) * self._scale
        # A question whose telling words training saw too seldom has little to say about meaning.
        known = float(np.linalg.norm(weights[learned]) / (np.linalg.norm(weights) or 1))
        return _unit(
            _interleave(
                _unit(latent) * np.float32(known * (1 - LEXICAL_SHARE) ** 0.5),
                _unit(project(weighed.keys, weights)) * np.float32(LEXICAL_SHARE**0.5),
            )
        )

    def weigh(self, text: str) -> Weighed:
        """The features of ``text`` and how much each says."""
        found = features(text)
        keys = np.fromiter(found.keys(), np.uint32, len(found))
        counts = np.fromiter(found.values(), np.float32, len(found))
        places = self._places(keys)
        possible = names(text)
        name_keys = np.fromiter(possible, np.uint32, len(possible))
        name_places = self._places(name_keys)
        is_name = name_places >= 0  # a run of words that names nothing in the catalogue is no name
        keys = np.concatenate([keys, name_keys[is_name]])
        counts = np.concatenate([counts, np.full(is_name.sum(), NAME_COUNT, np.float32)])
        places = np.concatenate([places, name_places[is_name]])
        weights = np.where(places >= 0, self._weights[places], np.float32(UNKNOWN_WEIGHT))
        return Weighed(keys, np.log1p(counts) * weights, places)

    def _places(self, keys: NDArray[np.uint32]) -> NDArray[np.int64]:
        places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[places] == keys, places, -1)


def shorten(vector: Floats, dimensions: int) -> Floats:
    """The first ``dimensions`` of a vector, of length one again."""
    return _unit(vector[:dimensions])


def quantize(latent: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Each column as steps of its own scale: an 8-bit table takes a quarter of the memory and finds as well."""
    scale = np.abs(latent).max(axis=0) / 127
    return np.rint(latent / scale).astype(np.int8), scale.astype(np.float32)


def project(keys: NDArray[np.uint32], values: Floats) -> Floats:
    """A sparse random projection: each feature adds to one place of each quarter, with a sign of its own."""
    projected = np.zeros(LEXICAL, np.float32)
    wide = keys.astype(np.uint64)
    for quarter, multiplier in enumerate(_MULTIPLIERS):
        mixed = (wide + np.uint64(1)) * np.uint64(multiplier)
        places = (mixed >> np.uint64(40)) % np.uint64(_QUARTER)
        signs = np.where((mixed >> np.uint64(39)) & np.uint64(1), np.float32(1), np.float32(-1))
        sums = np.bincount(places.astype(np.int64), values * signs, _QUARTER)
        projected[quarter * _QUARTER : (quarter + 1) * _QUARTER] = sums
    return projected


def _interleave(latent: Floats, lexical: Floats) -> Floats:
    return np.concatenate([half[start:end] for start, end in BLOCKS for half in (latent, lexical)])


def _unit(vector: Floats) -> Floats:
    length = np.float32(np.linalg.norm(vector))
    return vector / length if length > 0 else vector
