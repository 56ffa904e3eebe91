"""The catalogue table, read: books by key, everything at the start, and the change log from a position on.

Blocking, for worker threads. Every call may raise ``DependencyError`` or one of its kinds. Every read is consistent: the
log says that a series changed, and what is read then must be the change. One item that cannot be read counts as absent,
and is logged: one bad line of a feed must not take the other series away.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from mangaassist.adapters.errors import translated
from mangaassist.catalogue.items import change_head_key, change_key, product_key, series_key
from mangaassist.errors import DependencyThrottled, DependencyTimeout
from services.catalogue.facts import Series, Volume, plain, series_of, volume_of
from services.catalogue.tokens import Position

DEPENDENCY: Final = "dynamodb"
DEADLINE: Final = "deadline"
"""Reason of the error when ``until`` has come."""
GET_LIMIT: Final = 100
"""Keys one BatchGetItem takes (API model dynamodb)."""
SEGMENTS: Final = 4
"""Of the parallel scan; each is read page by page, 1 MB at a time."""
ATTEMPTS: Final = 5
FIRST_PAUSE_SECONDS: Final = 0.02
LONGEST_PAUSE_SECONDS: Final = 0.5

Item = Mapping[str, Any]
T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the change log."""

    sequence: int
    series_ids: tuple[str, ...]
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Tail:
    """The change log from a position on: where it ends, and the entries until there. No end: there is no log yet."""

    end: Position | None
    entries: tuple[Entry, ...]


class CatalogueTable:
    """``client`` is a dynamodb client; ``shard`` the part of the change log that is followed."""

    def __init__(
        self,
        client: Any,
        name: str,
        shard: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._name = name
        self._shard = shard
        self._sleep = sleep
        self._clock = clock

    def volumes(self, asins: Sequence[str], *, until: float | None = None) -> dict[str, Volume]:
        """Those of ``asins`` that exist; nothing is tried any more past ``until`` (monotonic seconds)."""
        keys = [product_key(asin) for asin in asins]
        return {volume.asin: volume for volume in _readable(self._get(keys, until), volume_of)}

    def series(self, series_ids: Sequence[str], *, until: float | None = None) -> dict[str, Series]:
        """Those series that exist."""
        keys = [series_key(series_id) for series_id in series_ids]
        return {series.series_id: series for series in _readable(self._get(keys, until), series_of)}

    def with_volumes(self, series_ids: Sequence[str]) -> list[tuple[Series, list[Volume]]]:
        """Those series that exist, each with what it lists."""
        found = self.series(series_ids)
        volumes = self.volumes([asin for series in found.values() for asin in series.listed or ()])
        return [
            (series, [volumes[asin] for asin in series.listed or () if asin in volumes])
            for series in found.values()
        ]

    def everything(self) -> tuple[list[Series], list[Volume]]:
        """All series and volumes, by a parallel scan."""
        series: list[Series] = []
        volumes: list[Volume] = []

        def read(segment: int) -> None:
            for item in self._scan(segment):
                if item["sk"]["S"] == "SERIES":
                    series.extend(_readable([item], series_of))
                else:
                    volumes.extend(_readable([item], volume_of))

        with ThreadPoolExecutor(SEGMENTS, thread_name_prefix="scan") as pool:
            list(pool.map(read, range(SEGMENTS)))
        return series, volumes

    def tail(self, sequence: int) -> Tail:
        """What follows entry ``sequence`` in the change log, and its end; one query when little has happened."""
        first, last = change_key(self._shard, sequence + 1), change_head_key(self._shard)
        ask: dict[str, Any] = {
            "TableName": self._name,
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :first AND :last",
            "ExpressionAttributeValues": {
                ":pk": {"S": first["pk"]},
                ":first": {"S": first["sk"]},
                ":last": {"S": last["sk"]},
            },
            # The order of the log holds for whoever reads what is committed.
            "ConsistentRead": True,
        }
        entries: list[Entry] = []
        while True:
            answer = self._call("query", **ask)
            for item in answer["Items"]:
                if item["sk"]["S"] == last["sk"]:
                    end = Position(item["log"]["S"], int(item["last"]["N"]))
                    # An entry may have been added between the pages; it comes next time.
                    return Tail(end, tuple(entries))
                entries.append(_entry(item))
            if "LastEvaluatedKey" not in answer:
                return Tail(None, ())
            ask["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _get(self, keys: Sequence[Mapping[str, str]], until: float | None) -> Iterator[Item]:
        for start in range(0, len(keys), GET_LIMIT):
            pending = [
                {name: {"S": value} for name, value in key.items()} for key in keys[start : start + GET_LIMIT]
            ]
            for attempt in range(ATTEMPTS):
                if until is not None and self._clock() >= until:
                    raise DependencyTimeout(DEPENDENCY, DEADLINE)
                ask = {"Keys": pending, "ConsistentRead": True}
                answer = self._call("batch_get_item", RequestItems={self._name: ask})
                yield from answer["Responses"].get(self._name, [])
                pending = answer.get("UnprocessedKeys", {}).get(self._name, {}).get("Keys", [])
                if not pending:
                    break
                ceiling = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**attempt)
                self._sleep(random.uniform(0, ceiling))  # noqa: S311 - jitter, not a secret
            else:
                raise DependencyThrottled(DEPENDENCY, "UnprocessedKeys")

    def _scan(self, segment: int) -> Iterator[Item]:
        ask: dict[str, Any] = {
            "TableName": self._name,
            "Segment": segment,
            "TotalSegments": SEGMENTS,
            "FilterExpression": "sk IN (:series, :product)",
            "ExpressionAttributeValues": {":series": {"S": "SERIES"}, ":product": {"S": "PRODUCT"}},
            # A change that was logged before the scan began must be in it.
            "ConsistentRead": True,
        }
        while True:
            answer = self._call("scan", **ask)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            ask["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _call(self, operation: str, **arguments: Any) -> Any:
        with translated(DEPENDENCY):
            return getattr(self._client, operation)(**arguments)


def _readable(items: Iterable[Item], read: Callable[[Item], T]) -> Iterator[T]:
    for item in items:
        try:
            yield read(item)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            facts = {"item": item["pk"]["S"], "reason": type(error).__name__}
            log.error("an item cannot be read", extra={"facts": facts})


def _entry(item: Item) -> Entry:
    return Entry(
        sequence=int(item["sk"]["S"].removeprefix("ENTRY#")),
        series_ids=tuple(plain(item["series_ids"])),
        changed_at=datetime.fromisoformat(item["changed_at"]["S"]),
    )
