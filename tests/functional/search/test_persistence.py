from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest
from opensearchpy.exceptions import ConnectionError, TransportError

from tests.functional.search.conftest import BODY
from tests.functional.search.service import ROOT, Service, free_port

NEAREST = {"size": 3, "query": {"knn": {"embedding": {"vector": [1, 0, 0], "k": 3}}}}


def test_everything_survives_a_restart(start_service: Any) -> None:
    service: Service = start_service()
    client = service.client()
    client.indices.create(index="books", body=BODY)
    client.indices.put_alias(index="books", name="live")
    for number in range(20):
        client.index(
            index="books", id=str(number), body={"title": f"book {number}", "embedding": [1, number, 0]}
        )
    client.index(index="books", id="0", body={"title": "zero", "embedding": [1, 0, 0]})
    client.delete(index="books", id="1")
    client.indices.put_mapping(index="books", body={"properties": {"publisher": {"type": "keyword"}}})
    client.indices.put_settings(index="books", body={"index": {"refresh_interval": "10s"}})
    service.let_writes_appear()
    calls = (
        lambda c: c.search(index="live", body=NEAREST)["hits"],
        lambda c: c.search(index="live", body={"query": {"match": {"title": "book"}}})["hits"]["total"],
        lambda c: c.get(index="books", id="0", _source_includes="*,embedding"),
        lambda c: c.indices.get(index="books"),
    )
    before = [call(client) for call in calls]

    assert service.stop() in (0, -15)
    service.start()

    assert [call(service.client()) for call in calls] == before
    assert service.client().index(index="live", id="0", body={})["_version"] == 3


@pytest.mark.req("IAC-4")
def test_a_kill_in_mid_bulk_keeps_every_acknowledged_document(start_service: Any) -> None:
    """Bulks are sent without pause, the process is killed while one is under way; nothing acknowledged is lost."""
    service: Service = start_service()
    service.client().indices.create(index="books", body=BODY)
    acknowledged: list[str] = []
    enough = threading.Event()

    def write() -> None:
        client = service.client()
        try:
            for bulk in range(10_000):
                names = [f"{bulk}-{n}" for n in range(50)]
                lines = [
                    line for name in names for line in ({"index": {"_id": name}}, {"embedding": [1, 2, 3]})
                ]
                answer = client.bulk(index="books", body=lines)
                assert not answer["errors"]
                acknowledged.extend(names)
                if bulk == 5:
                    enough.set()
        except (ConnectionError, TransportError):
            pass
        finally:
            client.close()

    writer = threading.Thread(target=write)
    writer.start()
    assert enough.wait(timeout=60)
    service.kill()
    writer.join()
    service.start()

    client = service.client()
    kept = client.mget(index="books", body={"ids": acknowledged})["docs"]
    assert len(acknowledged) >= 300
    assert all(doc["found"] for doc in kept)
    count = client.count(index="books")["count"]
    assert count % 50 == 0, "a bulk is there as a whole or not at all"
    assert len(acknowledged) <= count <= len(acknowledged) + 50
    assert client.index(index="books", id="after", body={"title": "after"})["result"] == "created"


def test_a_kill_while_mappings_grow_leaves_an_index_that_works(start_service: Any) -> None:
    """Each write adds a field, so each one copies the index into a new generation."""
    service: Service = start_service()
    client = service.client()
    acknowledged: list[int] = []
    enough = threading.Event()

    def write() -> None:
        try:
            for number in range(10_000):
                client.index(index="grown", id=str(number), body={f"field_{number}": number})
                acknowledged.append(number)
                if number == 5:
                    enough.set()
        except (ConnectionError, TransportError):
            pass

    writer = threading.Thread(target=write)
    writer.start()
    assert enough.wait(timeout=60)
    service.kill()
    writer.join()
    service.start()

    client = service.client()
    for number in acknowledged:
        assert (
            client.count(index="grown", body={"query": {"term": {f"field_{number}": number}}})["count"] == 1
        )


def test_space_is_reused_when_documents_are_replaced(start_service: Any) -> None:
    """A feed that is loaded again and again must not grow the service."""
    service: Service = start_service("--visibility-delay", "0")
    client = service.client()
    client.indices.create(index="books", body=BODY)
    lines = [line for n in range(100) for line in ({"index": {"_id": str(n)}}, {"embedding": [1, n, 0]})]
    for _ in range(5):
        client.bulk(index="books", body=lines)

    rows = [
        hit["sort"][0]
        for hit in client.search(index="books", body={"size": 100, "sort": "_doc", "_source": False})["hits"][
            "hits"
        ]
    ]

    assert len(rows) == 100
    assert max(rows) < 300


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.twin.search", *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_a_taken_port_is_named(start_service: Any, tmp_path: Any) -> None:
    service: Service = start_service()

    refused = run("--port", str(service.port), "--state", str(tmp_path / "other"))

    assert refused.returncode == 1
    assert refused.stderr.strip().splitlines() == [
        f"search: port {service.port} on 127.0.0.1 is not free (Address already in use): choose another --port"
    ]


def test_a_state_directory_serves_one_process(start_service: Any) -> None:
    service: Service = start_service()

    refused = run("--port", str(free_port()), "--state", str(service.state))

    assert refused.returncode == 1
    assert "is in use by another search service: stop it or pass another --state" in refused.stderr
