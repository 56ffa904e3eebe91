"""The whole feed: every test reads the series that the product ships with."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest

from mangaassist.catalogue import terms
from mangaassist.catalogue.records import SeriesRecord, read_line
from tools.catalogue import feed, offers
from tools.catalogue.source import rows

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def series() -> list[SeriesRecord]:
    return list(feed.series())


def named(series: list[SeriesRecord], title: str) -> SeriesRecord:
    return next(one for one in series if one.titles.romaji == title)


def test_there_are_enough_real_series(series: list[SeriesRecord]) -> None:
    assert len(series) >= 2_000
    assert len({one.series_id for one in series}) == len(series)
    assert sum(one.titles.ja is not None for one in series) > 700


def test_asins_are_unique_well_formed_and_marked(series: list[SeriesRecord]) -> None:
    volumes = [volume for one in series for volume in one.volumes]
    assert len({volume.asin for volume in volumes}) == len(volumes)
    for volume in volumes:
        assert volume.asin.startswith("B0")
        assert len(volume.asin) == 10
        assert volume.asin.isascii()
        assert volume.asin.isalnum()
        assert volume.asin.upper() == volume.asin
        assert volume.synthetic


def test_a_taken_asin_is_not_given_twice() -> None:
    mint = offers.AsinMint()
    assert mint.mint("MG1", 1) != mint.mint("MG1", 1)


def test_offers_are_plausible_and_varied(series: list[SeriesRecord]) -> None:
    volumes = [volume for one in series for volume in one.volumes]
    assert all(Decimal("0.99") <= Decimal(volume.price) <= Decimal("30") for volume in volumes)
    reduced = [volume for volume in volumes if volume.list_price is not None]
    assert 0.05 < len(reduced) / len(volumes) < 0.35
    assert all(Decimal(volume.list_price or 0) > Decimal(volume.price) for volume in reduced)
    assert 0.02 < sum(volume.stock == 0 for volume in volumes) / len(volumes) < 0.25
    assert len({volume.price for volume in volumes}) > 10


def test_every_volume_is_for_sale(series: list[SeriesRecord]) -> None:
    for one in series:
        assert [volume.volume for volume in one.volumes] == list(range(1, one.volume_count + 1))


def test_invented_counts_say_so_and_stay_bounded(series: list[SeriesRecord]) -> None:
    stated = {row.id: row.volumes for row in rows()}
    for one in series:
        assert (one.volume_count_source == "stated") == (stated[one.series_id] is not None)
        if one.volume_count_source == "stated":
            assert one.volume_count == stated[one.series_id]
        else:
            assert 1 <= one.volume_count <= 40


def test_ratings_follow_the_communitys_score(series: list[SeriesRecord]) -> None:
    scores = {row.id: row.score for row in rows()}
    by_score = sorted(series, key=lambda one: scores[one.series_id])
    averages = [one.rating.average for one in by_score]
    assert averages == sorted(averages)
    assert all(3 <= average <= 5 for average in averages)


def test_genres_come_from_the_source_or_from_a_named_rule(series: list[SeriesRecord]) -> None:
    sources = Counter(one.genres_source.partition(":")[0] for one in series)
    assert sources["stated"] > sources["rule"] > 200
    stated = {row.id: list(row.genres) for row in rows()}
    for one in series:
        if one.genres_source == "stated":
            assert one.genres == stated[one.series_id]
        else:
            assert not stated[one.series_id]
            assert len(one.genres) == (one.genres_source != "none")


def test_every_term_can_be_said_in_japanese(series: list[SeriesRecord]) -> None:
    assert {genre for one in series for genre in one.genres} <= terms.known("genres")
    assert {theme for one in series for theme in one.themes} <= terms.known("themes")
    assert {each for one in series for each in one.demographics} <= terms.known("demographics")
    assert {one.status for one in series} <= terms.known("statuses")
    assert {one.type for one in series} <= terms.known("types")


def test_the_horror_shelf_has_junji_ito(series: list[SeriesRecord]) -> None:
    for title in ("Uzumaki", "Tomie", "Gyo: Ugomeku Bukimi"):
        one = named(series, title)
        assert "Horror" in one.genres
        assert (one.creators[0].name, one.creators[0].name_ja) == ("Junji Ito", "伊藤潤二")
        assert one.creators[0].also_written == "Junji Itou"
        assert "Junji Ito" in one.description.en
        assert "伊藤潤二" in one.description.ja
    assert not any(
        "Itou" in creator.name and "Junji" in creator.name for one in series for creator in one.creators
    )


def test_graphic_works_are_marked(series: list[SeriesRecord]) -> None:
    assert named(series, "Berserk").mature
    assert {one.mature for one in series if "Gore" in one.themes} == {True}


def test_parts_hold_every_series_once_in_lines_that_ingest_reads(
    tmp_path: Path, series: list[SeriesRecord]
) -> None:
    paths = feed.write_parts(tmp_path / "feed", 3)
    lines = [line for path in paths for line in path.read_bytes().splitlines()]
    assert sorted((read_line(line) for line in lines), key=lambda one: one.series_id) == sorted(
        series, key=lambda one: one.series_id
    )
    sizes = [path.stat().st_size for path in paths]
    assert max(sizes) < 1.2 * min(sizes)


def test_a_feed_without_parts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one part"):
        feed.write_parts(tmp_path, 0)


def test_the_command_writes_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    digests = set[str]()
    for seed in ("1", "2"):
        out = tmp_path / seed
        subprocess.run(
            [sys.executable, "-m", "tools.catalogue", "build", "--out", str(out), "--parts", "1"],
            check=True,
            cwd=ROOT,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": "layers/core/python"},
        )
        (path,) = out.iterdir()
        digests.add(sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1
