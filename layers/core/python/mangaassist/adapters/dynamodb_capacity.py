"""What capacity remembers, in one DynamoDB table, and the one item of it that a turn reads.

| item | pk | sk |
| --- | --- | --- |
| window of the calendar | ``WINDOW`` | ``<event id>`` |
| purchase of throughput | ``THROUGHPUT`` | ``<model id>`` |
| what models resolve to | ``PROVISIONED`` | ``ACTIVE`` |

A record stands in ``document`` as JSON; ``state`` and ``updated_at`` stand beside it for people who look at the table.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from mangaassist.adapters.errors import translated
from mangaassist.errors import DependencyError
from mangaassist.observability import logger

if TYPE_CHECKING:
    from mangaassist.capacity.records import ThroughputRecord, WindowRecord

WINDOW: Final = "WINDOW"
THROUGHPUT: Final = "THROUGHPUT"
PROVISIONED: Final = "PROVISIONED"
ACTIVE: Final = "ACTIVE"
CACHE_SECONDS: Final = 30.0
"""How long a reader trusts what it read; the schedule waits longer than this before it deletes what it withdrew."""

Item = dict[str, Any]


class DynamoDBCapacity:
    """A ``WindowStore`` and a ``ThroughputStore``; ``client`` is a DynamoDB client."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    # --- windows ----------------------------------------------------------------------------------------

    def window(self, window_id: str) -> WindowRecord | None:
        from mangaassist.capacity.records import WindowRecord

        document = self._document(WINDOW, window_id)
        return None if document is None else WindowRecord.model_validate_json(document)

    def windows(self) -> list[WindowRecord]:
        from mangaassist.capacity.records import WindowRecord

        return [WindowRecord.model_validate_json(document) for document in self._documents(WINDOW)]

    def save_window(self, record: WindowRecord) -> None:
        self._save(WINDOW, record.id, record)

    # --- throughput -------------------------------------------------------------------------------------

    def throughput(self, model_id: str) -> ThroughputRecord | None:
        from mangaassist.capacity.records import ThroughputRecord

        document = self._document(THROUGHPUT, model_id)
        return None if document is None else ThroughputRecord.model_validate_json(document)

    def throughputs(self) -> list[ThroughputRecord]:
        from mangaassist.capacity.records import ThroughputRecord

        return [ThroughputRecord.model_validate_json(document) for document in self._documents(THROUGHPUT)]

    def save_throughput(self, record: ThroughputRecord) -> None:
        self._save(THROUGHPUT, record.model_id, record)

    def publish(self, active: Mapping[str, str]) -> None:
        models = {model_id: {"S": arn} for model_id, arn in active.items()}
        self._call("put_item", Item={**_key(PROVISIONED, ACTIVE), "models": {"M": models}})

    def published(self) -> Mapping[str, str]:
        return read_published(self._call, consistent=True)

    # --- inside -----------------------------------------------------------------------------------------

    def _save(self, kind: str, name: str, record: WindowRecord | ThroughputRecord) -> None:
        self._call(
            "put_item",
            Item={
                **_key(kind, name),
                "state": {"S": record.state},
                "updated_at": {"S": record.updated_at.isoformat(timespec="seconds")},
                "document": {"S": record.model_dump_json()},
            },
        )

    def _document(self, kind: str, name: str) -> str | None:
        item = self._call("get_item", Key=_key(kind, name), ConsistentRead=True).get("Item")
        return None if item is None else str(item["document"]["S"])

    def _documents(self, kind: str) -> list[str]:
        found: list[str] = []
        start: Item = {}
        while True:
            page = self._call(
                "query",
                KeyConditionExpression="pk = :kind",
                ExpressionAttributeValues={":kind": {"S": kind}},
                ConsistentRead=True,
                **start,
            )
            found += [str(item["document"]["S"]) for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return found
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _call(self, operation: str, **arguments: Any) -> Item:
        return call(self._client, self._table, operation, **arguments)


class DynamoDBProvisionedModels:
    """A ``ProvisionedModels`` for the message path: one item, read at most every 30 s, never in the way.

    Without an answer from the table the last one stands. An ARN that is gone by then fails its call, and the chain
    goes on demand.
    """

    def __init__(self, client: Any, table: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._active: Mapping[str, str] = {}
        self._next_read = clock()
        self._lock = threading.Lock()

    async def active(self) -> Mapping[str, str]:
        """ARNs by model id."""
        return await asyncio.to_thread(self._latest) if self._due() else self._active

    def _due(self) -> bool:
        return self._clock() >= self._next_read

    def _latest(self) -> Mapping[str, str]:
        with self._lock:
            if self._due():
                try:
                    self._active = read_published(partial(call, self._client, self._table))
                except DependencyError as error:
                    logger().warning("provisioned models not read", reason=error.reason)
                self._next_read = self._clock() + CACHE_SECONDS
        return self._active


def read_published(request: Callable[..., Item], *, consistent: bool = False) -> dict[str, str]:
    """The published map; empty before anything was."""
    item = request("get_item", Key=_key(PROVISIONED, ACTIVE), ConsistentRead=consistent).get("Item")
    models: Mapping[str, Item] = item["models"]["M"] if item else {}
    return {model_id: str(arn["S"]) for model_id, arn in models.items()}


def call(client: Any, table: str, operation: str, **arguments: Any) -> Item:
    """One operation on the table."""
    with translated("capacity"):
        return cast(Item, getattr(client, operation)(TableName=table, **arguments))


def _key(pk: str, sk: str) -> Item:
    return {"pk": {"S": pk}, "sk": {"S": sk}}
