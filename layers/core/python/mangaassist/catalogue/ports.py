"""What an ingest run needs from the world. Every method may raise ``DependencyError`` or one of its kinds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from mangaassist.catalogue.records import SeriesRecord
from mangaassist.generation.policy import Embedding
from mangaassist.ports import Vector


@dataclass(frozen=True, slots=True)
class FeedObject:
    """One uploaded feed file."""

    bucket: str
    key: str
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A line that could not be used: where it stood, why, and what it was."""

    line: int
    reason: str
    content: bytes


class FeedStore(Protocol):
    """The bucket that feeds arrive in."""

    def lines(self, feed: FeedObject) -> AbstractContextManager[Iterable[bytes]]:
        """The lines of a feed, read as they are needed."""
        ...

    def quarantine(self, feed: FeedObject, lines: Sequence[Quarantined]) -> str:
        """Put the bad lines of a feed aside; returns the key they lie under."""
        ...


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What is known about the latest run over one feed object."""

    status: Literal["running", "succeeded", "failed"]
    etag: str | None = None
    documents: int = 0
    quarantined: int = 0
    error: str | None = None


class CatalogueStore(Protocol):
    """The catalogue table."""

    def content_hashes(self, series_ids: Sequence[str]) -> dict[str, str]:
        """The receipts of those series that the table holds completely."""
        ...

    def write(self, records: Sequence[tuple[SeriesRecord, str]]) -> None:
        """Write each record's volumes, and then the series with its content hash as the receipt."""
        ...

    def record_run(self, feed: FeedObject, run: RunRecord) -> None: ...


class CatalogueIndex(Protocol):
    """The search index of one mapping and embedding, behind its alias."""

    @property
    def name(self) -> str: ...

    def ensure(self) -> None:
        """Create the index if it is not there."""
        ...

    def content_hashes(self, series_ids: Sequence[str]) -> dict[str, str]:
        """The content hash of each of those series that can be found now."""
        ...

    def write(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Write documents under their ``chunk_id``; writing one again replaces it."""
        ...

    def ensure_alias(self) -> bool:
        """Point the alias here; returns false where it stays on another, fuller index."""
        ...


class DocumentEmbedder(Protocol):
    """Turns many texts into vectors with one fixed model."""

    async def embed_all(self, texts: Sequence[str], embedding: Embedding) -> list[Vector]: ...
