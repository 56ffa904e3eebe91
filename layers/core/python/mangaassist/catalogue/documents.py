"""From a series record to its search document and to the text that is embedded; pure functions.

A series is one chunk: its facts fit well under the 512 tokens of ING-2. The embedded text names genres, creators and
titles in both languages, so that a question in either lands near the same series.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from mangaassist.catalogue import terms
from mangaassist.catalogue.records import SeriesRecord, Volume
from mangaassist.store.pages import series_page

MAPPING_VERSION: Final = "v1"
"""Part of every index name; raised when the mapping or the embedded text changes."""
ACCESS_GROUPS: Final = ("public",)
LANGUAGES: Final = ("en", "ja")


@dataclass(frozen=True, slots=True)
class VectorMapping:
    """How vectors are indexed. What is ``None`` is left to the service.

    NextGen collections choose engine and mode themselves and are known to take ``name`` and ``space_type``; Classic
    ones also take ``m`` and ``ef_construction`` (RET-2).
    """

    dimensions: int
    m: int | None = None
    ef_construction: int | None = None
    compression_level: str | None = None


def document_id(series_id: str) -> str:
    """The id of a series' only chunk; the same at every run, so writing twice makes no duplicate."""
    return f"{series_id}#0"


def index_name(embedding_model_id: str, dimensions: int) -> str:
    """The index for this mapping and this embedding: ``catalogue-v1-amazon-titan-embed-text-v2-0-1024``."""
    tag = re.sub(r"[^a-z0-9]+", "-", embedding_model_id.lower()).strip("-")
    return f"catalogue-{MAPPING_VERSION}-{tag}-{dimensions}"


def index_body(vectors: VectorMapping) -> dict[str, Any]:
    """Settings and mapping of an index of search documents."""
    keyword, text, stored = {"type": "keyword"}, {"type": "text"}, {"type": "text", "index": False}
    method: dict[str, Any] = {"name": "hnsw"}
    parameters = {"m": vectors.m, "ef_construction": vectors.ef_construction}
    if given := {name: value for name, value in parameters.items() if value is not None}:
        method["parameters"] = given
    embedding: dict[str, Any] = {
        "type": "knn_vector",
        "dimension": vectors.dimensions,
        "space_type": "cosinesimil",
        "method": method,
    }
    if vectors.compression_level is not None:
        embedding["compression_level"] = vectors.compression_level
    return {
        "settings": {"index": {"knn": True}},
        "mappings": {
            # A field nobody mapped is a mistake of ours: better refused than guessed.
            "dynamic": "strict",
            "properties": {
                "chunk_id": keyword,
                "series_id": keyword,
                "content_hash": keyword,
                "text": text,
                "title": text,
                "title_ja": text,
                "title_romaji": text,
                "creators": keyword,
                "creators_ja": keyword,
                "genres": keyword,
                "themes": keyword,
                "demographics": keyword,
                "year": {"type": "integer"},
                "status": keyword,
                "volume_count": {"type": "integer"},
                "publisher": keyword,
                "language": keyword,
                "access_groups": keyword,
                "in_stock": {"type": "boolean"},
                "mature": {"type": "boolean"},
                "url": keyword,
                "description_en": stored,
                "description_ja": stored,
                "offer": {"type": "object", "enabled": False},
                "embedding": embedding,
            },
        },
    }


def search_document(record: SeriesRecord, *, store_url: str) -> dict[str, Any]:
    """The search document of a series, without its vector.

    Args:
        record: the series.
        store_url: where product pages live, without a slash at the end.
    """
    return {
        "chunk_id": document_id(record.series_id),
        "series_id": record.series_id,
        "text": embedding_text(record),
        "title": record.titles.en,
        "title_ja": record.titles.ja,
        "title_romaji": record.titles.romaji,
        "creators": [creator.name for creator in record.creators],
        "creators_ja": [creator.name_ja for creator in record.creators if creator.name_ja],
        "genres": record.genres,
        "themes": record.themes,
        "demographics": record.demographics,
        "year": record.year,
        "status": record.status,
        "volume_count": record.volume_count,
        "publisher": record.publisher,
        "language": list(LANGUAGES),
        "access_groups": list(ACCESS_GROUPS),
        "in_stock": any(volume.stock > 0 for volume in record.volumes),
        "mature": record.mature,
        "url": series_page(store_url, record.series_id),
        "description_en": record.description.en,
        "description_ja": record.description.ja,
        "offer": _offer(record),
    }


def embedding_text(record: SeriesRecord) -> str:
    """Titles in all scripts, creators, genres, themes and demographics in both languages, and both descriptions."""
    titles = dict.fromkeys(filter(None, (record.titles.en, record.titles.romaji, record.titles.ja)))
    names = dict.fromkeys(
        name
        for creator in record.creators
        for name in (creator.name, creator.also_written, creator.name_ja)
        if name
    )
    lines = (
        " / ".join(titles),
        " / ".join(names),
        _both("genres", record.genres),
        _both("themes", record.themes),
        _both("demographics", record.demographics),
        record.description.en,
        record.description.ja,
    )
    return "\n".join(line for line in lines if line)


def content_hash(record: SeriesRecord, *, index: str, store_url: str) -> str:
    """Digest of everything a run writes for this series; equal means there is nothing to do (ING-2).

    The whole record counts, not only the document: a changed price of volume 7 must reach the table.
    """
    facts = [record.model_dump(mode="json"), index, store_url, embedding_text(record)]
    canonical = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def _offer(record: SeriesRecord) -> dict[str, Any] | None:
    """What the card sells: the first volume that is in stock, else the first volume."""
    volumes = sorted(record.volumes, key=_by_number)
    if not volumes:
        return None
    volume = next((one for one in volumes if one.stock > 0), volumes[0])
    return {
        "asin": volume.asin,
        "title": volume.title,
        "volume": volume.volume,
        "price": volume.price,
        "list_price": volume.list_price,
        "currency": volume.currency,
        "in_stock": volume.stock > 0,
        "rating_average": record.rating.average,
        "rating_count": record.rating.count,
    }


def _by_number(volume: Volume) -> int:
    return volume.volume


def _both(kind: terms.Kind, names: list[str]) -> str:
    return ", ".join(f"{name} {terms.japanese(kind, name)}" for name in names)
