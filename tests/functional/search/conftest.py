from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opensearchpy import OpenSearch

from tests.functional.search.service import Service

MAPPINGS: dict[str, Any] = {
    "dynamic": "strict",
    "properties": {
        "title": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
        "title_ja": {"type": "text", "analyzer": "cjk"},
        "text": {"type": "text"},
        "genres": {"type": "keyword"},
        "access_groups": {"type": "keyword"},
        "year": {"type": "integer"},
        "rating": {"type": "float"},
        "in_stock": {"type": "boolean"},
        "added": {"type": "date"},
        "offer": {"type": "object", "enabled": False},
        "url": {"type": "keyword", "index": False},
        "embedding": {
            "type": "knn_vector",
            "dimension": 3,
            "space_type": "cosinesimil",
            "compression_level": "1x",
            "method": {"name": "hnsw"},
        },
    },
}
BODY: dict[str, Any] = {"settings": {"index.knn": True}, "mappings": MAPPINGS}


@pytest.fixture(scope="session")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One process for all tests that do not stop it or change its settings; writes appear when the clock is moved."""
    service = Service(tmp_path_factory.mktemp("search") / "state", "--visibility-delay", "60")
    yield service
    service.stop()


@pytest.fixture
def service(shared_service: Service) -> Service:
    return shared_service


@pytest.fixture
def client(service: Service) -> Iterator[OpenSearch]:
    client = service.client()
    yield client
    client.close()


@pytest.fixture
def index(client: OpenSearch) -> str:
    """A fresh index with ``MAPPINGS``."""
    name = f"books-{uuid.uuid4().hex[:12]}"
    client.indices.create(index=name, body=BODY)
    return name


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Start a service of the test's own; whatever still runs at the end is killed."""
    started: list[Service] = []

    def start(*flags: str) -> Service:
        started.append(Service(tmp_path / f"state-{len(started)}", *flags))
        return started[-1]

    yield start
    for service in started:
        if service.process.poll() is None:
            service.kill()


@pytest.fixture
def fill(service: Service, client: OpenSearch, index: str) -> Callable[[dict[str, dict[str, Any]]], None]:
    """Bulk-index documents by id and make them visible."""

    def put(documents: dict[str, dict[str, Any]]) -> None:
        lines = [
            line for doc_id, source in documents.items() for line in ({"index": {"_id": doc_id}}, source)
        ]
        answer = client.bulk(index=index, body=lines)
        assert not answer["errors"], answer
        service.let_writes_appear()

    return put


def ids(answer: dict[str, Any]) -> list[str]:
    """Ids of the hits, in order."""
    return [hit["_id"] for hit in answer["hits"]["hits"]]
