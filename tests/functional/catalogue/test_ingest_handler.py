"""The ingest function as a whole: an event in, items, documents and a run record out."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from lambdas.ingest.handler import NotAFeedEvent, feed_of, handler
from mangaassist.adapters.bedrock_embedding import BedrockEmbedder
from mangaassist.adapters.clients import client
from mangaassist.adapters.opensearch_search import OpenSearchChunks, connect
from mangaassist.catalogue import wiring
from mangaassist.catalogue.ports import FeedObject
from mangaassist.errors import DependencyError
from mangaassist.ports import Chunk, ChunkFilter
from tests.functional.catalogue.conftest import BUCKET, Services, Stores
from tests.unit.catalogue.fakes import line
from tools.twin.search.settings import SearchSettings

KEY = "feed/part.jsonl"
CONTEXT = SimpleNamespace(aws_request_id="request-1", function_name="ingest")
EVENT: dict[str, Any] = {
    "source": "aws.s3",
    "detail-type": "Object Created",
    "detail": {"bucket": {"name": BUCKET}, "object": {"key": KEY, "etag": "abc"}},
}


async def nearest(services: Services, text: str, **only: Any) -> list[Chunk]:
    """What a reader finds through the alias."""
    vector = await BedrockEmbedder(client("bedrock-runtime"), wiring.policies()).embed(text)
    search = OpenSearchChunks(connect(services.search_endpoint), "catalogue-live")
    return await search.nearest(vector, limit=10, only=ChunkFilter(**only))


async def test_an_upload_can_be_searched_and_bought(stores: Stores, services: Services) -> None:
    comedy = line(
        "MG00002", genres=["Comedy"], titles={"en": "Yotsuba", "romaji": "Yotsuba", "ja": "よつばと！"}
    )
    stores.upload(KEY, line("MG00001") + b"\n" + comedy + b"\n")
    report = handler_in_thread(EVENT)
    assert (report["documents"], report["indexed"], report["serving"]) == (2, 2, True)

    (found,) = await nearest(services, "anything", genres=("Horror",), in_stock=True)
    assert (found.series_id, found.title, found.facts["title_ja"]) == ("MG00001", "Uzumaki", "うずまき")
    assert found.facts["offer"]["asin"] == "B000001002"  # type: ignore[index]
    assert stores.item("ASIN#B000001002", "PRODUCT") is not None
    run = stores.item(f"RUN#{KEY}", "RUN")
    assert run is not None
    assert (run["status"], run["documents"], run["etag"]) == ({"S": "succeeded"}, {"N": "2"}, {"S": "abc"})


def test_the_same_event_again_changes_nothing_and_costs_nothing(stores: Stores, services: Services) -> None:
    stores.upload(KEY, line("MG00001"))
    handler(EVENT, CONTEXT)
    calls = len(services.embedded)
    logged = stores.item("CHANGES#us-east-1", "HEAD")
    assert logged is not None
    assert logged["last"] == {"N": "1"}
    report = handler(EVENT, CONTEXT)
    assert stores.item("CHANGES#us-east-1", "HEAD") == logged
    assert (report["documents"], report["indexed"], report["unchanged"]) == (1, 0, 1)
    assert len(services.embedded) == calls


def test_a_bad_line_is_put_aside_and_counted(
    stores: Stores, services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    stores.upload(KEY, b"broken secret\n" + line("MG00001"))
    report = handler({"bucket": BUCKET, "key": KEY}, CONTEXT)
    assert (report["documents"], report["quarantined"]) == (1, 1)
    bad = json.loads(stores.s3.get_object(Bucket=BUCKET, Key="quarantine/feed/part.jsonl")["Body"].read())
    assert (bad["line"], bad["content"]) == (1, "broken secret")
    logged = capsys.readouterr().out
    assert "secret" not in logged
    metrics = {
        name: entry[name] for entry in emf(logged) for name in entry if name.endswith(("Lines", "Documents"))
    }
    assert metrics == {"IngestedDocuments": [1.0], "IndexedDocuments": [1.0], "QuarantinedLines": [1.0]}


def test_a_missing_object_fails_the_run_and_says_so(stores: Stores, services: Services) -> None:
    with pytest.raises(DependencyError):
        handler(EVENT, CONTEXT)
    run = stores.item(f"RUN#{KEY}", "RUN")
    assert run is not None
    assert (run["status"], run["error"]) == ({"S": "failed"}, {"S": "feed: NoSuchKey"})


class TestIdsRefused:
    """A Classic collection chooses ids itself."""

    @pytest.fixture
    def search_settings(self) -> SearchSettings:
        return SearchSettings(visibility_delay_seconds=0, custom_ids=False)

    async def test_a_changed_series_is_still_found_once(self, stores: Stores, services: Services) -> None:
        for year in (1998, 1999):
            stores.upload(KEY, line("MG00001", year=year))
            handler_in_thread(EVENT)
        (found,) = await nearest(services, "anything")
        assert found.facts["year"] == 1999


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"detail": None},
        {"detail": {"object": {}}},
        {"bucket": "b"},
        {"bucket": "b", "key": 3},
        {"bucket": "b", "key": ""},
    ],
)
def test_an_event_that_names_no_object_is_refused(event: dict[str, Any]) -> None:
    with pytest.raises(NotAFeedEvent, match="Object Created"):
        feed_of(event)


def test_both_kinds_of_event_name_their_object() -> None:
    assert feed_of(EVENT) == FeedObject(BUCKET, KEY, "abc")
    assert feed_of({"bucket": "b", "key": "feed/x"}) == FeedObject("b", "feed/x", None)


def handler_in_thread(event: dict[str, Any]) -> dict[str, Any]:
    """The handler has an event loop of its own, so an asynchronous test calls it from outside its own."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(handler, event, CONTEXT).result()


def emf(output: str) -> list[dict[str, Any]]:
    """The metric lines of a log."""
    entries = [json.loads(each) for each in output.splitlines() if each.startswith("{")]
    return [entry for entry in entries if "_aws" in entry]
