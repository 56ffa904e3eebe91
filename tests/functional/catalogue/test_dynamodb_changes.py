"""The change log that ingest writes: one order without gaps, whoever writes and whatever goes wrong."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mangaassist.adapters.dynamodb_catalogue import DynamoDBCatalogue
from mangaassist.adapters.dynamodb_changes import ATTEMPTS, RETENTION_SECONDS, SERIES_LIMIT, DynamoDBChangeLog
from mangaassist.errors import DependencyError, DependencyThrottled
from tests.functional.catalogue.conftest import TABLE, Stores
from tests.functional.catalogue.test_dynamodb_catalogue import series
from tests.functional.catalogue_service.conftest import Serialised
from tests.unit.catalogue.fakes import FakeTime


def entries(stores: Stores, shard: str = "us-east-1") -> list[dict[str, Any]]:
    answer = stores.dynamodb.query(
        TableName=TABLE,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :entry)",
        ExpressionAttributeValues={":pk": {"S": f"CHANGES#{shard}"}, ":entry": {"S": "ENTRY#"}},
    )
    return answer["Items"]


def named(entry: dict[str, Any]) -> list[str]:
    return [each["S"] for each in entry["series_ids"]["L"]]


def item(series_id: str) -> dict[str, Any]:
    return {"pk": {"S": f"SERIES#{series_id}"}, "sk": {"S": "SERIES"}}


class Refuses:
    """A client whose first transactions are cancelled for these reasons."""

    def __init__(self, client: Any, *reasons: str) -> None:
        self._client, self.reasons = client, list(reasons)

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._client, operation)

    def transact_write_items(self, **arguments: Any) -> Any:
        if not self.reasons:
            return self._client.transact_write_items(**arguments)
        code = self.reasons.pop(0)
        raise ClientError(
            {
                "Error": {"Code": "TransactionCanceledException", "Message": "..."},
                "CancellationReasons": [{"Code": code}, {"Code": "None"}],
            },
            "TransactWriteItems",
        )


def test_every_series_that_is_written_is_logged_in_order(stores: Stores) -> None:
    catalogue = DynamoDBCatalogue(stores.dynamodb, TABLE)
    catalogue.write([(series(number), "h") for number in range(SERIES_LIMIT + 1)])
    catalogue.write([(series(0), "h2")])
    logged = entries(stores)
    assert [entry["sk"]["S"] for entry in logged] == [f"ENTRY#{number:015d}" for number in (1, 2, 3)]
    assert [len(named(entry)) for entry in logged] == [SERIES_LIMIT, 1, 1]
    assert named(logged[2]) == ["MG00000"]
    assert stores.item("SERIES#MG00000", "SERIES")["content_hash"] == {"S": "h2"}  # type: ignore[index]
    head = stores.item("CHANGES#us-east-1", "HEAD")
    assert head is not None
    assert head["last"] == {"N": "3"}


def test_entries_end_after_the_retention_and_the_head_never(stores: Stores) -> None:
    log = DynamoDBChangeLog(stores.dynamodb, TABLE, clock=lambda: 1_000_000.0)
    log.write([("MG1", item("MG1"))])
    assert entries(stores)[0]["expires_at"] == {"N": str(1_000_000 + RETENTION_SECONDS)}
    assert "expires_at" not in (stores.item("CHANGES#us-east-1", "HEAD") or {})


def test_writers_at_once_leave_no_gap_and_lose_nothing(stores: Stores) -> None:
    lock = threading.Lock()

    def work(writer: int) -> None:
        log = DynamoDBChangeLog(Serialised(stores.dynamodb, lock), TABLE, sleep=lambda seconds: None)
        for number in range(5):
            log.write([(f"W{writer}-{number}", item(f"W{writer}-{number}"))])

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    logged = entries(stores)
    assert [int(entry["sk"]["S"].removeprefix("ENTRY#")) for entry in logged] == list(range(1, 16))
    assert sorted(name for entry in logged for name in named(entry)) == sorted(
        f"W{writer}-{number}" for writer in range(3) for number in range(5)
    )
    assert len({stores.item("CHANGES#us-east-1", "HEAD")["log"]["S"]}) == 1  # type: ignore[index]


@pytest.mark.parametrize("reason", ["TransactionConflict", "ConditionalCheckFailed", "ThrottlingError"])
def test_a_lost_race_is_run_again(stores: Stores, reason: str) -> None:
    time = FakeTime()
    log = DynamoDBChangeLog(Refuses(stores.dynamodb, reason, reason), TABLE, sleep=time.sleep_now)
    log.write([("MG1", item("MG1"))])
    assert [named(entry) for entry in entries(stores)] == [["MG1"]]
    assert len(time.sleeps) == 2


def test_a_race_that_is_always_lost_fails(stores: Stores) -> None:
    time = FakeTime()
    refuses = Refuses(stores.dynamodb, *["TransactionConflict"] * 99)
    with pytest.raises(DependencyThrottled, match="TransactionConflict"):
        DynamoDBChangeLog(refuses, TABLE, sleep=time.sleep_now).write([("MG1", item("MG1"))])
    assert len(time.sleeps) == ATTEMPTS


def test_a_transaction_that_cannot_work_leaves_neither_series_nor_entry(stores: Stores) -> None:
    log = DynamoDBChangeLog(stores.dynamodb, TABLE)
    with pytest.raises(DependencyError, match="catalogue: "):
        log.write([("MG1", item("MG1")), ("MG2", {"sk": {"S": "a key without its half"}})])
    assert entries(stores) == []
    assert stores.item("SERIES#MG1", "SERIES") is None


def test_a_transaction_is_bounded_by_size(stores: Stores) -> None:
    large = [(f"MG{number}", {**item(f"MG{number}"), "text": {"S": "x" * 350_000}}) for number in range(10)]
    DynamoDBChangeLog(stores.dynamodb, TABLE).write(large)
    assert [len(named(entry)) for entry in entries(stores)] == [8, 2]
