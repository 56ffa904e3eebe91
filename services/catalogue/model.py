"""The read model: every series and volume in memory, and who answers which search.

2,280 series with 26,523 volumes take some tens of megabytes; decision 8 says from when on this would be another's job.
Used from one thread, the event loop's.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from mangaassist.catalogue_api.v1 import catalogue_pb2 as pb
from services.catalogue.facts import Series, Volume, product
from services.catalogue.names import without_volume
from services.catalogue.search import GenreIndex, Match, NameIndex, creators, titles
from services.catalogue.tokens import Place

By = Literal["title", "creator", "genre", "series_id"]
REMEMBERED: Final = 512
"""Searches whose order is kept for their next page, or for the next to ask the same."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked: by what, for what, and whether every volume is wanted or the first of each series."""

    by: By
    term: str
    every_volume: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """One page, and the place it ends at where there is more."""

    products: tuple[pb.Product, ...]
    next_place: Place | None


@dataclass(frozen=True, slots=True)
class _Order:
    """The series that answer a query, best first, and the one volume that is wanted of them, if one was named."""

    places: list[tuple[int, int, int, str]]
    volume: int | None = None


class ReadModel:
    """The catalogue, as of the changes it was told of."""

    def __init__(self, series: Iterable[Series] = (), volumes: Iterable[Volume] = ()) -> None:
        self._series: dict[str, Series] = {}
        self._volumes: dict[str, tuple[Volume, ...]] = {}
        self._by_asin: dict[str, Volume] = {}
        self._titles = NameIndex(titles)
        self._creators = NameIndex(creators)
        self._genres = GenreIndex()
        self._orders: OrderedDict[Query, _Order] = OrderedDict()
        grouped: dict[str, list[Volume]] = {}
        for volume in volumes:
            grouped.setdefault(volume.series_id, []).append(volume)
        for each in series:
            self.put(each, grouped.get(each.series_id, ()))

    def __len__(self) -> int:
        return len(self._series)

    def put(self, series: Series, volumes: Iterable[Volume]) -> None:
        """Add a series with its volumes, or replace it; volumes that it lists no longer stay out."""
        listed = [
            volume for volume in volumes if series.listed is None or volume.asin in frozenset(series.listed)
        ]
        for volume in self._volumes.get(series.series_id, ()):
            # Another series may list it by now.
            if self._by_asin.get(volume.asin) is volume:
                del self._by_asin[volume.asin]
        self._series[series.series_id] = series
        self._volumes[series.series_id] = tuple(sorted(listed, key=lambda volume: volume.number))
        self._by_asin.update((volume.asin, volume) for volume in listed)
        for index in (self._titles, self._creators, self._genres):
            index.put(series)
        self._orders.clear()

    def series(self, series_id: str) -> Series | None:
        """A series, if there is one of that id."""
        return self._series.get(series_id)

    def asins(self, series_id: str) -> tuple[str, ...]:
        """The ASINs of a series, by volume."""
        return tuple(volume.asin for volume in self._volumes.get(series_id, ()))

    def product(self, asin: str) -> pb.Product | None:
        """A book, if it is listed."""
        volume = self._by_asin.get(asin)
        return None if volume is None else product(volume, self._series[volume.series_id])

    def find(self, query: Query, *, limit: int, after: Place | None = None) -> Found:
        """Up to ``limit`` products that follow the place ``after``."""
        order = self._order(query)
        found: list[pb.Product] = []
        last: Place | None = None
        for place, volume in self._placed(order, query, after):
            if len(found) == limit:
                return Found(tuple(found), last)
            found.append(product(volume, self._series[volume.series_id]))
            last = place
        return Found(tuple(found), None)

    def _placed(self, order: _Order, query: Query, after: Place | None) -> Iterator[tuple[Place, Volume]]:
        every = query.every_volume or query.by == "series_id"
        start = 0
        if after is not None:
            mark = (after.match, after.ratings, after.rating, after.series_id)
            # The series the last page ended in may have more volumes, so it is looked at again.
            start = max(bisect_right(order.places, mark) - 1, 0)
        for match, ratings, rating, series_id in order.places[start:]:
            volumes = self._volumes[series_id]
            if order.volume is not None:
                volumes = tuple(volume for volume in volumes if volume.number == order.volume)
            for volume in volumes if every else volumes[:1]:
                place = Place(match, ratings, rating, series_id, volume.number)
                if after is None or place > after:
                    yield place, volume

    def _order(self, query: Query) -> _Order:
        order = self._orders.get(query)
        if order is None:
            order = self._orders[query] = self._ordered(query)
            if len(self._orders) > REMEMBERED:
                self._orders.popitem(last=False)
        else:
            self._orders.move_to_end(query)
        return order

    def _ordered(self, query: Query) -> _Order:
        match query.by:
            case "title":
                return self._by_title(query.term)
            case "creator":
                return self._placed_series(self._creators.find(query.term))
            case "genre":
                return self._placed_series(self._genres.find(query.term))
            case "series_id":
                return self._placed_series({query.term: Match.WHOLE} if query.term in self._series else {})

    def _by_title(self, term: str) -> _Order:
        """Of "Monster vol. 3" the third volumes; unless a title says so itself, as 'Volume 1' might."""
        title, volume = without_volume(term)
        whole = self._titles.find(term)
        if volume is None or Match.WHOLE in whole.values():
            return self._placed_series(whole)
        return self._placed_series(self._titles.find(title), volume)

    def _placed_series(self, found: Mapping[str, Match], volume: int | None = None) -> _Order:
        places = (
            (int(match), *self._series[series_id].standing, series_id) for series_id, match in found.items()
        )
        return _Order(sorted(places), volume)
