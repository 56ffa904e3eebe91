"""The writer's side of the search index, within what OpenSearch Serverless offers.

No ``_refresh``, no by-query calls: what was written is found again by polling, and replaced under its own id. Where
the service refuses ids of the caller's choice (Classic vector collections do), documents are inserted without one and
the versions they replace are deleted by the ids the service gave them, so that a series is found once, newest.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from mangaassist.catalogue.documents import VectorMapping, index_body
from mangaassist.errors import DependencyError, DependencyThrottled, DependencyTimeout

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

DEPENDENCY: Final = "search"
SWITCH_ATTEMPTS: Final = 3
BULK_BYTES: Final = 5 * 1024 * 1024
BULK_DOCUMENTS: Final = 500
"""Serverless states no bulk limit; these are the sizes its clients are advised to keep to."""
LOOKUP_LIMIT: Final = 500
ATTEMPTS: Final = 8
FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 10.0
FULL_ENOUGH: Final = 0.99
"""An index takes the alias over only with this share of the documents that are served now (ING-4)."""
IDS_REFUSED: Final = "Document ID is not supported"

T = TypeVar("T")


class OpenSearchCatalogueIndex:
    """One index and the alias that readers use."""

    def __init__(
        self,
        client: OpenSearch,
        *,
        name: str,
        alias: str,
        vectors: VectorMapping,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._name = name
        self._alias = alias
        self._vectors = vectors
        self._sleep = sleep
        self._ids_accepted = True

    @property
    def name(self) -> str:
        """The index's own name; readers only know the alias."""
        return self._name

    def ensure(self) -> None:
        """Create the index if it is not there, and wait until it can be seen."""
        if self._exists():
            return
        try:
            self._call(lambda: self._client.indices.create(index=self._name, body=index_body(self._vectors)))
        except DependencyError as error:
            # Another run over another part of the same feed was quicker.
            if error.reason != "resource_already_exists_exception":
                raise
        for attempt in range(ATTEMPTS):
            if self._exists():
                return
            self._pause(attempt)
        raise DependencyTimeout(DEPENDENCY, "index not visible after its creation")

    def content_hashes(self, series_ids: Sequence[str]) -> dict[str, str]:
        """The content hash of each of those series that can be found now."""
        return {source["series_id"]: source["content_hash"] for _, source in self._find(series_ids)}

    def write(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Write documents under their ``chunk_id``; writing one again replaces it.

        Raises:
            DependencyError: the service refused a document, or kept failing.
        """
        encoded = [
            _Encoded(document["series_id"], document["chunk_id"], _json(document)) for document in documents
        ]
        for batch in _batches(encoded):
            if self._ids_accepted:
                refused = self._bulk([document.line(self._name, with_id=True) for document in batch])
                if not refused:
                    continue
                self._ids_accepted = False
                batch = [batch[place] for place in refused]
            self._replace_without_ids(batch)

    def ensure_alias(self) -> bool:
        """Point the alias here in one atomic call; returns false where it stays on another, fuller index."""
        for _ in range(SWITCH_ATTEMPTS - 1):
            try:
                return self._switch_alias()
            except DependencyError as error:
                # Another part of the feed, ingested at the same time, was the first to switch it: look again.
                if error.reason != "aliases_not_found_exception":
                    raise
        return self._switch_alias()

    def _switch_alias(self) -> bool:
        served = self._served()
        if served == {self._name}:
            return True
        others = sorted(served - {self._name})
        if others:
            current = max(self._count(other) for other in others)
            if self._count(self._name) < FULL_ENOUGH * current:
                return False
        actions = [{"remove": {"index": other, "alias": self._alias}} for other in others]
        actions.append({"add": {"index": self._name, "alias": self._alias}})
        self._call(lambda: self._client.indices.update_aliases(body={"actions": actions}))
        return True

    def _replace_without_ids(self, documents: Sequence[_Encoded]) -> None:
        replaced = [found for found, _ in self._find([document.series_id for document in documents])]
        self._bulk([document.line(self._name, with_id=False) for document in documents])
        if replaced:
            self._bulk([_json({"delete": {"_index": self._name, "_id": found}}) for found in replaced])

    def _find(self, series_ids: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
        for some in _chunks(series_ids, LOOKUP_LIMIT):
            body = {
                # Two versions of a series can be visible for a moment where ids are the service's own.
                "size": 2 * LOOKUP_LIMIT,
                "_source": ["series_id", "content_hash"],
                "query": {"bool": {"filter": [{"terms": {"series_id": list(some)}}]}},
            }
            answer = self._call(lambda body=body: self._client.search(index=self._name, body=body))
            for hit in answer["hits"]["hits"]:
                yield hit["_id"], hit["_source"]

    def _bulk(self, lines: Sequence[bytes]) -> list[int]:
        """Send actions, again and again those that the service throttled or failed.

        Returns:
            Places of the lines whose id the service refused; anything else it refuses is an error.
        """
        pending = dict(enumerate(lines))
        ids_refused: list[int] = []
        for attempt in range(ATTEMPTS):
            body = b"".join(pending.values())
            answer = self._call(lambda body=body: self._client.bulk(body=body))
            places, waiting = list(pending), dict[int, bytes]()
            for place, item in zip(places, answer["items"], strict=True):
                outcome = cast("dict[str, Any]", next(iter(item.values())))
                status = int(outcome["status"])
                if status < 300 or (status == 404 and "delete" in item):
                    continue
                if status == 429 or status >= 500:
                    waiting[place] = pending[place]
                elif IDS_REFUSED in str(outcome.get("error")):
                    ids_refused.append(place)
                else:
                    raise DependencyError(DEPENDENCY, _kind(outcome.get("error"), status))
            if not waiting:
                return ids_refused
            pending = waiting
            self._pause(attempt)
        raise DependencyThrottled(DEPENDENCY, f"{len(pending)} bulk items")

    def _exists(self) -> bool:
        return bool(self._call(lambda: self._client.indices.exists(index=self._name)))

    def _count(self, index: str) -> int:
        return int(self._call(lambda: self._client.count(index=index))["count"])

    def _served(self) -> set[str]:
        """The indexes behind the alias now."""
        if not self._call(lambda: self._client.indices.exists_alias(name=self._alias)):
            return set()
        return set(self._call(lambda: self._client.indices.get_alias(name=self._alias)))

    def _call(self, call: Callable[[], Any]) -> Any:
        """One call, repeated while the service throttles or is not there."""
        for attempt in range(ATTEMPTS):
            try:
                return call()
            except Exception as error:
                failure = _failure(error)
                if failure is None:
                    raise
                if attempt == ATTEMPTS - 1 or type(failure) is DependencyError:
                    raise failure from error
            self._pause(attempt)
        raise AssertionError("unreachable")

    def _pause(self, attempt: int) -> None:
        """Exponential backoff with full jitter."""
        ceiling = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**attempt)
        self._sleep(random.uniform(0, ceiling))  # noqa: S311 - jitter, not a secret


def _failure(error: Exception) -> DependencyError | None:
    """The client's error in the product's words: throttles and time-outs may pass, a plain error will not."""
    from opensearchpy.exceptions import (
        ConnectionError,
        ConnectionTimeout,
        OpenSearchException,
        TransportError,
    )

    if isinstance(error, ConnectionTimeout):
        return DependencyTimeout(DEPENDENCY, "ConnectionTimeout")
    if isinstance(error, ConnectionError):
        return DependencyTimeout(DEPENDENCY, "ConnectionError")
    if isinstance(error, TransportError):
        status = error.status_code
        if status == 429:
            return DependencyThrottled(DEPENDENCY, "429")
        if isinstance(status, int) and status >= 500:
            return DependencyTimeout(DEPENDENCY, str(status))
        return DependencyError(DEPENDENCY, str(error.error))
    return (
        DependencyError(DEPENDENCY, type(error).__name__) if isinstance(error, OpenSearchException) else None
    )


def _kind(error: object, status: int) -> str:
    """The service's class of error, never its text, which quotes the document."""
    if isinstance(error, Mapping):
        return str(cast("Mapping[str, object]", error).get("type", status))
    return str(status)


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A document as it goes over the wire; encoding a thousand floats is the dear part, so it happens once."""

    series_id: str
    chunk_id: str
    body: bytes

    def line(self, index: str, *, with_id: bool) -> bytes:
        """The document as a bulk action."""
        return _json({"index": {"_index": index, **({"_id": self.chunk_id} if with_id else {})}}) + self.body


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _batches(documents: Sequence[_Encoded]) -> Iterator[list[_Encoded]]:
    """At most ``BULK_DOCUMENTS`` and ``BULK_BYTES`` at once; a document over the size goes alone."""
    batch, size = list[_Encoded](), 0
    for document in documents:
        if batch and (len(batch) == BULK_DOCUMENTS or size + len(document.body) > BULK_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(document)
        size += len(document.body)
    if batch:
        yield batch


def _chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
