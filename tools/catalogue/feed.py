"""The feed: every series of the source as the record that the ingest function reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mangaassist.catalogue.records import SeriesRecord
from tools.catalogue import offers, prose
from tools.catalogue.genres import GenreBook
from tools.catalogue.source import Credit, Row, published_names, rows

MATURE_THEMES = frozenset({"Gore"})
"""Works with one of these are marked ``mature``; the source's suggestive works (``fanservice``) are not in the feed."""


def series() -> Iterator[SeriesRecord]:
    """Every series of the committed source, most popular first; the same on every machine and every day."""
    works = list(rows())
    book, mint = GenreBook(works), offers.AsinMint()
    for row in works:
        yield _record(row, book, mint)


def write_parts(directory: Path, parts: int) -> list[Path]:
    """The feed as ``parts`` JSONL files of about equal size, ready to upload.

    Series are dealt out like cards, so that popular, many-volume ones do not all fall into the first part.
    """
    if parts < 1:
        raise ValueError("a feed has at least one part")
    lines = [record.model_dump_json(exclude_none=False) + "\n" for record in series()]
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / f"series-{part + 1:03d}-of-{parts:03d}.jsonl" for part in range(parts)]
    for part, path in enumerate(paths):
        path.write_text("".join(lines[part::parts]), "utf-8", newline="\n")
    return paths


def _record(row: Row, book: GenreBook, mint: offers.AsinMint) -> SeriesRecord:
    genres, genres_source = book.genres(row)
    count = offers.volume_count(row)
    facts = prose.Facts(
        series_id=row.id,
        title=row.title,
        title_ja=row.title_ja or row.title,
        creators=tuple(_printed(credit.name) for credit in row.credits),
        creators_ja=tuple(credit.name_ja or _printed(credit.name) for credit in row.credits),
        type=row.type,
        status=row.status,
        year=row.start_year,
        genres=genres,
        themes=row.themes,
        demographics=row.demographics,
        volume_count=count.count if count.source == "stated" else None,
        magazine=row.magazine,
        magazine_ja=row.magazine_ja,
        publisher=row.publisher,
        publisher_ja=row.publisher_ja,
    )
    return SeriesRecord.model_validate(
        {
            "series_id": row.id,
            "type": row.type,
            "titles": {"en": row.title, "romaji": row.title_romaji or row.title, "ja": row.title_ja},
            "creators": _creators(row.credits),
            "year": row.start_year,
            "status": row.status,
            "volume_count": count.count,
            "volume_count_source": count.source,
            "genres": list(genres),
            "genres_source": genres_source,
            "themes": list(row.themes),
            "demographics": list(row.demographics),
            "publisher": row.publisher,
            "publisher_ja": row.publisher_ja,
            "magazine": row.magazine,
            "magazine_ja": row.magazine_ja,
            "mature": not MATURE_THEMES.isdisjoint(row.themes),
            "description": {"en": prose.describe(facts, "en"), "ja": prose.describe(facts, "ja")},
            "rating": offers.rating(row),
            "volumes": offers.volumes(row, count.count, mint),
        }
    )


def _creators(credits: Sequence[Credit]) -> list[dict[str, str | None]]:
    return [
        {
            "name": _printed(credit.name),
            "name_ja": credit.name_ja,
            "role": credit.role,
            "also_written": credit.name if _printed(credit.name) != credit.name else None,
        }
        for credit in credits
    ]


def _printed(name: str) -> str:
    return published_names().get(name, name)
