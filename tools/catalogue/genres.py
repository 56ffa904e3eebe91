"""Genres for works whose source row has none: stated rules, the first that applies gives exactly one genre.

The crawl behind the source lost most fields that held a single value, so a work without a genre most likely had one.
That is why a rule never fills in more than one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from tools.catalogue.source import Row, load_toml

STATED = "stated"
NONE = "none"


@dataclass(frozen=True, slots=True)
class Rule:
    """If ``field`` of a row contains ``value``, the genre is ``genre``.

    ``holds`` is the share of works with stated genres for which that was true, of ``of`` works in the full source.
    """

    id: str
    field: str
    value: str
    genre: str
    holds: float
    of: int

    def applies(self, row: Row) -> bool:
        """Whether the row meets the rule's condition."""
        return self.value in _values(row, self.field)


@dataclass(frozen=True, slots=True)
class CreatorRule:
    """A creator with ``minimum_works`` stated works, ``share`` of them in one genre, works in that genre."""

    id: str
    minimum_works: int
    share: float
    holds: float
    of: int
    exceptions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules in force, in the order in which they are tried."""

    creator: CreatorRule
    ordered: tuple[Rule, ...]


@cache
def rules() -> Rules:
    """The rules of ``data/genre_rules.toml``."""
    data = load_toml("genre_rules.toml")
    return Rules(creator=CreatorRule(**data["creator"]), ordered=tuple(Rule(**rule) for rule in data["rule"]))


class GenreBook:
    """Answers what the genres of a row are, and where they come from."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._by_creator = _stated_by_creator(rows)

    def genres(self, row: Row) -> tuple[tuple[str, ...], str]:
        """The genres and their source: ``stated``, ``rule:<id>`` or ``none``."""
        if row.genres:
            return row.genres, STATED
        if (genre := self.creators_genre(row)) is not None:
            return (genre,), f"rule:{rules().creator.id}"
        for rule in rules().ordered:
            if rule.applies(row):
                return (rule.genre,), f"rule:{rule.id}"
        return (), NONE

    def creators_genre(self, row: Row) -> str | None:
        """The genre the row's creators always work in, from their other works; no answer where two differ."""
        rule = rules().creator
        if row.id in rule.exceptions:
            return None
        found = {self._usual(credit.name, row.id, rule) for credit in row.credits} - {None}
        return found.pop() if len(found) == 1 else None

    def _usual(self, creator: str, apart_from: str, rule: CreatorRule) -> str | None:
        works = [genres for work, genres in self._by_creator.get(creator, {}).items() if work != apart_from]
        if len(works) < rule.minimum_works:
            return None
        (genre, count), *rest = Counter(genre for genres in works for genre in genres).most_common(2)
        tied = bool(rest) and rest[0][1] == count
        return genre if not tied and count / len(works) >= rule.share else None


def measure(rows: Sequence[Row]) -> list[tuple[str, str, float, int]]:
    """How often each rule is right about works with stated genres: id, genre, share, number of works."""
    book, stated = GenreBook(rows), [row for row in rows if row.genres]
    guesses = [(row, book.creators_genre(row)) for row in stated]
    judged = [genre in row.genres for row, genre in guesses if genre is not None]
    lines = [(rules().creator.id, "any", _share(judged), len(judged))]
    for rule in rules().ordered:
        hits = [rule.genre in row.genres for row in stated if rule.applies(row)]
        lines.append((rule.id, rule.genre, _share(hits), len(hits)))
    return lines


def _share(hits: Sequence[bool]) -> float:
    return round(sum(hits) / len(hits), 2) if hits else 0.0


def _stated_by_creator(rows: Iterable[Row]) -> dict[str, dict[str, tuple[str, ...]]]:
    works: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for row in rows:
        if row.genres:
            for credit in row.credits:
                works[credit.name][row.id] = row.genres
    return works


def _values(row: Row, field: str) -> tuple[str, ...]:
    match field:
        case "theme":
            return row.themes
        case "magazine":
            return (row.magazine,) if row.magazine else ()
        case "demographic":
            return row.demographics
        case _:
            raise ValueError(f"a genre rule looks at theme, magazine or demographic, not at {field!r}")
