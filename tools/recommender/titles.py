"""The catalogue as columns: one row a series, in the order of series ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mangaassist.catalogue.records import SeriesRecord


@dataclass(frozen=True, slots=True)
class Titles:
    """Series that have something to sell. ``readers`` is the community's rating count, the only popularity we know."""

    series_ids: tuple[str, ...]
    volumes: tuple[tuple[str, ...], ...]
    """ASINs by volume number."""
    readers: NDArray[np.float64]
    genres: tuple[frozenset[str], ...]
    themes: tuple[frozenset[str], ...]
    demographics: tuple[frozenset[str], ...]
    creators: tuple[frozenset[str], ...]
    mature: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.series_ids)

    @classmethod
    def of(cls, records: Sequence[SeriesRecord]) -> Titles:
        """The columns of ``records``, whatever their order."""
        kept = sorted((record for record in records if record.volumes), key=lambda record: record.series_id)
        return cls(
            series_ids=tuple(record.series_id for record in kept),
            volumes=tuple(
                tuple(each.asin for each in sorted(record.volumes, key=lambda each: each.volume))
                for record in kept
            ),
            readers=np.array([record.rating.count for record in kept], np.float64),
            genres=tuple(frozenset(record.genres) for record in kept),
            themes=tuple(frozenset(record.themes) for record in kept),
            demographics=tuple(frozenset(record.demographics) for record in kept),
            creators=tuple(frozenset(each.name for each in record.creators) for record in kept),
            mature=np.array([record.mature for record in kept], np.bool_),
        )

    def indicator(self, column: Sequence[frozenset[str]]) -> tuple[tuple[str, ...], NDArray[np.float64]]:
        """The values of a column, sorted, and which row has which: rows by values, 0 or 1."""
        values = tuple(sorted(frozenset[str]().union(*column)))
        place = {value: number for number, value in enumerate(values)}
        table = np.zeros((len(column), len(values)))
        for row, found in enumerate(column):
            table[row, [place[value] for value in found]] = 1.0
        return values, table

    def places(self) -> dict[str, tuple[int, int]]:
        """Row and volume position of every ASIN."""
        return {
            asin: (row, position)
            for row, asins in enumerate(self.volumes)
            for position, asin in enumerate(asins)
        }


def describe(titles: Titles) -> dict[str, Any]:
    """Sizes, for a report."""
    return {"series": len(titles), "items": sum(map(len, titles.volumes))}
