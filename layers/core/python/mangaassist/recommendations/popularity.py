"""What most shoppers read, for when no recommender answers.

The list is a file of this package: it is needed exactly when services fail, so it must not be asked of one. It holds the
catalogue's most read series and those of each genre; ``python -m tools.recommender popularity`` writes it from the feed.
A title that the catalogue does not know (any more) is dropped like any other.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data" / "popularity.json"


@dataclass(frozen=True, slots=True)
class PopularTitle:
    """A series by its first volume, with as much as it takes to choose while the catalogue is silent."""

    asin: str
    series_id: str
    genres: tuple[str, ...]
    mature: bool


@dataclass(frozen=True, slots=True)
class Popularity:
    """Titles, most read first."""

    titles: tuple[PopularTitle, ...]

    @classmethod
    def of(cls, titles: Sequence[PopularTitle]) -> Popularity:
        """A list of one's own."""
        return cls(tuple(titles))

    def most_read(self, genres: Collection[str] = ()) -> tuple[PopularTitle, ...]:
        """All of them, or those of at least one of the genres."""
        wanted = frozenset(genres)
        return tuple(title for title in self.titles if not wanted or not wanted.isdisjoint(title.genres))

    def get(self, asin: str) -> PopularTitle | None:
        """What the list says about an ASIN."""
        return next((title for title in self.titles if title.asin == asin), None)


@cache
def shipped() -> Popularity:
    """The list that the layer carries."""
    document = json.loads(DATA.read_text("utf-8"))
    return Popularity(
        tuple(
            PopularTitle(
                str(each["asin"]), str(each["series_id"]), tuple(each["genres"]), bool(each["mature"])
            )
            for each in document["titles"]
        )
    )
