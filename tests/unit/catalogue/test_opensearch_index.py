from __future__ import annotations

from typing import Any

import pytest
from opensearchpy.exceptions import ConnectionTimeout, NotFoundError, RequestError, TransportError

from mangaassist.adapters import opensearch_index
from mangaassist.adapters.opensearch_index import (
    ATTEMPTS,
    BULK_BYTES,
    BULK_DOCUMENTS,
    OpenSearchCatalogueIndex,
)
from mangaassist.catalogue.documents import VectorMapping
from mangaassist.errors import DependencyError, DependencyThrottled, DependencyTimeout
from tests.unit.catalogue.fakes import FakeOpenSearch, FakeTime

NAME, ALIAS = "catalogue-v1-test", "catalogue-live"


def writer(
    client: FakeOpenSearch, name: str = NAME, time: FakeTime | None = None
) -> OpenSearchCatalogueIndex:
    made = OpenSearchCatalogueIndex(
        client,  # type: ignore[arg-type]
        name=name,
        alias=ALIAS,
        vectors=VectorMapping(4),
        sleep=(time or FakeTime()).sleep_now,
    )
    made.ensure()
    return made


def document(series_id: str, digest: str = "h", **more: Any) -> dict[str, Any]:
    return {"chunk_id": f"{series_id}#0", "series_id": series_id, "content_hash": digest, **more}


def test_an_index_is_created_once() -> None:
    client = FakeOpenSearch()
    writer(client)
    writer(client)
    assert len(client.created) == 1


def test_losing_the_race_to_create_is_fine() -> None:
    client = FakeOpenSearch()

    def taken(index: str, body: object) -> None:
        client.stored[index] = {}
        raise RequestError(400, "resource_already_exists_exception", {})

    client.indices.create = taken
    writer(client)


def test_a_refused_index_is_an_error() -> None:
    client = FakeOpenSearch()

    def refused(index: str, body: object) -> None:
        raise RequestError(400, "mapper_parsing_exception", {})

    client.indices.create = refused
    with pytest.raises(DependencyError, match="mapper_parsing_exception"):
        writer(client)


def test_an_index_that_stays_invisible_is_a_timeout() -> None:
    client = FakeOpenSearch()
    client.indices.exists = lambda index: False
    time = FakeTime()
    with pytest.raises(DependencyTimeout, match="not visible"):
        writer(client, time=time)
    assert len(time.sleeps) == ATTEMPTS


def test_writing_twice_replaces() -> None:
    client = FakeOpenSearch()
    index = writer(client)
    index.write([document("MG1", "old"), document("MG2")])
    index.write([document("MG1", "new")])
    assert index.content_hashes(["MG1", "MG2", "MG3"]) == {"MG1": "new", "MG2": "h"}
    assert set(client.stored[NAME]) == {"MG1#0", "MG2#0"}


def test_only_throttled_and_failed_items_are_sent_again() -> None:
    client, time = FakeOpenSearch(), FakeTime()
    client.item_statuses = {"MG1#0": [429, 503]}
    writer(client, time=time).write([document("MG1"), document("MG2")])
    assert [body.count(b'{"index"') for body in client.bulks] == [2, 1, 1]
    assert set(client.stored[NAME]) == {"MG1#0", "MG2#0"}
    assert len(time.sleeps) == 2


def test_an_item_throttled_for_ever_fails() -> None:
    client = FakeOpenSearch()
    client.item_statuses = {"MG1#0": [429] * ATTEMPTS}
    with pytest.raises(DependencyThrottled, match="1 bulk items"):
        writer(client).write([document("MG1")])


def test_a_refused_item_fails_with_its_class_and_without_its_text() -> None:
    client = FakeOpenSearch()
    client.item_statuses = {"MG1#0": [400]}
    with pytest.raises(DependencyError, match=r"^search: some_exception$"):
        writer(client).write([document("MG1")])


