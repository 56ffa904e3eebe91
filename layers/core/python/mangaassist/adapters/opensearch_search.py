"""Nearest chunks from OpenSearch Serverless, read through the alias."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from mangaassist.errors import DependencyError, DependencyThrottled, DependencyTimeout
from mangaassist.ports import Chunk, ChunkFilter, Vector

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

DEPENDENCY = "search"


def connect(endpoint: str, *, timeout_seconds: float = 3.0) -> OpenSearch:
    """A client that signs for OpenSearch Serverless (service ``aoss``) with this environment's credentials."""
    import boto3
    from opensearchpy import OpenSearch, Urllib3AWSV4SignerAuth, Urllib3HttpConnection

    session = boto3.Session()
    region = session.region_name or "us-east-1"
    return OpenSearch(
        hosts=[endpoint],
        http_auth=Urllib3AWSV4SignerAuth(session.get_credentials(), region, "aoss"),
        connection_class=Urllib3HttpConnection,
        timeout=timeout_seconds,
        max_retries=1,
        retry_on_timeout=False,
        pool_maxsize=8,
    )


class OpenSearchChunks:
    """The reader's side of the index."""

    def __init__(self, client: OpenSearch, alias: str) -> None:
        self._client = client
        self._alias = alias

    async def nearest(self, vector: Vector, *, limit: int, only: ChunkFilter) -> list[Chunk]:
        """Nearest chunks that pass the filter; the filter is applied before scoring."""
        return await asyncio.to_thread(self._nearest, vector, limit, only)

    def _nearest(self, vector: Vector, limit: int, only: ChunkFilter) -> list[Chunk]:
        from opensearchpy.exceptions import (
            ConnectionError,
            ConnectionTimeout,
            OpenSearchException,
            TransportError,
        )

        try:
            response = self._client.search(index=self._alias, body=_query(vector, limit, only))
        except ConnectionTimeout as error:
            raise DependencyTimeout(DEPENDENCY, "ConnectionTimeout") from error
        except ConnectionError as error:
            raise DependencyError(DEPENDENCY, "ConnectionError") from error
        except TransportError as error:
            if error.status_code == 429:
                raise DependencyThrottled(DEPENDENCY, "429") from error
            raise DependencyError(DEPENDENCY, str(error.status_code)) from error
        except OpenSearchException as error:
            raise DependencyError(DEPENDENCY, type(error).__name__) from error
        try:
            return [_chunk(hit) for hit in response["hits"]["hits"]]
        except (KeyError, TypeError, ValueError) as error:
            raise DependencyError(DEPENDENCY, "unreadable response") from error


def _query(vector: Vector, limit: int, only: ChunkFilter) -> dict[str, Any]:
    conditions: list[dict[str, Any]] = [{"terms": {"access_groups": list(only.access_groups)}}]
    if only.genres:
        conditions.append({"terms": {"genres": list(only.genres)}})
    if only.in_stock is not None:
        conditions.append({"term": {"in_stock": only.in_stock}})
    return {
        "size": limit,
        "_source": {"excludes": ["embedding"]},
        "query": {
            "knn": {
                "embedding": {"vector": list(vector), "k": limit, "filter": {"bool": {"filter": conditions}}}
            }
        },
    }


def _chunk(hit: dict[str, Any]) -> Chunk:
    source = cast("dict[str, Any]", hit["_source"])
    return Chunk(
        chunk_id=str(source["chunk_id"]),
        series_id=str(source["series_id"]),
        score=float(hit["_score"]),
        text=str(source.get("text", "")),
        title=str(source["title"]),
        url=str(source["url"]),
        facts=source,
        index=hit.get("_index"),
    )
