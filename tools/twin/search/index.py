"""One index: its documents, what of them searches may see yet, and how writes become durable.

Life of a write: ``Batch`` checks each item and answers it at once, ``commit`` writes all of them to tantivy and
fsyncs, the new snapshot queues until the visibility delay has passed, then searches see it. Reads by id see the
newest commit, as OpenSearch's do.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.twin.search.clock import Clock
from tools.twin.search.documents import Document, insert, merge, prepare
from tools.twin.search.engine import Entry, Generation, Snapshot, Stored
from tools.twin.search.errors import OpenSearchError
from tools.twin.search.mappings import Mappings
from tools.twin.search.settings import SearchSettings
from tools.twin.search.vectors import VectorTable


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one write did, in the words of the reply."""

    id: str
    result: str
    version: int
    seq_no: int

    @property
    def status(self) -> int:
        return {"created": 201, "not_found": 404}.get(self.result, 200)

    def body(self, index: str) -> dict[str, Any]:
        return {
            "_index": index,
            "_id": self.id,
            "_version": self.version,
            "result": self.result,
            "_shards": {"total": 0, "successful": 0, "failed": 0},
            "_seq_no": self.seq_no,
            "_primary_term": 1,
        }


@dataclass(frozen=True, slots=True)
class _Pending:
    written_at: float
    snapshot: Snapshot
    freed_rows: list[int]


class Index:
    """An index and everything in it."""

    def __init__(
        self,
        name: str,
        path: Path,
        clock: Clock,
        service: SearchSettings,
        record: Mapping[str, Any],
    ) -> None:
        self.name, self.settings = name, dict(record["settings"])
        self.uuid: str = record["uuid"]
        self.created_ms: int = record["created_ms"]
        self._path, self._clock, self._service = path, clock, service
        self._number: int = record["generation"]
        # What was accepted once must load again, whatever the flags say today.
        mappings = Mappings(record["mappings"], SearchSettings(hnsw_parameters=True))
        self._open(Generation(path / str(self._number), mappings))

    def _open(self, generation: Generation) -> None:
        self.generation = generation
        self._newest = self._visible = generation.snapshot()
        self._pending: deque[_Pending] = deque()
        self.entries: dict[str, Entry] = {}
        self.tables = _tables(generation.mappings)
        for stored in self._newest.everything():
            self.entries[stored.id] = stored.entry
            for field, vector in stored.vectors.items():
                self.tables[field].put(stored.entry.row, vector)
        used = {entry.row for entry in self.entries.values()}
        self._next_row = max(used, default=-1) + 1
        self._free_rows = sorted(set(range(self._next_row)) - used, reverse=True)
        self._next_seq_no = max((entry.seq_no for entry in self.entries.values()), default=-1) + 1

    @property
    def mappings(self) -> Mappings:
        return self.generation.mappings

    def record(self) -> dict[str, Any]:
        """What the collection keeps about this index."""
        return {
            "uuid": self.uuid,
            "created_ms": self.created_ms,
            "settings": self.settings,
            "mappings": self.mappings.document,
            "generation": self._number,
        }

    # --- reading ------------------------------------------------------------------------------------

    def visible(self) -> Snapshot:
        """What searches may see now."""
        seen_until = self._clock.now() - self._service.visibility_delay_seconds
        while self._pending and self._pending[0].written_at <= seen_until:
            pending = self._pending.popleft()
            self._visible = pending.snapshot
            self._free_rows += pending.freed_rows
        return self._visible

    def get(self, doc_id: str) -> Stored | None:
        """The newest commit's document."""
        return self._newest.get(doc_id) if doc_id in self.entries else None

    # --- writing ------------------------------------------------------------------------------------

    def batch(self) -> Batch:
        return Batch(self)

    def commit(self, mappings: Mappings, documents: Mapping[str, tuple[Document | None, Entry]]) -> bool:
        """Make writes durable; True when the mappings grew, so that the collection must be saved."""
        grew = mappings is not self.mappings
        target = self._generation_for(mappings) if grew else self.generation
        puts = [(document, entry) for document, entry in documents.values() if document]
        deletes = [doc_id for doc_id, (document, _) in documents.items() if not document]
        target.write(puts, deletes)
        old, self.generation = self.generation, target
        self._newest = target.snapshot()
        freed = [self.entries[doc_id].row for doc_id in documents if doc_id in self.entries]
        for document, entry in puts:
            self.entries[document.id] = entry
            for field, vector in document.vectors.items():
                self.tables[field].put(entry.row, vector)
        for doc_id in deletes:
            self.entries.pop(doc_id, None)
        self._pending.append(_Pending(self._clock.now(), self._newest, freed))
        if grew:
            self._number += 1
            old.close()
        self.visible()
        return grew

    def _generation_for(self, mappings: Mappings) -> Generation:
        """A new generation holding today's documents under ``mappings``."""
        path = self._path / str(self._number + 1)
        shutil.rmtree(path, ignore_errors=True)  # left by a process killed at this point
        generation = Generation(path, mappings)
        copies = [
            (prepare(stored.id, restored(stored), mappings), stored.entry)
            for stored in self._newest.everything()
        ]
        generation.write(copies, [])
        self.tables = {**_tables(mappings), **self.tables}
        return generation

    def drop_old_generations(self) -> None:
        """Remove files that the saved record no longer names; readers keep what they have open."""
        for path in self._path.iterdir():
            if path.name != str(self._number):
                shutil.rmtree(path, ignore_errors=True)

    def next_entry(self, version: int) -> Entry:
        row = self._free_rows.pop() if self._free_rows else self._next_row
        self._next_row = max(self._next_row, row + 1)
        self._next_seq_no += 1
        return Entry(row, version, self._next_seq_no - 1)

    def discard(self, rows: list[int]) -> None:
        """Give back rows of a batch that was not committed."""
        self._free_rows += rows

    def close(self) -> None:
        self.generation.close()

    def delete_files(self) -> None:
        self.close()
        shutil.rmtree(self._path, ignore_errors=True)


