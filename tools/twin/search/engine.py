"""tantivy behind names of our own: one ``Generation`` is one tantivy index with one schema.

A schema cannot grow, so new mappings mean a new generation that the documents are copied into (``index``).
Field paths become ``f0``, ``f1`` …: tantivy gives dots and some characters a meaning of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tantivy

from tools.twin.search.analysis import ANALYZERS
from tools.twin.search.documents import Document, Vector
from tools.twin.search.mappings import Mappings
from tools.twin.search.vectors import Rows

WRITER_HEAP_BYTES = 15_000_000
"""tantivy's minimum for its one indexing thread."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a live document is and which write made it."""

    row: int
    version: int
    seq_no: int


class Generation:
    """A tantivy index on disk, made for ``mappings``."""

    def __init__(self, path: Path, mappings: Mappings) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path, self.mappings = path, mappings
        self.names = {field: f"f{number}" for number, field in enumerate(mappings.fields)}
        self.schema = self._schema()
        self._index = tantivy.Index(self.schema, path=str(path))
        self._index.config_reader("manual")
        self._writer: tantivy.IndexWriter | None = None

    def _schema(self) -> tantivy.Schema:
        builder = tantivy.SchemaBuilder()
        builder.add_text_field("id", stored=True, tokenizer_name="raw")
        builder.add_text_field("exists", tokenizer_name="raw")
        builder.add_unsigned_field("row", stored=True, indexed=True, fast=True)
        builder.add_unsigned_field("version", stored=True)
        builder.add_unsigned_field("seq_no", stored=True)
        builder.add_bytes_field("source", stored=True)
        for path, name in self.names.items():
            match self.mappings.fields[path].kind:
                case "text":
                    builder.add_text_field(name, tokenizer_name="whitespace", index_option="freq")
                case "keyword":
                    builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
                case "integer" | "date":
                    builder.add_integer_field(name, indexed=True, fast=True)
                case "float":
                    builder.add_float_field(name, indexed=True, fast=True)
                case "boolean":
                    builder.add_boolean_field(name, indexed=True, fast=True)
                case "knn_vector":
                    builder.add_bytes_field(name, stored=True)
        return builder.build()

    def write(self, puts: list[tuple[Document, Entry]], deletes: list[str]) -> None:
        """Replace and delete documents by id, durably: when this returns, a kill loses nothing of it."""
        writer = self._writer = self._writer or self._index.writer(WRITER_HEAP_BYTES, 1)
        try:
            for doc_id in deletes:
                writer.delete_documents_by_term("id", doc_id)
            for document, entry in puts:
                writer.delete_documents_by_term("id", document.id)
                writer.add_document(self._encode(document, entry))
            writer.commit()
        except BaseException:
            writer.rollback()
            raise
        self._index.reload()

    def _encode(self, document: Document, entry: Entry) -> tantivy.Document:
        encoded = tantivy.Document()
        encoded.add_text("id", document.id)
        encoded.add_unsigned("row", entry.row)
        encoded.add_unsigned("version", entry.version)
        encoded.add_unsigned("seq_no", entry.seq_no)
        encoded.add_bytes("source", document.source)
        for path, vector in document.vectors.items():
            encoded.add_text("exists", path)
            encoded.add_bytes(self.names[path], vector.tobytes())
        for path, values in document.values.items():
            encoded.add_text("exists", path)
            field, name = self.mappings.fields[path], self.names[path]
            if not field.indexed:
                continue
            add = {
                "text": encoded.add_text,
                "keyword": encoded.add_text,
                "integer": encoded.add_integer,
                "date": encoded.add_integer,
                "float": encoded.add_float,
                "boolean": encoded.add_boolean,
            }[field.kind]
            for value in values:
                add(name, " ".join(ANALYZERS[field.analyzer](str(value))) if field.kind == "text" else value)
        return encoded

    def snapshot(self) -> Snapshot:
        return Snapshot(self, self._index.searcher())

    def close(self) -> None:
        """Release the writer's threads and its lock."""
        if self._writer is not None:
            self._writer.rollback()
        self._writer = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A document as it was kept."""

    id: str
    entry: Entry
    source: bytes
    vectors: dict[str, Vector]

    def parsed(self) -> dict[str, Any]:
        return json.loads(self.source)


class Snapshot:
    """The documents of one commit; stays the same while later commits happen."""

    def __init__(self, generation: Generation, searcher: tantivy.Searcher) -> None:
        self.generation, self._searcher = generation, searcher
        self.mappings = generation.mappings

    def __len__(self) -> int:
        return self._searcher.num_docs

    def field(self, path: str) -> str:
        """tantivy's name of a mapped field."""
        return self.generation.names[path]

    def search(self, query: tantivy.Query, limit: int) -> tuple[list[tuple[float, tantivy.DocAddress]], int]:
        """The best ``limit`` hits and how many documents match."""
        result = self._searcher.search(query, limit=max(1, limit), count=True)
        return result.hits[:limit], result.count  # pyright: ignore[reportAttributeAccessIssue] - stub lacks count

    def rows(self, query: tantivy.Query) -> Rows:
        """The rows of every match, ascending, without scoring."""
        everything = max(1, len(self))
        hits = self._searcher.search(
            query, limit=everything, count=False, order_by_field="row", order=tantivy.Order.Asc
        ).hits
        return np.fromiter((row for row, _ in hits), dtype=np.int64, count=len(hits))

    def terms(self, path: str) -> list[str]:
        """Every term of a keyword field."""
        return [term for term, _ in self._searcher.terms_with_prefix(self.field(path), "")]

    def load(self, address: tantivy.DocAddress) -> Stored:
        kept = self._searcher.doc(address).to_dict()
        vectors = {
            path: np.frombuffer(kept[name][0], dtype=np.float32)
            for path, name in self.generation.names.items()
            if name in kept
        }
        entry = Entry(kept["row"][0], kept["version"][0], kept["seq_no"][0])
        return Stored(kept["id"][0], entry, kept["source"][0], vectors)

    def get(self, doc_id: str) -> Stored | None:
        hits, _ = self.search(tantivy.Query.term_query(self.generation.schema, "id", doc_id), 1)
        return self.load(hits[0][1]) if hits else None

    def everything(self) -> Iterator[Stored]:
        hits, _ = self.search(tantivy.Query.all_query(), len(self))
        return (self.load(address) for _, address in hits)
