"""The catalogue table: written by ingest, asked by the guardrail whether an ASIN exists."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from mangaassist.adapters.dynamodb_changes import DynamoDBChangeLog
from mangaassist.adapters.errors import translated
from mangaassist.errors import DependencyThrottled

if TYPE_CHECKING:
    from mangaassist.catalogue.ports import FeedObject, RunRecord
    from mangaassist.catalogue.records import SeriesRecord

DEPENDENCY: Final = "catalogue"
PUT_LIMIT: Final = 25
"""Items one BatchWriteItem takes (API model dynamodb)."""
GET_LIMIT: Final = 100
"""Keys one BatchGetItem takes (API model dynamodb)."""
ATTEMPTS: Final = 8
FIRST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 2.0

_ASIN = re.compile(r"[A-Z0-9]{10}")

Wire = dict[str, Any]
"""An item or key in DynamoDB's own typed JSON."""
T = TypeVar("T")


class DynamoDBProducts:
    """The guardrail's view: which ASINs the store knows. ``client`` is a dynamodb client."""

    def __init__(self, client: Any, table: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._table = _Table(client, table, sleep)

    def known(self, asins: Sequence[str]) -> set[str]:
        """Those of ``asins`` that are products of the store; what has no ASIN's form is not even asked for."""
        asked = sorted({asin for asin in asins if _ASIN.fullmatch(asin)})
        keys = [_key(f"ASIN#{asin}", "PRODUCT") for asin in asked]
        return {item["pk"]["S"].removeprefix("ASIN#") for item in self._table.get(keys, ["pk"])}


class DynamoDBCatalogue:
    """The ingest run's view; ``writers`` threads share the client's connection pool."""

    def __init__(
        self, client: Any, table: str, *, writers: int = 2, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._table = _Table(client, table, sleep)
        self._changes = DynamoDBChangeLog(client, table, sleep=sleep)
        self._writers = writers

    def content_hashes(self, series_ids: Sequence[str]) -> dict[str, str]:
        """The receipts of those series that the table holds completely."""
        keys = [_key(f"SERIES#{series_id}", "SERIES") for series_id in series_ids]
        return {
            item["pk"]["S"].removeprefix("SERIES#"): item["content_hash"]["S"]
            for item in self._table.get(keys, ["pk", "content_hash"])
            if "content_hash" in item
        }

    def write(self, records: Sequence[tuple[SeriesRecord, str]]) -> None:
        """Write all volumes, and only when they are in, the series items with their receipts, logged as changes."""
        from mangaassist.catalogue.items import series_item, volume_items

        volumes = [wire(item) for record, _ in records for item in volume_items(record)]
        with ThreadPoolExecutor(self._writers, thread_name_prefix="catalogue") as pool:
            # list() waits for all to be written, and raises what a thread raised.
            list(pool.map(self._table.put, _chunks(volumes, PUT_LIMIT)))
        self._changes.write(
            [(record.series_id, wire(series_item(record, content_hash))) for record, content_hash in records]
        )

    def record_run(self, feed: FeedObject, run: RunRecord) -> None:
        """Keep the state of the latest run over ``feed``."""
        from mangaassist.catalogue.items import run_key

        facts = {name: value for name, value in asdict(run).items() if value is not None}
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._table.put([wire({**run_key(feed.key), "bucket": feed.bucket, "updated_at": now, **facts})])


class _Table:
    """Batched reads and writes that go on with what the service left undone."""

    def __init__(self, client: Any, table: str, sleep: Callable[[float], None]) -> None:
        self._client = client
        self._name = table
        self._sleep = sleep

    def put(self, items: Sequence[Wire]) -> None:
        """Write up to ``PUT_LIMIT`` items."""
        pending = [{"PutRequest": {"Item": item}} for item in items]
        for attempt in range(ATTEMPTS):
            response = self._call("batch_write_item", RequestItems={self._name: pending})
            pending = response.get("UnprocessedItems", {}).get(self._name, [])
            if not pending:
                return
            self._pause(attempt)
        raise DependencyThrottled(DEPENDENCY, "UnprocessedItems")

    def get(self, keys: Sequence[Wire], attributes: Sequence[str]) -> Iterator[Wire]:
        """The items of those keys that exist."""
        names = {f"#{place}": attribute for place, attribute in enumerate(attributes)}
        shape = {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
        for some in _chunks(keys, GET_LIMIT):
            yield from self._get(list(some), shape)

    def _get(self, pending: list[Wire], shape: Mapping[str, Any]) -> Iterator[Wire]:
        for attempt in range(ATTEMPTS):
            response = self._call("batch_get_item", RequestItems={self._name: {"Keys": pending, **shape}})
            yield from response["Responses"].get(self._name, [])
            pending = response.get("UnprocessedKeys", {}).get(self._name, {}).get("Keys", [])
            if not pending:
                return
            self._pause(attempt)
        raise DependencyThrottled(DEPENDENCY, "UnprocessedKeys")

    def _call(self, operation: str, **arguments: Any) -> Any:
        with translated(DEPENDENCY):
            return getattr(self._client, operation)(**arguments)

    def _pause(self, attempt: int) -> None:
        """Exponential backoff with full jitter; the SDK retries whole calls, but not what a batch left undone."""
        ceiling = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**attempt)
        self._sleep(random.uniform(0, ceiling))  # noqa: S311 - jitter, not a secret


def _key(pk: str, sk: str) -> Wire:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def wire(item: Mapping[str, Any]) -> Wire:
    """An item in DynamoDB's own typed JSON."""
    from boto3.dynamodb.types import TypeSerializer

    serialize = cast(
        "Callable[[Any], Wire]",
        TypeSerializer().serialize,  # pyright: ignore[reportUnknownMemberType]
    )
    return {name: serialize(value) for name, value in item.items()}


def _chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