def test_a_call_is_repeated_while_it_may_help() -> None:
    client, time = FakeOpenSearch(), FakeTime()
    client.failures = [
        TransportError(429, "x"),
        TransportError(503, "x"),
        ConnectionTimeout("TIMEOUT", "x", None),
    ]
    writer(client, time=time).write([document("MG1")])
    assert set(client.stored[NAME]) == {"MG1#0"}
    assert len(time.sleeps) == 3


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (TransportError(429, "x"), DependencyThrottled),
        (TransportError(500, "x"), DependencyTimeout),
        (ConnectionTimeout("TIMEOUT", "x", None), DependencyTimeout),
    ],
)
def test_a_service_that_stays_down_fails_in_our_words(
    failure: Exception, kind: type[DependencyError]
) -> None:
    client = FakeOpenSearch()
    client.failures = [failure] * ATTEMPTS
    with pytest.raises(kind):
        writer(client).write([document("MG1")])


def test_a_refusal_is_not_repeated() -> None:
    client, time = FakeOpenSearch(), FakeTime()
    client.failures = [TransportError(403, "forbidden", {})]
    with pytest.raises(DependencyError, match="forbidden"):
        writer(client, time=time).write([document("MG1")])
    assert time.sleeps == []


def test_batches_are_bounded_by_count(monkeypatch: pytest.MonkeyPatch) -> None:
    client = FakeOpenSearch()
    writer(client).write([document(f"MG{number}") for number in range(BULK_DOCUMENTS + 1)])
    assert [body.count(b'{"index"') for body in client.bulks] == [BULK_DOCUMENTS, 1]


def test_batches_are_bounded_by_size() -> None:
    client = FakeOpenSearch()
    half = "x" * (BULK_BYTES // 2)
    writer(client).write([document(f"MG{number}", text=half) for number in range(3)])
    assert [body.count(b'{"index"') for body in client.bulks] == [1, 1, 1]


def test_where_ids_are_refused_a_series_is_still_found_once() -> None:
    client = FakeOpenSearch(custom_ids=False)
    index = writer(client)
    index.write([document("MG1", "old"), document("MG2")])
    index.write([document("MG1", "new")])
    assert sorted((each["series_id"], each["content_hash"]) for each in client.stored[NAME].values()) == [
        ("MG1", "new"),
        ("MG2", "h"),
    ]
    # The refusal is learned: the second write did not offer an id again.
    assert sum(b'"_id":"MG1#0"' in body for body in client.bulks) == 1


def test_the_first_index_gets_the_alias() -> None:
    client = FakeOpenSearch()
    assert writer(client).ensure_alias()
    assert writer(client).ensure_alias()
    assert client.aliases == {ALIAS: NAME}


@pytest.mark.parametrize(("documents", "moves"), [(98, False), (99, True)])
def test_the_alias_moves_only_to_an_index_that_is_full_enough(documents: int, moves: bool) -> None:
    client = FakeOpenSearch()
    old = writer(client, "catalogue-v0")
    old.write([document(f"MG{number}") for number in range(100)])
    old.ensure_alias()
    new = writer(client)
    new.write([document(f"MG{number}") for number in range(documents)])
    assert new.ensure_alias() is moves
    assert client.aliases == {ALIAS: NAME if moves else "catalogue-v0"}


def test_two_parts_of_a_feed_may_move_the_alias_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    client = FakeOpenSearch()
    writer(client, "catalogue-v0").ensure_alias()

    def overtaken(body: dict[str, Any]) -> None:
        client.aliases[ALIAS] = NAME
        raise NotFoundError(404, "aliases_not_found_exception", {})

    monkeypatch.setattr(client.indices, "update_aliases", overtaken)
    assert writer(client).ensure_alias()
    assert client.aliases == {ALIAS: NAME}


def test_an_alias_that_is_never_where_it_was_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    client = FakeOpenSearch()
    writer(client, "catalogue-v0").ensure_alias()

    def gone(body: dict[str, Any]) -> None:
        raise NotFoundError(404, "aliases_not_found_exception", {})

    monkeypatch.setattr(client.indices, "update_aliases", gone)
    with pytest.raises(DependencyError, match="aliases_not_found_exception"):
        writer(client).ensure_alias()


def test_the_writer_stays_within_what_serverless_offers() -> None:
    """The service answers 404 to a refresh and refuses ``wait_for`` and by-query calls."""
    source = opensearch_index.__loader__.get_source(opensearch_index.__name__)  # type: ignore[union-attr]
    code = source.split('"""', 2)[2]
    for absent in ("refresh(", "refresh=", "by_query", "reindex", ".info("):
        assert absent not in code
