from __future__ import annotations

import csv

from tools.catalogue import source
from tools.catalogue.source import SERIES_CSV


def full_row(**changes: str) -> dict[str, str]:
    return {
        **dict.fromkeys((*source.KEPT_COLUMNS, "mal_id", "members", "title_kana"), ""),
        "type": "manga",
        "fanservice": "0",
        "start_year": "2001",
        "end_date": "2005-03-01",
        "score": "7.5",
        **changes,
    }


def test_only_known_comics_are_kept() -> None:
    rows = [
        full_row(id="kept"),
        full_row(id="novel", type="light_novel"),
        full_row(id="suggestive", fanservice="1"),
        full_row(id="undated", start_year=""),
        full_row(id="unscored", score=""),
    ]
    assert [row["id"] for row in source.trim(rows)] == ["kept"]


def test_unpopular_rows_are_kept_for_a_reason() -> None:
    popular = [full_row(id=str(place)) for place in range(source.POPULAR_ROWS)]
    others = [
        full_row(id="plain"),
        full_row(id="japanese title", title_ja="うずまき"),
        full_row(id="horror", genres="Drama; Horror"),
        full_row(id="favourite", authors="Ranpo Edogawa; Junji Itou"),
    ]
    kept = {row["id"] for row in source.trim([*popular, *others])}
    assert kept == {row["id"] for row in (*popular, *others)} - {"plain"}


def test_the_committed_copy_has_the_kept_columns_and_no_others() -> None:
    """Community counts, ranks, ids of other sites and readings stay behind: nothing here needs them."""
    with SERIES_CSV.open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file))
    assert tuple(header) == source.KEPT_COLUMNS
    assert not {"mal_id", "members", "favorites", "rank", "popularity_rank", "title_kana", "synopsis"} & set(
        header
    )


def test_the_source_says_where_its_facts_come_from() -> None:
    told = (SERIES_CSV.parent / "README.md").read_text("utf-8")
    for word in (
        "MIT",
        "Media Arts Database",
        "edited",
        "endorsed",
        "AnandaRauf/Wifu-Detection",
        "8Sulu/Manga-Website",
    ):
        assert word in told
    rows = list(source.rows())
    assert f"{len(rows):,} real series" in told
    assert f"{sum(row.title_ja is None for row in rows):,} works have no Japanese title" in told
    credits = [credit for row in rows for credit in row.credits]
    assert f"{sum(credit.name_ja is not None for credit in credits):,} of {len(credits):,} credits" in told


def test_a_japanese_name_known_once_is_known_everywhere() -> None:
    credits = [credit for row in source.rows() for credit in row.credits]
    names = {credit.name: credit.name_ja for credit in credits if credit.name_ja}
    assert all(credit.name_ja == names.get(credit.name) for credit in credits)
    assert names["Junji Itou"] == "伊藤潤二"


def test_slots_of_unknown_japanese_names_keep_their_place() -> None:
    row = source.parse(
        full_row(
            id="1",
            authors="A; B; C",
            author_roles="story; art; art",
            authors_ja="; 乙;",
            end_year="",
            status="finished",
            votes="1",
        )
    )
    assert [credit.name_ja for credit in row.credits] == [None, "乙", None]
