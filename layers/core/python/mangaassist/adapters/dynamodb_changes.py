"""The change log in the catalogue table: which series were written, in one order that loses nothing.

A series and its entry are one transaction, and the entry's number is the successor of the last one, which the same
transaction checks. So no reader ever sees number n+1 before n, and a run that dies leaves neither or both.
Readers: ``services/catalogue`` (decision 8).
"""

from __future__ import annotations

import json
import os
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

from mangaassist.adapters.errors import THROTTLES, translated
from mangaassist.errors import DependencyThrottled

DEPENDENCY: Final = "catalogue"
RETENTION_SECONDS: Final = 7 * 24 * 3600
"""How long a watcher may be away and go on where it was. DynamoDB's TTL removes an entry some time after."""
SERIES_LIMIT: Final = 25
"""Series of one transaction, which takes 100 items; fewer make a lost race cheap to repeat."""
BYTES_LIMIT: Final = 3_000_000
"""Of one transaction, which takes 4 MB (DynamoDB developer guide, "TransactWriteItems")."""
ATTEMPTS: Final = 12
FIRST_PAUSE_SECONDS: Final = 0.02
LONGEST_PAUSE_SECONDS: Final = 1.0
RACES: Final = frozenset({"ConditionalCheckFailed", "TransactionConflict"})
"""Somebody else wrote an entry meanwhile: look where the log ends now, and try again."""

Wire = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """``log`` is the identity of the log, new with every new table; ``last`` the number of its last entry."""

    log: str
    last: int


def default_shard() -> str:
    """One shard per Region: a transaction and its order hold within one, also where the table is replicated."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "local"


class DynamoDBChangeLog:
    """The writer's end. ``client`` is a dynamodb client."""

    def __init__(
        self,
        client: Any,
        table: str,
        *,
        shard: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._table = table
        self._shard = shard or default_shard()
        self._sleep = sleep
        self._clock = clock
        self._head: Head | None = None

    def write(self, series: Sequence[tuple[str, Wire]]) -> None:
        """Write series items, given with their ids, and log them.

        Raises:
            DependencyThrottled: others kept writing, or the service refused for now, until the attempts ran out.
            DependencyError: the service failed.
        """
        for some in _transactions(series):
            self._append(some)

    def _append(self, series: Sequence[tuple[str, Wire]]) -> None:
        for attempt in range(ATTEMPTS):
            head = self._head or self._read_head()
            successor = Head(head.log if head else uuid.uuid4().hex, head.last + 1 if head else 1)
            if self._commit(series, head, successor):
                self._head = successor
                return
            self._head = None
            ceiling = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**attempt)
            self._sleep(random.uniform(0, ceiling))  # noqa: S311 - jitter, not a secret
        raise DependencyThrottled(DEPENDENCY, "TransactionConflict")

    def _commit(self, series: Sequence[tuple[str, Wire]], head: Head | None, successor: Head) -> bool:
        """Whether the transaction went through; false means that it may when it is tried again."""
        puts = [{"Put": {"TableName": self._table, "Item": item}} for _, item in series]
        entry = {"Put": {"TableName": self._table, "Item": self._entry(series, successor.last)}}
        with translated(DEPENDENCY):
            try:
                self._client.transact_write_items(
                    TransactItems=[{"Update": self._move(head, successor)}, entry, *puts]
                )
            except Exception as error:
                if _may_be_repeated(error):
                    return False
                raise
        return True

    def _move(self, head: Head | None, successor: Head) -> Wire:
        from mangaassist.catalogue.items import change_head_key

        move: Wire = {
            "TableName": self._table,
            "Key": _text(change_head_key(self._shard)),
            "UpdateExpression": "SET #log = :log, #last = :next",
            "ExpressionAttributeNames": {"#log": "log", "#last": "last"},
            "ExpressionAttributeValues": {":log": {"S": successor.log}, ":next": {"N": str(successor.last)}},
        }
        if head is None:
            return {
                **move,
                "ConditionExpression": "attribute_not_exists(#log) AND attribute_not_exists(#last)",
            }
        move["ExpressionAttributeValues"][":seen"] = {"N": str(head.last)}
        return {**move, "ConditionExpression": "#log = :log AND #last = :seen"}

    def _entry(self, series: Sequence[tuple[str, Wire]], sequence: int) -> Wire:
        from mangaassist.catalogue.items import change_key

        now = self._clock()
        return {
            **_text(change_key(self._shard, sequence)),
            "series_ids": {"L": [{"S": series_id} for series_id, _ in series]},
            "changed_at": {"S": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")},
            "expires_at": {"N": str(int(now) + RETENTION_SECONDS)},
        }

    def _read_head(self) -> Head | None:
        from mangaassist.catalogue.items import change_head_key

        with translated(DEPENDENCY):
            item = self._client.get_item(
                TableName=self._table, Key=_text(change_head_key(self._shard)), ConsistentRead=True
            ).get("Item")
        return None if item is None else Head(item["log"]["S"], int(item["last"]["N"]))


def _may_be_repeated(error: Exception) -> bool:
    """A transaction tells of each of its items why it was cancelled."""
    response = cast("Mapping[str, Any]", getattr(error, "response", {}))
    if response.get("Error", {}).get("Code") != "TransactionCanceledException":
        return False
    reasons = {reason.get("Code", "None") for reason in response.get("CancellationReasons", [])} - {"None"}
    return bool(reasons) and reasons <= RACES | THROTTLES | {"ThrottlingError"}


def _transactions(series: Sequence[tuple[str, Wire]]) -> Iterator[list[tuple[str, Wire]]]:
    """As many series at a time as a transaction takes, by number and by size."""
    some: list[tuple[str, Wire]] = []
    size = 0
    for series_id, item in series:
        weight = len(json.dumps(item, ensure_ascii=False).encode())
        if some and (len(some) == SERIES_LIMIT or size + weight > BYTES_LIMIT):
            yield some
            some, size = [], 0
        some.append((series_id, item))
        size += weight
    if some:
        yield some


def _text(key: Mapping[str, str]) -> Wire:
    return {name: {"S": value} for name, value in key.items()}
