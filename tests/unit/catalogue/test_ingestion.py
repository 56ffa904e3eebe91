from __future__ import annotations

import pytest

from mangaassist.catalogue.ingestion import BATCH, MAXIMUM_QUARANTINED, Ingestion, RunReport
from mangaassist.catalogue.ports import FeedObject
from mangaassist.errors import DependencyThrottled, DependencyTimeout
from mangaassist.generation.policy import Embedding
from tests.unit.catalogue.fakes import (
    FakeCatalogue,
    FakeEmbedder,
    FakeFeeds,
    FakeIndex,
    FakeTime,
    line,
    record,
)

FEED = FeedObject("bucket", "feed/part.jsonl", "etag")


class Bench:
    """An ingestion over fakes that stay between runs."""

    def __init__(self) -> None:
        self.feeds, self.catalogue, self.index = FakeFeeds(), FakeCatalogue(), FakeIndex()
        self.embedder, self.time = FakeEmbedder(), FakeTime()

    async def run(self, *lines: bytes) -> RunReport:
        self.feeds.content = list(lines)
        return await Ingestion(
            feeds=self.feeds,
            catalogue=self.catalogue,
            index=self.index,
            embedder=self.embedder,
            embedding=Embedding(model_id="test", dimensions=4),
            store_url="https://store.example",
            visibility_timeout_seconds=10,
            sleep=self.time.sleep,
            clock=self.time.clock,
        ).run(FEED)


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_feed_reaches_table_and_index(bench: Bench) -> None:
    report = await bench.run(line("MG00001"), line("MG00002"))
    assert (report.documents, report.indexed, report.volumes, report.quarantined) == (2, 2, 4, 0)
    assert bench.catalogue.asins == {f"B00000{number}00{volume}" for number in (1, 2) for volume in (1, 2)}
    document = bench.index.documents["MG00002"]
    assert document["embedding"] == [float(len(document["text"]))] * 4
    assert document["content_hash"] == bench.catalogue.receipts["MG00002"]
    assert bench.index.aliased
    assert report.serving
    assert [run.status for run in bench.catalogue.runs] == ["running", "succeeded"]
    assert bench.catalogue.runs[-1].documents == 2
    assert bench.catalogue.runs[-1].etag == "etag"


async def test_bad_lines_are_put_aside_and_the_run_goes_on(bench: Bench) -> None:
    report = await bench.run(b"garbage", line("MG00001"), b"", line("MG00002", year="x"), line("MG00003"))
    assert report.documents == 2
    assert report.quarantined == 2
    assert report.quarantine_key == "quarantine/feed/part.jsonl"
    assert [(bad.line, bad.content[:7]) for bad in bench.feeds.quarantined] == [
        (1, b"garbage"),
        (4, line()[:7]),
    ]
    assert all(bad.reason for bad in bench.feeds.quarantined)
    assert set(bench.index.documents) == {"MG00001", "MG00003"}
    assert bench.catalogue.runs[-1].quarantined == 2


async def test_nothing_may_claim_an_id_or_an_asin_twice(bench: Bench) -> None:
    thief = line("MG00009", volumes=record("MG00001")["volumes"])
    report = await bench.run(line("MG00001"), line("MG00001", year=2001), thief)
    assert report.documents == 1
    assert [bad.reason for bad in bench.feeds.quarantined] == [
        "MG00001 stands on line 1 already",
        "B000001001 stands on line 1 already",
    ]


async def test_a_file_of_garbage_is_counted_and_not_hoarded(bench: Bench) -> None:
    report = await bench.run(*[b"x"] * (MAXIMUM_QUARANTINED + 5))
    assert (report.documents, report.quarantined) == (0, MAXIMUM_QUARANTINED + 5)
    assert len(bench.feeds.quarantined) == MAXIMUM_QUARANTINED
    assert not bench.index.aliased


