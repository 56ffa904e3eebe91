"""The environment of the ingest function."""

from __future__ import annotations

from dataclasses import dataclass

from mangaassist.settings import PolicySettings, SearchSettings, StorefrontSettings


@dataclass(frozen=True, kw_only=True)
class IngestSettings(PolicySettings, SearchSettings, StorefrontSettings):
    """Everything the ``ingest`` function needs."""

    catalogue_table: str
    embedding_concurrency: int = 8
    """Embedding calls in flight at once; the account's requests per minute bound it."""
    visibility_timeout_seconds: int = 120
    """Longest wait until written documents can be found: 10 s on NextGen collections, 60 s on Classic ones."""
    vector_m: int = 0
    """HNSW ``m`` (16) of RET-2; 0 leaves it to the service, as NextGen collections want."""
    vector_ef_construction: int = 0
    """HNSW ``ef_construction`` (512) of RET-2; 0 as above."""
    vector_compression_level: str = ""
    """``1x`` … ``32x``; empty leaves it to the service."""
