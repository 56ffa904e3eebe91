"""The catalogue table against moto's DynamoDB, and against a service that leaves work undone."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from mangaassist.adapters.dynamodb_catalogue import ATTEMPTS, DynamoDBCatalogue, DynamoDBProducts
from mangaassist.catalogue.ports import FeedObject, RunRecord
from mangaassist.catalogue.records import SeriesRecord, read_line
from mangaassist.errors import DependencyError, DependencyThrottled
from tests.functional.catalogue.conftest import TABLE, Stores
from tests.unit.catalogue.fakes import FakeTime, line


def series(number: int, **changes: Any) -> SeriesRecord:
    return read_line(line(f"MG{number:05d}", **changes))


class Forgetful:
    """A client that leaves part of the first batches undone, and none of it in the end."""

    def __init__(self, client: Any, *, times: int) -> None:
        self._client, self._times = client, times
        self.calls: list[int] = []

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._client, operation)

    def batch_write_item(self, RequestItems: dict[str, list[Any]]) -> dict[str, Any]:
        requests = RequestItems[TABLE]
        self.calls.append(len(requests))
        if self._times <= 0:
            return self._client.batch_write_item(RequestItems=RequestItems)
        self._times -= 1
        done, left = requests[: len(requests) // 2], requests[len(requests) // 2 :]
        if done:
            self._client.batch_write_item(RequestItems={TABLE: done})
        return {"UnprocessedItems": {TABLE: left}}

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        request = RequestItems[TABLE]
        self.calls.append(len(request["Keys"]))
        if self._times <= 0:
            return self._client.batch_get_item(RequestItems=RequestItems)
        self._times -= 1
        half = len(request["Keys"]) // 2
        answer = self._client.batch_get_item(
            RequestItems={TABLE: {**request, "Keys": request["Keys"][: half or 1]}}
        )
        return {**answer, "UnprocessedKeys": {TABLE: {"Keys": request["Keys"][half or 1 :]}}}


def test_series_and_volumes_are_items(stores: Stores) -> None:
    DynamoDBCatalogue(stores.dynamodb, TABLE).write([(series(1), "receipt")])
    product = stores.item("ASIN#B000001002", "PRODUCT")
    assert product is not None
    assert product["price"] == {"S": "9.99"}
    assert product["synthetic"] == {"BOOL": True}
    assert product["series_id"] == {"S": "MG00001"}
    item = stores.item("SERIES#MG00001", "SERIES")
    assert item is not None
    assert item["rating"] == {"M": {"average": {"N": "4.2"}, "count": {"N": "120"}}}
    assert item["titles"]["M"]["ja"] == {"S": "うずまき"}


def test_receipts_are_read_back_for_any_number_of_series(stores: Stores) -> None:
    catalogue = DynamoDBCatalogue(stores.dynamodb, TABLE)
    catalogue.write([(series(number), f"receipt {number}") for number in range(130)])
    asked = [f"MG{number:05d}" for number in range(140)]
    found = catalogue.content_hashes(asked)
    assert len(found) == 130
    assert found["MG00129"] == "receipt 129"


def test_the_series_item_is_written_after_its_volumes(stores: Stores) -> None:
    """A run that dies among the volumes leaves no receipt."""

    class Dies:
        def batch_write_item(self, RequestItems: dict[str, list[Any]]) -> Any:
            assert all("PRODUCT" in str(request) for request in RequestItems[TABLE])
            raise ClientError({"Error": {"Code": "InternalServerError"}}, "BatchWriteItem")

    with pytest.raises(DependencyError, match="catalogue: InternalServerError"):
        DynamoDBCatalogue(Dies(), TABLE).write([(series(1), "receipt")])


def test_which_asins_the_store_knows(stores: Stores) -> None:
    DynamoDBCatalogue(stores.dynamodb, TABLE).write([(series(1), "receipt")])
    asked = ["B000001001", "B000001001", "B000009001", "b000001001", "", "B0" + "💥" * 8, "x" * 3_000]
    products = DynamoDBProducts(stores.dynamodb, TABLE)
    assert products.known(asked) == {"B000001001"}
    assert products.known([]) == set()


def test_what_a_batch_left_undone_is_done(stores: Stores) -> None:
    time = FakeTime()
    client = Forgetful(stores.dynamodb, times=2)
    DynamoDBCatalogue(client, TABLE, writers=1, sleep=time.sleep_now).write(
        [(series(n), "h") for n in range(12)]
    )
    assert client.calls == [24, 12, 6]
    assert len(time.sleeps) == 2
    client = Forgetful(stores.dynamodb, times=2)
    found = DynamoDBCatalogue(client, TABLE, sleep=time.sleep_now).content_hashes(
        [f"MG{number:05d}" for number in range(12)]
    )
    assert len(found) == 12


def test_a_table_that_stays_throttled_fails(stores: Stores) -> None:
    time = FakeTime()
    client = Forgetful(stores.dynamodb, times=10_000)
    with pytest.raises(DependencyThrottled, match="UnprocessedItems"):
        DynamoDBCatalogue(client, TABLE, sleep=time.sleep_now).write([(series(1), "h")])
    assert len(time.sleeps) == ATTEMPTS
    assert max(time.sleeps) <= 2.0


def test_the_latest_run_over_a_file_is_remembered(stores: Stores) -> None:
    catalogue, feed = DynamoDBCatalogue(stores.dynamodb, TABLE), FeedObject("bucket", "feed/a.jsonl", "etag")
    catalogue.record_run(feed, RunRecord("running", "etag"))
    catalogue.record_run(feed, RunRecord("failed", "etag", error="search: 429"))
    run = stores.item("RUN#feed/a.jsonl", "RUN")
    assert run is not None
    assert (run["status"], run["error"], run["etag"]) == (
        {"S": "failed"},
        {"S": "search: 429"},
        {"S": "etag"},
    )
    catalogue.record_run(feed, RunRecord("succeeded", "etag", documents=7))
    run = stores.item("RUN#feed/a.jsonl", "RUN")
    assert run is not None
    assert run["documents"] == {"N": "7"}
    assert "error" not in run