async def test_an_empty_file_is_a_run_of_nothing(bench: Bench) -> None:
    assert (await bench.run()).documents == 0
    assert bench.catalogue.runs[-1].status == "succeeded"


async def test_an_unchanged_feed_costs_two_lookups(bench: Bench) -> None:
    await bench.run(line("MG00001"), line("MG00002"))
    bench.embedder.texts.clear()
    report = await bench.run(line("MG00001"), line("MG00002"))
    assert (report.documents, report.indexed, report.unchanged) == (2, 0, 2)
    assert bench.embedder.texts == []
    assert len(bench.catalogue.writes) == len(bench.index.writes) == 1


async def test_only_what_changed_is_written(bench: Bench) -> None:
    await bench.run(line("MG00001"), line("MG00002"))
    await bench.run(line("MG00001"), line("MG00002", year=2001))
    assert bench.catalogue.writes[-1] == bench.index.writes[-1] == ["MG00002"]
    assert bench.index.documents["MG00002"]["year"] == 2001


async def test_a_replay_makes_no_duplicates(bench: Bench) -> None:
    for _ in range(3):
        await bench.run(line("MG00001"), line("MG00002"))
    assert set(bench.index.documents) == {"MG00001", "MG00002"}
    assert len(bench.catalogue.asins) == 4


async def test_what_one_store_lost_is_written_there_again(bench: Bench) -> None:
    await bench.run(line("MG00001"))
    bench.index.documents.clear()
    await bench.run(line("MG00001"))
    assert (len(bench.index.writes), len(bench.catalogue.writes)) == (2, 1)
    bench.catalogue.receipts.clear()
    await bench.run(line("MG00001"))
    assert (len(bench.index.writes), len(bench.catalogue.writes)) == (2, 2)


async def test_a_broken_run_is_recorded_and_the_next_one_mends_it(bench: Bench) -> None:
    bench.index.failure = DependencyThrottled("search", "429")
    with pytest.raises(DependencyThrottled):
        await bench.run(line("MG00001"))
    assert bench.catalogue.runs[-1].status == "failed"
    assert bench.catalogue.runs[-1].error == "search: 429"
    assert not bench.index.aliased
    await bench.run(line("MG00001"))
    assert bench.catalogue.runs[-1].status == "succeeded"
    assert set(bench.index.documents) == {"MG00001"}


async def test_a_foreign_exception_is_recorded_by_its_class_alone(bench: Bench) -> None:
    class Surprise(Exception): ...

    async def broken(texts: object, embedding: object) -> list[list[float]]:
        raise Surprise("quotes the feed")

    bench.embedder.embed_all = broken  # type: ignore[method-assign, assignment]
    with pytest.raises(Surprise):
        await bench.run(line("MG00001"))
    assert bench.catalogue.runs[-1].error == "Surprise"


async def test_the_alias_waits_until_documents_can_be_found(bench: Bench) -> None:
    bench.index.lookups_until_visible = 4
    await bench.run(line("MG00001"))
    # One lookup compares, three find nothing yet; pauses grow, so a slow service is not asked to death.
    assert bench.time.sleeps == [0.25, 0.5, 1.0]
    assert bench.index.aliased


async def test_documents_that_never_appear_fail_the_run(bench: Bench) -> None:
    bench.index.lookups_until_visible = 10_000
    with pytest.raises(DependencyTimeout, match="1 of 1 documents not visible"):
        await bench.run(line("MG00001"))
    assert not bench.index.aliased
    assert bench.catalogue.runs[-1].status == "failed"


async def test_a_long_feed_is_worked_on_in_batches(bench: Bench) -> None:
    report = await bench.run(*(line(f"MG{number:05d}") for number in range(2 * BATCH + 1)))
    assert [len(written) for written in bench.index.writes] == [BATCH, BATCH, 1]
    assert report.documents == len(bench.index.documents) == 2 * BATCH + 1
    assert {"compare", "table", "embed", "search", "visible"} <= set(report.timings_ms)
