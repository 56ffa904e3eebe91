"""Series and volumes for the read model, and a table that is a dictionary."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from mangaassist.catalogue_api.v1 import catalogue_pb2 as pb
from services.catalogue.facts import Series, Volume
from services.catalogue.table import Entry, Tail
from services.catalogue.tokens import Position

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def series(
    number: int,
    en: str = "Uzumaki",
    *,
    romaji: str | None = None,
    ja: str | None = None,
    creators: Sequence[pb.Creator] = (),
    genres: Sequence[str] = ("Horror",),
    ratings: int = 10,
    average: float = 4.0,
    volumes: int = 2,
) -> Series:
    """A series; its volumes have ASINs that follow from its number."""
    asins = tuple(volume.asin for volume in volumes_of(number, volumes))
    message = pb.Series(
        series_id=f"MG{number:05d}",
        titles=pb.Titles(en=en, romaji=romaji or en, ja=ja),
        creators=creators,
        genres=genres,
        rating=pb.Rating(average=average, count=ratings),
    )
    return Series(message, asins)


def volumes_of(number: int, count: int = 2) -> list[Volume]:
    """The first volumes of a series."""
    return [
        Volume(f"B0{number:05d}{each:03d}", f"MG{number:05d}", each, f"Vol. {each}")
        for each in range(1, count + 1)
    ]


class FakeStore:
    """As the table looks to a follower; ``failures`` are raised first."""

    def __init__(self) -> None:
        self.log = "log-1"
        self.kept: dict[str, Series] = {}
        self.entries: list[Entry] = []
        self.last = 0
        self.scans = 0
        self.failures: list[Exception] = []

    def write(self, *some: Series) -> None:
        self.last += 1
        self.kept |= {each.series_id: each for each in some}
        self.entries.append(Entry(self.last, tuple(each.series_id for each in some), NOW))

    def everything(self) -> tuple[list[Series], list[Volume]]:
        self._fail()
        self.scans += 1
        return list(self.kept.values()), [each for one in self.kept.values() for each in self._volumes(one)]

    def with_volumes(self, series_ids: Sequence[str]) -> list[tuple[Series, list[Volume]]]:
        self._fail()
        return [(self.kept[each], self._volumes(self.kept[each])) for each in series_ids if each in self.kept]

    def tail(self, sequence: int) -> Tail:
        self._fail()
        if not self.last:
            return Tail(None, ())
        return Tail(
            Position(self.log, self.last), tuple(each for each in self.entries if each.sequence > sequence)
        )

    def _volumes(self, one: Series) -> list[Volume]:
        return volumes_of(int(one.series_id[2:]), len(one.listed or ()))

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)
