"""The trained recommender at work: who bought what, which series are near which, and what most shoppers like. NumPy only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FILE = "recommender.npz"
RECENT_HALF_LIFE = 12.0
"""Series: what was bought twelve series ago counts half."""
POPULAR_POWER = 0.4
"""Of popularity in the score of a shopper with a history; chosen on worlds of another seed."""
UNSPOKEN_FOR = 0.03
"""Of the best score, what a series has that nothing speaks for."""
GENRE_ODDS = 1.0
"""A series is e ^ this likelier with each genre that is asked for."""
CONTINUED = 3
"""Series in progress whose next volume is recommended."""

Scored = list[tuple[str, float]]
"""ASINs with scores, best first; the scores of everything that could be recommended sum to 1."""


@dataclass(frozen=True)
class Model:
    """``asins`` hold the volumes of series after series; series *s* has those from ``starts[s]`` to ``starts[s + 1]``."""

    asins: NDArray[np.str_]
    starts: NDArray[np.int32]
    genre_names: NDArray[np.str_]
    genres: NDArray[np.bool_]
    """Series by genres."""
    popularity: NDArray[np.float32]
    """0 to 1, by series."""
    neighbours: NDArray[np.int16]
    """Series by rank, nearest first."""
    strengths: NDArray[np.uint8]
    """As ``neighbours``; 255 is the nearest there is."""
    shoppers: NDArray[np.str_]
    history_starts: NDArray[np.int32]
    history: NDArray[np.int32]
    """Places in ``asins`` of what each shopper bought, oldest first."""

    @classmethod
    def load(cls, folder: Path) -> Model:
        """Read what training wrote."""
        with np.load(folder / FILE) as arrays:
            return cls(**{name: arrays[name] for name in arrays.files})

    def save(self, folder: Path) -> Path:
        """Write one file; the same model gives the same bytes."""
        path = folder / FILE
        np.savez_compressed(path, **vars_of(self))
        return path

    def __post_init__(self) -> None:
        places = {asin: place for place, asin in enumerate(self.asins.tolist())}
        people = {name: place for place, name in enumerate(self.shoppers.tolist())}
        object.__setattr__(self, "_places", places)
        object.__setattr__(self, "_people", people)

    @property
    def _place_of(self) -> Mapping[str, int]:
        return self.__dict__["_places"]

    @property
    def _person(self) -> Mapping[str, int]:
        return self.__dict__["_people"]

    # --- questions ------------------------------------------------------------------------------------

    def series_of(self, asin: str) -> int | None:
        """The series of an ASIN."""
        place = self._place_of.get(asin)
        return None if place is None else int(np.searchsorted(self.starts, place, side="right")) - 1

    def knows(self, shopper: str) -> bool:
        """Whether the shopper bought anything."""
        return bool(len(self.bought(shopper)))

    def bought(self, shopper: str) -> NDArray[np.int32]:
        """Places in ``asins``, oldest first; nothing of a stranger."""
        person = self._person.get(shopper)
        if person is None:
            return self.history[:0]
        return self.history[self.history_starts[person] : self.history_starts[person + 1]]

    def for_shopper(
        self,
        shopper: str,
        limit: int,
        *,
        wanted: Iterable[str] = (),
        only: Iterable[str] = (),
        continued: int = CONTINUED,
    ) -> Scored:
        """First volumes of series that are new to the shopper, and the next volumes of a few they are reading.

        Args:
            shopper: whose history counts; a stranger gets what is popular.
            limit: how many at most.
            wanted: genres that are asked for: they raise scores.
            only: genres one of which an item must have.
            continued: series in progress whose next volume may be among them.
        """
        score, following = self._scores(self.bought(shopper), list(wanted), continued)
        return self._listed(score, following, list(only), limit)

    def similar(self, asin: str, limit: int, *, only: Iterable[str] = ()) -> Scored:
        """The next volume, then first volumes of series like it; what is popular for an unknown ASIN, as Personalize does."""
        series, score = self.series_of(asin), self.popularity.astype(np.float64)
        following: dict[int, int] = {}
        if series is not None:
            score = self._near({series: 1.0}) * score**POPULAR_POWER
            score[series] = 0.0
            place = self._place_of[asin] + 1
            if place < self.starts[series + 1]:
                following[series] = place
                score[series] = 1.1 * float(score.max())
        return self._listed(score, following, list(only), limit)

    def ranked(self, shopper: str, asins: Sequence[str]) -> Scored:
        """``asins`` for the shopper; unknown ones last, as they came, with a score of 0."""
        score, _ = self._scores(self.bought(shopper), [], CONTINUED)
        found = {asin: self.series_of(asin) for asin in dict.fromkeys(asins)}
        raw = {asin: 0.0 if series is None else float(score[series]) for asin, series in found.items()}
        total = sum(raw.values()) or 1.0
        # sorted() keeps equals in the order they came.
        return [(asin, raw[asin] / total) for asin in sorted(raw, key=lambda asin: -raw[asin])]

    def is_of(self, asin: str, genres: Sequence[str]) -> bool:
        """Whether an item has one of the genres."""
        series = self.series_of(asin)
        return series is not None and bool(self.genres[series, np.isin(self.genre_names, genres)].any())

    # --- scores ---------------------------------------------------------------------------------------

    def _scores(
        self, bought: NDArray[np.int32], wanted: Sequence[str], continued: int
    ) -> tuple[NDArray[np.float64], dict[int, int]]:
        """By series; and by series in progress the place of the volume to read next."""
        score = self.popularity.astype(np.float64)
        # The furthest volume of each series, latest series first.
        furthest: dict[int, int] = {}
        for place in bought.tolist()[::-1]:
            series = int(np.searchsorted(self.starts, place, side="right")) - 1
            furthest[series] = max(furthest.get(series, place), place)
        if furthest:
            weights = {series: 0.5 ** (rank / RECENT_HALF_LIFE) for rank, series in enumerate(furthest)}
            score = (self._near(weights) + UNSPOKEN_FOR) * score**POPULAR_POWER
        score *= np.exp(GENRE_ODDS * self.genres[:, np.isin(self.genre_names, list(wanted))].sum(axis=1))
        score[list(furthest)] = 0.0
        best = float(score.max())
        reading = [series for series, place in furthest.items() if place + 1 < self.starts[series + 1]]
        for rank, series in enumerate(reading[:continued]):
            score[series] = best / (1 + rank / 4)
        return score, {series: furthest[series] + 1 for series in reading[:continued]}

    def _near(self, weights: Mapping[int, float]) -> NDArray[np.float64]:
        """What these series speak for, 0 to 1."""
        near = np.zeros(len(self.popularity))
        for series, weight in weights.items():
            near[self.neighbours[series]] += weight * self.strengths[series]
        return near / max(float(near.max()), 1e-9)

    def _listed(
        self, score: NDArray[np.float64], following: Mapping[int, int], only: Sequence[str], limit: int
    ) -> Scored:
        allowed = score > 0
        if only:
            allowed &= self.genres[:, np.isin(self.genre_names, only)].any(axis=1)
        # Rounded before sorting: the last bits of a sum must not decide, they differ between processors.
        order = np.argsort(-np.round(score, 9), kind="stable")
        order = order[allowed[order]]
        total = float(score[order].sum()) or 1.0
        return [
            (str(self.asins[following.get(series, int(self.starts[series]))]), float(score[series]) / total)
            for series in order[:limit].tolist()
        ]


def vars_of(model: Model) -> dict[str, Any]:
    """The arrays by name."""
    return {name: getattr(model, name) for name in Model.__dataclass_fields__}
