"""The story of one ingest run: a feed file becomes table items and search documents.

1. Lines are read as a stream and checked one by one; a bad line is put aside with a reason, the run goes on.
2. Series are worked on in batches. What the table and the index hold unchanged already is skipped.
3. The rest is written to the table, embedded and indexed. The series item comes after its volumes and carries the
   content hash, so a run that died in between is repaired by the next one.
4. Every series must be found in the index in its new version; then the alias is pointed there.
5. The outcome is recorded under ``RUN#<object key>``.

Ids are deterministic and every write replaces, so the same event any number of times leaves the same data.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, Final

from mangaassist.catalogue.documents import content_hash, search_document
from mangaassist.catalogue.ports import (
    CatalogueIndex,
    CatalogueStore,
    DocumentEmbedder,
    FeedObject,
    FeedStore,
    Quarantined,
    RunRecord,
)
from mangaassist.catalogue.records import RejectedLine, SeriesRecord, read_line
from mangaassist.chat.stopwatch import Stopwatch
from mangaassist.errors import DependencyTimeout, MangaAssistError
from mangaassist.generation.policy import Embedding

BATCH: Final = 250
"""Series in memory at once: some 3 MB of vectors, and few enough for one lookup by id."""
MAXIMUM_QUARANTINED: Final = 1_000
"""Bad lines kept of one file; beyond that the file is not a feed, and only the count goes on."""
LONGEST_RUN_MS: Final = 900_000
"""A Lambda invocation ends after 15 minutes."""
POLL_SECONDS: Final = 0.25
MAXIMUM_POLL_SECONDS: Final = 5.0


@dataclass(slots=True)
class RunReport:
    """What a run did. ``documents`` is every usable series of the feed, ``indexed`` those that were new or changed."""

    documents: int = 0
    indexed: int = 0
    unchanged: int = 0
    volumes: int = 0
    quarantined: int = 0
    quarantine_key: str | None = None
    serving: bool = False
    """Whether readers see this index: false while the alias stays on another, fuller one."""
    timings_ms: dict[str, int] = field(default_factory=dict[str, int])

    def as_dict(self) -> dict[str, Any]:
        """The report as plain data."""
        return asdict(self)


class Ingestion:
    """One feed file after another, into one table and one index."""

    def __init__(
        self,
        *,
        feeds: FeedStore,
        catalogue: CatalogueStore,
        index: CatalogueIndex,
        embedder: DocumentEmbedder,
        embedding: Embedding,
        store_url: str,
        visibility_timeout_seconds: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._feeds = feeds
        self._catalogue = catalogue
        self._index = index
        self._embedder = embedder
        self._embedding = embedding
        self._store_url = store_url
        self._visibility_timeout_seconds = visibility_timeout_seconds
        self._sleep = sleep
        self._clock = clock

    async def run(self, feed: FeedObject) -> RunReport:
        """Ingest one file and record how it went.

        Raises:
            DependencyError: a service failed after its retries; the run is recorded as failed, and running it again
                goes on where it stopped.
        """
        await asyncio.to_thread(self._catalogue.record_run, feed, RunRecord("running", feed.etag))
        try:
            report = await self._ingest(feed)
        except Exception as error:
            # The text of a foreign exception may quote the feed, so only our own errors speak for themselves.
            reason = str(error) if isinstance(error, MangaAssistError) else type(error).__name__
            failed = RunRecord("failed", feed.etag, error=reason)
            await asyncio.to_thread(self._catalogue.record_run, feed, failed)
            raise
        done = RunRecord("succeeded", feed.etag, report.documents, report.quarantined)
        await asyncio.to_thread(self._catalogue.record_run, feed, done)
        return report

    async def _ingest(self, feed: FeedObject) -> RunReport:
        report, expected, bad = RunReport(), dict[str, str](), _Quarantine()
        watch = Stopwatch(LONGEST_RUN_MS, self._clock)
        with watch.stage("index"):
            await asyncio.to_thread(self._index.ensure)
        with self._feeds.lines(feed) as lines:
            for batch in _batches(_records(lines, bad)):
                await self._load(batch, report, expected, watch)
        report.quarantined = bad.count
        if bad.lines:
            report.quarantine_key = await asyncio.to_thread(self._feeds.quarantine, feed, bad.lines)
        with watch.stage("visible"):
            await self._until_visible(expected)
        if expected:
            report.serving = await asyncio.to_thread(self._index.ensure_alias)
        report.timings_ms = watch.timings_ms()
        return report

    async def _load(
        self, batch: list[SeriesRecord], report: RunReport, expected: dict[str, str], watch: Stopwatch
    ) -> None:
        hashes = {
            record.series_id: content_hash(record, index=self._index.name, store_url=self._store_url)
            for record in batch
        }
        expected.update(hashes)
        with watch.stage("compare"):
            in_table, in_index = await asyncio.gather(
                asyncio.to_thread(self._catalogue.content_hashes, list(hashes)),
                asyncio.to_thread(self._index.content_hashes, list(hashes)),
            )
        to_write = [record for record in batch if in_table.get(record.series_id) != hashes[record.series_id]]
        to_index = [record for record in batch if in_index.get(record.series_id) != hashes[record.series_id]]
        await asyncio.gather(
            self._write(to_write, hashes, watch),
            self._embed_and_index(to_index, hashes, watch),
        )
        report.documents += len(batch)
        report.indexed += len(to_index)
        report.unchanged += len(batch) - len({record.series_id for record in (*to_write, *to_index)})
        report.volumes += sum(len(record.volumes) for record in batch)

    async def _write(self, records: list[SeriesRecord], hashes: dict[str, str], watch: Stopwatch) -> None:
        if records:
            with watch.stage("table"):
                pairs = [(record, hashes[record.series_id]) for record in records]
                await asyncio.to_thread(self._catalogue.write, pairs)

    async def _embed_and_index(
        self, records: list[SeriesRecord], hashes: dict[str, str], watch: Stopwatch
    ) -> None:
        if not records:
            return
        documents = [search_document(record, store_url=self._store_url) for record in records]
        with watch.stage("embed"):
            texts = [str(document["text"]) for document in documents]
            vectors = await self._embedder.embed_all(texts, self._embedding)
        with watch.stage("search"):
            complete = [
                {**document, "content_hash": hashes[record.series_id], "embedding": vector}
                for record, document, vector in zip(records, documents, vectors, strict=True)
            ]
            await asyncio.to_thread(self._index.write, complete)

    async def _until_visible(self, expected: dict[str, str]) -> None:
        """Wait until each series is found in its new version: written is not yet readable on Serverless."""
        deadline, pause = self._clock() + self._visibility_timeout_seconds, POLL_SECONDS
        pending = dict(expected)
        while pending:
            for some in _chunks(list(pending), BATCH):
                found = await asyncio.to_thread(self._index.content_hashes, some)
                for series_id, digest in found.items():
                    if pending.get(series_id) == digest:
                        del pending[series_id]
            if not pending:
                return
            if self._clock() >= deadline:
                raise DependencyTimeout(
                    "search", f"{len(pending)} of {len(expected)} documents not visible in time"
                )
            await self._sleep(pause)
            pause = min(pause * 2, MAXIMUM_POLL_SECONDS)


class _Quarantine:
    """Counts every bad line and keeps the first ``MAXIMUM_QUARANTINED``."""

    def __init__(self) -> None:
        self.count = 0
        self.lines: list[Quarantined] = []

    def add(self, line: Quarantined) -> None:
        self.count += 1
        if len(self.lines) < MAXIMUM_QUARANTINED:
            self.lines.append(line)


def _records(lines: Iterable[bytes], bad: _Quarantine) -> Iterator[SeriesRecord]:
    """The usable series of a feed; nothing in it may claim an id or an ASIN twice."""
    first_seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = read_line(line)
            for claim in (record.series_id, *(volume.asin for volume in record.volumes)):
                if claim in first_seen:
                    raise RejectedLine(f"{claim} stands on line {first_seen[claim]} already")
        except RejectedLine as error:
            bad.add(Quarantined(number, error.reason, line))
            continue
        first_seen[record.series_id] = number
        first_seen.update((volume.asin, number) for volume in record.volumes)
        yield record


def _batches(records: Iterator[SeriesRecord]) -> Iterator[list[SeriesRecord]]:
    while batch := list(islice(records, BATCH)):
        yield batch


def _chunks(ids: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
