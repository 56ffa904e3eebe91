"""The query that is sent, and what comes back from it."""

from __future__ import annotations

from typing import Any

import pytest
from opensearchpy.exceptions import ConnectionError, ConnectionTimeout, SerializationError, TransportError

from mangaassist.adapters.opensearch_search import OpenSearchChunks
from mangaassist.errors import DependencyError, DependencyThrottled, DependencyTimeout
from mangaassist.ports import ChunkFilter

HIT = {
    "_score": 0.5,
    "_source": {"chunk_id": "MG1#0", "series_id": "MG1", "title": "Uzumaki", "url": "https://x", "text": "t"},
}


class Client:
    """Answers one search and remembers it."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.asked: dict[str, Any] = {}

    def search(self, **asked: Any) -> object:
        self.asked = asked
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def found(client: Any, **only: Any) -> Any:
    return await OpenSearchChunks(client, "catalogue-live").nearest(
        [1.0, 0.0], limit=4, only=ChunkFilter(**only)
    )


@pytest.mark.req("RET-2")
@pytest.mark.parametrize(
    ("only", "conditions"),
    [
        ({}, [{"terms": {"access_groups": ["public"]}}]),
        (
            {"access_groups": ("staff",), "genres": ("Horror",), "in_stock": True},
            [
                {"terms": {"access_groups": ["staff"]}},
                {"terms": {"genres": ["Horror"]}},
                {"term": {"in_stock": True}},
            ],
        ),
    ],
)
async def test_restrictions_are_inside_the_vector_query(only: Any, conditions: Any) -> None:
    client = Client({"hits": {"hits": [HIT]}})
    [chunk] = await found(client, **only)
    assert (chunk.chunk_id, chunk.series_id, chunk.score, chunk.title) == ("MG1#0", "MG1", 0.5, "Uzumaki")
    assert client.asked["index"] == "catalogue-live"
    body = client.asked["body"]
    assert body["size"] == 4
    assert body["_source"] == {"excludes": ["embedding"]}
    assert body["query"]["knn"]["embedding"] == {
        "vector": [1.0, 0.0],
        "k": 4,
        "filter": {"bool": {"filter": conditions}},
    }


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionTimeout("TIMEOUT", "x", Exception()), DependencyTimeout),
        (ConnectionError("N/A", "x", Exception()), DependencyError),
        (TransportError(429, "too many"), DependencyThrottled),
        (TransportError(503, "down"), DependencyError),
        (SerializationError("garbage"), DependencyError),
    ],
)
async def test_every_failure_has_its_kind(error: Exception, kind: type[DependencyError]) -> None:
    with pytest.raises(DependencyError) as failed:
        await found(Client(error))
    assert type(failed.value) is kind


@pytest.mark.parametrize("answer", [{}, {"hits": {"hits": [{"_score": 1}]}}, None, {"hits": {"hits": [1]}}])
async def test_an_unreadable_answer_is_a_failure(answer: object) -> None:
    with pytest.raises(DependencyError, match="unreadable response"):
        await found(Client(answer))
