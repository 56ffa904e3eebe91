from __future__ import annotations

from typing import Any

import pytest

from tests.functional.search.conftest import BODY


@pytest.fixture
def slow(start_service: Any) -> Any:
    """A service with AWS's read-after-write delay, and an index in it."""
    service = start_service("--visibility-delay", "10")
    service.client().indices.create(index="books", body=BODY)
    return service


def test_writes_appear_to_searches_when_the_delay_has_passed(slow: Any) -> None:
    client = slow.client()
    client.index(index="books", id="1", body={"title": "first", "embedding": [1, 0, 0]})
    assert client.get(index="books", id="1")["found"]
    assert client.count(index="books")["count"] == 0
    assert client.search(index="books")["hits"]["hits"] == []

    slow.control("POST", "clock", advance_seconds=9)
    client.index(index="books", id="2", body={"title": "second", "embedding": [0, 1, 0]})
    slow.control("POST", "clock", advance_seconds=2)
    assert client.count(index="books")["count"] == 1
    nearest = {"query": {"knn": {"embedding": {"vector": [0, 1, 0], "k": 5}}}}
    assert [hit["_id"] for hit in client.search(index="books", body=nearest)["hits"]["hits"]] == ["1"]

    slow.control("POST", "clock", advance_seconds=9)
    assert client.count(index="books")["count"] == 2


def test_overwrites_and_deletes_are_delayed_too_and_old_vectors_stay_right(slow: Any) -> None:
    client = slow.client()
    client.index(index="books", id="1", body={"title": "old", "embedding": [1, 0, 0]})
    client.index(index="books", id="2", body={"title": "gone soon", "embedding": [0, 1, 0]})
    slow.control("POST", "clock", advance_seconds=11)
    client.index(index="books", id="1", body={"title": "new", "embedding": [0, 0, 1]})
    client.delete(index="books", id="2")
    client.index(index="books", id="3", body={"title": "third", "embedding": [0, 0, -1]})

    def nearest() -> dict[str, tuple[str, float]]:
        body = {"query": {"knn": {"embedding": {"vector": [1, 0, 0], "k": 9}}}}
        hits = client.search(index="books", body=body)["hits"]["hits"]
        return {hit["_id"]: (hit["_source"]["title"], round(hit["_score"], 3)) for hit in hits}

    assert nearest() == {"1": ("old", 1.0), "2": ("gone soon", 0.5)}
    slow.control("POST", "clock", advance_seconds=11)
    assert nearest() == {"1": ("new", 0.5), "3": ("third", 0.5)}


def test_the_delay_can_be_changed_while_it_runs(slow: Any) -> None:
    client = slow.client()
    client.index(index="books", id="1", body={"title": "first"})
    assert client.count(index="books")["count"] == 0

    assert slow.control("PUT", "visibility", delay_seconds=0).json() == {"delay_seconds": 0}

    assert client.count(index="books")["count"] == 1
    assert slow.control("GET", "visibility").json() == {"delay_seconds": 0}


@pytest.mark.parametrize(
    "body", [{}, {"delay_seconds": -1}, {"delay_seconds": "1"}, {"delay_seconds": 1, "x": 2}]
)
def test_delays_that_make_no_sense_are_refused(slow: Any, body: dict[str, Any]) -> None:
    assert slow.control("PUT", "visibility", **body).status_code == 400


def test_health_says_what_is_held(slow: Any) -> None:
    slow.client().index(index="books", id="1", body={"title": "first"})

    assert slow.control("GET", "health").json() == {
        "status": "ok",
        "service": "search",
        "indexes": {"books": 1},
    }
