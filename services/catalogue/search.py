"""Which series a title, a creator or a genre means, best match first: the whole name, its beginning, some of its words."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from typing import Final

from mangaassist.catalogue import terms
from services.catalogue.facts import Series
from services.catalogue.names import is_japanese, normalised, spellings, squeezed

GRAM: Final = 2
"""Letters of the pieces by which a Japanese word is looked up."""


class Match(IntEnum):
    """How well a name fits; smaller is better."""

    WHOLE = 0
    BEGINNING = 1
    WORDS = 2


class NameIndex:
    """Names of series; ``names_of`` says which a series has."""

    def __init__(self, names_of: Callable[[Series], Iterable[str]]) -> None:
        self._names_of = names_of
        self._names: dict[str, frozenset[str]] = {}
        self._sorted: list[tuple[str, str]] = []
        """Squeezed name and series, for whole names and beginnings."""
        self._pieces: defaultdict[str, set[str]] = defaultdict(set)
        """Words, and pieces of Japanese ones, with the series whose names have them."""

    def put(self, series: Series) -> None:
        """Add a series, or replace it."""
        self.remove(series.series_id)
        names = frozenset(filter(None, map(normalised, self._names_of(series))))
        self._names[series.series_id] = names
        for key in {squeezed(name) for name in names}:
            insort(self._sorted, (key, series.series_id))
        for piece in _pieces(names):
            self._pieces[piece].add(series.series_id)

    def remove(self, series_id: str) -> None:
        """Forget a series, if it is known."""
        names = self._names.pop(series_id, frozenset[str]())
        for key in {squeezed(name) for name in names}:
            del self._sorted[bisect_left(self._sorted, (key, series_id))]
        for piece in _pieces(names):
            self._pieces[piece].discard(series_id)
            if not self._pieces[piece]:
                del self._pieces[piece]

    def find(self, query: str) -> dict[str, Match]:
        """The series that fit, each with its best match."""
        found: dict[str, Match] = {}
        for spelling in spellings(query):
            for series_id, match in self._matches(spelling):
                found[series_id] = min(match, found.get(series_id, match))
        return found

    def _matches(self, spelling: str) -> Iterator[tuple[str, Match]]:
        key = squeezed(spelling)
        for place in range(bisect_left(self._sorted, (key, "")), len(self._sorted)):
            name, series_id = self._sorted[place]
            if not name.startswith(key):
                break
            yield series_id, Match.WHOLE if name == key else Match.BEGINNING
        words = spelling.split()
        wanted = [piece for word in words for piece in _word_pieces(word)]
        candidates = set[str].intersection(*(self._pieces.get(piece, set[str]()) for piece in wanted))
        for series_id in candidates:
            if any(_has_all(name, words) for name in self._names[series_id]):
                yield series_id, Match.WORDS


class GenreIndex:
    """Genres by every word the catalogue's vocabulary has for them."""

    def __init__(self) -> None:
        self._series: defaultdict[str, set[str]] = defaultdict(set)

    def put(self, series: Series) -> None:
        """Add a series, or replace it."""
        self.remove(series.series_id)
        for genre in series.message.genres:
            for name in (genre, terms.japanese("genres", genre)):
                self._series[squeezed(normalised(name))].add(series.series_id)

    def remove(self, series_id: str) -> None:
        """Forget a series, if it is known."""
        for series in self._series.values():
            series.discard(series_id)

    def find(self, query: str) -> dict[str, Match]:
        """The series of that genre; those of all genres a phrase names ("horror manga", ホラー漫画)."""
        named = self._series.get(squeezed(normalised(query)))
        if named is not None:
            return dict.fromkeys(named, Match.WHOLE)
        genres = terms.genres_in(query)
        sets = [self._series.get(squeezed(normalised(genre)), set[str]()) for genre in genres]
        return dict.fromkeys(set[str].intersection(*sets), Match.WHOLE) if sets else {}


def titles(series: Series) -> Iterator[str]:
    """A series' titles; what stands before a colon also counts as a title of its own."""
    about = series.message.titles
    for title in (about.en, about.romaji, about.ja):
        if title:
            yield title
            head, colon, _ = title.partition(": ")
            if colon:
                yield head


def creators(series: Series) -> Iterator[str]:
    """The names of a series' creators, Latin ones in both orders."""
    for creator in series.message.creators:
        for name in (creator.name, creator.also_written):
            if name:
                yield name
                yield " ".join(reversed(name.split()))
        if creator.name_ja:
            yield creator.name_ja


def _pieces(names: Iterable[str]) -> set[str]:
    return {piece for name in names for word in name.split() for piece in _indexed_pieces(word)}


def _indexed_pieces(word: str) -> Iterator[str]:
    """What a word is found by; a Japanese one also by each of its letters, for queries of one."""
    if not is_japanese(word):
        yield word
        return
    yield from word
    yield from (word[place : place + GRAM] for place in range(len(word) - GRAM + 1))


def _word_pieces(word: str) -> Iterator[str]:
    """What a series must have to be looked at for a word of a query."""
    if not is_japanese(word) or len(word) < GRAM:
        yield word
        return
    yield from (word[place : place + GRAM] for place in range(len(word) - GRAM + 1))


def _has_all(name: str, words: Iterable[str]) -> bool:
    own, run = set(name.split()), squeezed(name)
    return all(word in run if is_japanese(word) else word in own for word in words)
