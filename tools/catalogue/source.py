"""The committed copy of the source table: how it was trimmed, and how it is read."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SERIES_CSV = HERE / "source" / "series.csv"

KEPT_TYPES = ("manga", "one_shot", "manhwa", "manhua")
"""Comics only: novels and light novels of the source stay out."""
POPULAR_ROWS = 1_600
"""So many of the most popular comics, before the rows kept for another reason (``_worth_keeping``)."""
KEPT_CREATORS = ("Junji Itou",)
KEPT_COLUMNS: tuple[str, ...] = (
    "id", "title", "title_romaji", "title_ja", "type", "type_source", "authors", "author_roles", "authors_ja",
    "start_year", "end_year", "volumes", "chapters", "status", "genres", "themes", "demographic", "magazine",
    "magazine_ja", "publisher", "publisher_ja", "score", "votes", "madb_id", "ja_link",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Credit:
    """One creator of a series as the source spells the name."""

    name: str
    name_ja: str | None
    role: str


@dataclass(frozen=True, slots=True)
class Row:
    """One work of the source; ``None`` and empty tuples are what the source does not know."""

    id: str
    title: str
    title_romaji: str
    title_ja: str | None
    type: str
    credits: tuple[Credit, ...]
    start_year: int
    end_year: int | None
    volumes: int | None
    chapters: int | None
    status: str
    genres: tuple[str, ...]
    themes: tuple[str, ...]
    demographics: tuple[str, ...]
    magazine: str | None
    magazine_ja: str | None
    publisher: str | None
    publisher_ja: str | None
    score: float
    votes: int


def rows(path: Path = SERIES_CSV) -> Iterator[Row]:
    """The works of the committed source, most popular first."""
    with path.open(encoding="utf-8", newline="") as file:
        for cells in csv.DictReader(file):
            yield parse(cells)


def parse(cells: dict[str, str]) -> Row:
    """One row of the trimmed table."""
    names = split(cells["authors"])
    # Slots of unknown Japanese names are empty but keep their place, so this list is not filtered.
    names_ja = [name.strip() for name in cells["authors_ja"].split(";")] if cells["authors_ja"] else []
    names_ja += [""] * (len(names) - len(names_ja))
    return Row(
        id=cells["id"],
        title=cells["title"],
        title_romaji=cells["title_romaji"],
        title_ja=cells["title_ja"] or None,
        type=cells["type"],
        credits=tuple(
            Credit(name, name_ja or None, role)
            for name, name_ja, role in zip(names, names_ja, split(cells["author_roles"]), strict=False)
        ),
        start_year=int(cells["start_year"]),
        end_year=int(cells["end_year"]) if cells["end_year"] else None,
        volumes=int(cells["volumes"]) if cells["volumes"] else None,
        chapters=int(cells["chapters"]) if cells["chapters"] else None,
        status=cells["status"],
        genres=tuple(split(cells["genres"])),
        themes=tuple(split(cells["themes"])),
        demographics=tuple(split(cells["demographic"])),
        magazine=cells["magazine"] or None,
        magazine_ja=cells["magazine_ja"] or None,
        publisher=cells["publisher"] or None,
        publisher_ja=cells["publisher_ja"] or None,
        score=float(cells["score"]),
        votes=int(cells["votes"]),
    )


def trim(table: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """The rows and columns of the full table that are kept, in its order (most popular first)."""
    comics = [
        cells
        for cells in table
        if cells["type"] in KEPT_TYPES
        and cells["fanservice"] != "1"
        and cells["start_year"]
        and cells["score"]
    ]
    return [
        {
            **{column: cells[column] for column in KEPT_COLUMNS if column in cells},
            "end_year": cells["end_date"][:4],
        }
        for place, cells in enumerate(comics)
        if _worth_keeping(place, cells)
    ]


def write(kept: Iterable[dict[str, str]], path: Path = SERIES_CSV) -> None:
    """Replace the committed source."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, KEPT_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)


def split(cell: str) -> list[str]:
    """The values of a ``;``-separated cell."""
    return [value.strip() for value in cell.split(";") if value.strip()]


@cache
def published_names() -> dict[str, str]:
    """Creators whose English publishers print another spelling than the source: source name to printed name."""
    with (HERE / "data" / "creator_spellings.csv").open(encoding="utf-8", newline="") as file:
        return {cells["source_name"]: cells["printed_name"] for cells in csv.DictReader(file)}


def _worth_keeping(place: int, cells: dict[str, str]) -> bool:
    return (
        place < POPULAR_ROWS
        or bool(cells["title_ja"])
        or "Horror" in split(cells["genres"])
        or any(name in KEPT_CREATORS for name in split(cells["authors"]))
    )


def load_toml(name: str) -> dict[str, Any]:
    """One of the data files beside this package."""
    return tomllib.loads((HERE / "data" / name).read_text("utf-8"))
