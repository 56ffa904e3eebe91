"""Training on a reduced world: the same bytes again, better than popularity, and something to say about what is new."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mangaassist.catalogue.records import SeriesRecord
from services.partners.world.feed import open_feed
from tools.catalogue import feed
from tools.recommender import evaluation, popularity, world
from tools.recommender.__main__ import main
from tools.recommender.model import FILE, Model
from tools.recommender.titles import Titles
from tools.recommender.training import train

SERIES = 300
SHOPPERS = 400


@pytest.fixture(scope="module")
def catalogue() -> list[SeriesRecord]:
    return list(feed.series())


@pytest.fixture(scope="module")
def records(catalogue: list[SeriesRecord]) -> list[SeriesRecord]:
    return catalogue[:SERIES]


@pytest.fixture(scope="module")
def titles(records: list[SeriesRecord]) -> Titles:
    return Titles.of(records)


@pytest.fixture(scope="module")
def log(records: list[SeriesRecord]) -> world.World:
    return world.build(records, shoppers=SHOPPERS)


@pytest.fixture(scope="module")
def model(titles: Titles, log: world.World) -> Model:
    return train(titles, log.interactions)


def test_the_world_is_the_same_whoever_builds_it(records: list[SeriesRecord], log: world.World) -> None:
    assert world.build(records[::-1], shoppers=SHOPPERS) == log


def test_a_shopper_does_not_depend_on_how_many_others_there_are(
    records: list[SeriesRecord], log: world.World
) -> None:
    fewer = world.build(records, shoppers=3)
    mine = [each for each in log.interactions if each.shopper == "shopper-00002"]
    assert mine
    assert [each for each in fewer.interactions if each.shopper == "shopper-00002"] == mine


def test_nothing_happens_after_the_worlds_now(log: world.World) -> None:
    assert max(each.at for each in log.interactions) < world.EPOCH.timestamp()


def test_volumes_are_bought_in_order(titles: Titles, log: world.World) -> None:
    places = titles.places()
    seen: dict[tuple[str, int], int] = {}
    for each in log.interactions:
        if each.event == "purchase" and each.shopper.startswith("shopper-"):
            series, position = places[each.asin]
            assert position == seen.get((each.shopper, series), -1) + 1
            seen[each.shopper, series] = position


def test_popular_series_are_bought_more(model: Model, titles: Titles) -> None:
    most_read = np.argsort(-titles.readers)
    half = len(most_read) // 2
    assert model.popularity[most_read[:half]].mean() > 1.3 * model.popularity[most_read[half:]].mean()


def test_the_same_world_gives_the_same_bytes(
    titles: Titles, log: world.World, model: Model, tmp_path: Path
) -> None:
    one = model.save(tmp_path).read_bytes()
    again = train(titles, reversed(log.interactions)).save(tmp_path).read_bytes()
    assert one == again
    loaded = Model.load(tmp_path)
    assert loaded.for_shopper("shopper-00001", 10) == model.for_shopper("shopper-00001", 10)


@pytest.mark.req("CAT-4")
def test_it_beats_popularity_on_what_training_did_not_see(titles: Titles, log: world.World) -> None:
    report = evaluation.evaluate(titles, log)
    assert report["synthetic"] is True
    for ours, theirs in (("known_shopper", "popularity"), ("new_shopper", "new_shopper_popularity")):
        assert report[ours]["hit_rate"] > report[theirs]["hit_rate"]
        assert report[ours]["ndcg"] > report[theirs]["ndcg"]
        assert report[ours]["coverage"] > report[theirs]["coverage"]
        assert report[ours]["most_of_one_series"] <= 3
    assert report["new_title"]["hit_rate"] > report["new_title"]["hit_rate_by_chance"]


def test_the_split_hides_the_future(titles: Titles, log: world.World) -> None:
    split, places = evaluation.split_last(titles, log), titles.places()
    assert split.target
    began = {
        (each.shopper, places[each.asin][0]): each.at
        for each in reversed(log.interactions)
        if each.event == "purchase"
    }
    for each in split.past:
        target = split.target.get(each.shopper)
        if target is not None:
            assert places[each.asin][0] != target
            assert each.at < began[each.shopper, target]


def test_a_series_nobody_bought_is_near_by_its_content(titles: Titles, log: world.World) -> None:
    places = titles.places()
    new = next(
        row
        for row in range(len(titles))
        if any(titles.creators[row] & titles.creators[other] for other in range(len(titles)) if other != row)
    )
    model = train(titles, [each for each in log.interactions if places[each.asin][0] != new])
    same_creator = next(
        row for row in range(len(titles)) if row != new and titles.creators[row] & titles.creators[new]
    )
    found = [asin for asin, _ in model.similar(titles.volumes[new][0], 20)]
    assert titles.volumes[same_creator][0] in found


def test_a_shopper_is_not_recommended_what_they_own(model: Model) -> None:
    for name in model.shoppers.tolist()[:50]:
        owned = {str(model.asins[place]) for place in model.bought(name)}
        assert owned.isdisjoint(asin for asin, _ in model.for_shopper(name, 500))


def test_a_world_without_interactions_still_recommends(titles: Titles) -> None:
    model = train(titles, [])
    assert len(model.for_shopper("anybody", 10)) == 10
    assert len(model.similar(titles.volumes[0][0], 10)) == 10
    assert not model.knows("anybody")


@pytest.mark.req("CAT-4")
def test_the_list_that_the_layer_ships_is_the_catalogues(catalogue: list[SeriesRecord]) -> None:
    expected = popularity.text(Titles.of(catalogue))
    stale = "run python -m tools.recommender popularity"
    assert popularity.SHIPPED.read_text("utf-8") == expected, stale


def test_the_commands_work_on_a_feed_of_ones_own(
    records: list[SeriesRecord],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(world.rules()["shoppers"], "count", 20)
    lines = "".join(record.model_dump_json() + "\n" for record in records[:60])
    (tmp_path / "feed").mkdir()
    (tmp_path / "feed" / "part.jsonl").write_text(lines, "utf-8")
    assert len(open_feed(tmp_path / "feed").records()) == 60
    assert main(["--feed", str(tmp_path / "feed"), "train", "--out", str(tmp_path / "model")]) == 0
    assert json.loads(capsys.readouterr().out)["series"] == 60
    assert (tmp_path / "model" / FILE).is_file()
    assert main(["--feed", str(tmp_path / "feed"), "evaluate"]) == 0
    assert json.loads(capsys.readouterr().out)["synthetic"] is True
    listed = tmp_path / "popularity.json"
    assert main(["--feed", str(tmp_path / "feed"), "popularity", "--out", str(listed)]) == 0
    assert len(json.loads(listed.read_text())["titles"]) == 60


def test_an_empty_folder_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--feed", str(tmp_path), "train", "--out", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("recommender: no *.jsonl")
    assert told.count("\n") == 1