class Batch:
    """Writes to one index, answered one by one and made durable together."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._mappings = index.mappings
        self._writes: dict[str, tuple[Document | None, Entry]] = {}
        self._replaced_rows: list[int] = []

    def put(self, doc_id: str | None, source: Mapping[str, Any], *, create: bool = False) -> Outcome:
        """Index a document; ``create`` refuses one that exists."""
        doc_id = doc_id or uuid.uuid4().hex[:20]
        if not 0 < len(doc_id.encode()) <= 512:
            raise OpenSearchError(
                400,
                "illegal_argument_exception",
                f"id is too long, must be no longer than 512 bytes: {doc_id[:40]}…",
            )
        known = self._entry(doc_id)
        if create and known:
            raise OpenSearchError(
                409,
                "version_conflict_engine_exception",
                f"[{doc_id}]: version conflict, document already exists (current version [{known.version}])",
                index=self._index.name,
                index_uuid=self._index.uuid,
                shard="0",
            )
        mappings = self._mappings.grown_for(source)
        document = prepare(doc_id, source, mappings)
        self._mappings = mappings
        entry = self._index.next_entry(known.version + 1 if known else 1)
        self._record(doc_id, document, entry)
        return Outcome(doc_id, "updated" if known else "created", entry.version, entry.seq_no)

    def update(self, doc_id: str, body: Mapping[str, Any]) -> Outcome:
        """Merge ``doc`` into a document, or insert ``upsert`` / ``doc`` (with ``doc_as_upsert``)."""
        current, part = self._current(doc_id), body.get("doc", {})
        if current is not None:
            return self.put(doc_id, merge(current, part))
        if body.get("doc_as_upsert"):
            return self.put(doc_id, part)
        if "upsert" in body:
            return self.put(doc_id, body["upsert"])
        raise OpenSearchError(404, "document_missing_exception", f"[{doc_id}]: document missing")

    def delete(self, doc_id: str) -> Outcome:
        known = self._entry(doc_id)
        if known is None:
            return Outcome(doc_id, "not_found", 1, 0)
        entry = self._index.next_entry(known.version + 1)
        self._record(doc_id, None, entry)
        return Outcome(doc_id, "deleted", entry.version, entry.seq_no)

    def commit(self) -> bool:
        """Make the writes durable; True when the mappings grew."""
        if not self._writes and self._mappings is self._index.mappings:
            return False
        grew = self._index.commit(self._mappings, self._writes)
        gone = [entry.row for document, entry in self._writes.values() if document is None]
        self._index.discard(self._replaced_rows + gone)
        return grew

    def grow(self, mappings: Mappings) -> None:
        """Put these mappings in force at commit."""
        self._mappings = mappings

    def _record(self, doc_id: str, document: Document | None, entry: Entry) -> None:
        if doc_id in self._writes:
            self._replaced_rows.append(self._writes[doc_id][1].row)
        self._writes[doc_id] = (document, entry)

    def _entry(self, doc_id: str) -> Entry | None:
        if doc_id in self._writes:
            document, entry = self._writes[doc_id]
            return entry if document else None
        return self._index.entries.get(doc_id)

    def _current(self, doc_id: str) -> dict[str, Any] | None:
        if doc_id in self._writes:
            document, entry = self._writes[doc_id]
            return (
                restored(Stored(doc_id, entry, document.source, dict(document.vectors))) if document else None
            )
        stored = self._index.get(doc_id)
        return restored(stored) if stored else None


def restored(stored: Stored) -> dict[str, Any]:
    """The source with its vectors back in place."""
    source = stored.parsed()
    for field, vector in stored.vectors.items():
        insert(source, field, vector.tolist())
    return source


def new_record(settings: Mapping[str, Any], mappings: Mappings) -> dict[str, Any]:
    """The record of an index that is about to exist."""
    return {
        "uuid": uuid.uuid4().hex[:22],
        "created_ms": int(time.time() * 1000),
        "settings": dict(settings),
        "mappings": mappings.document,
        "generation": 1,
    }


def _tables(mappings: Mappings) -> dict[str, VectorTable]:
    return {field.path: VectorTable(field.dimension, field.space) for field in mappings.vectors}
