from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from opensearchpy import NotFoundError, OpenSearch, RequestError

from tests.functional.search.conftest import BODY, ids
from tests.functional.search.service import Service


@pytest.fixture
def blue_green(client: OpenSearch, service: Service, index: str) -> tuple[str, str, str]:
    """Two filled indexes and the alias that names the first."""
    green, alias = f"{index}-green", f"{index}-live"
    client.indices.create(index=green, body=BODY)
    client.index(index=index, id="blue", body={"title": "blue"})
    client.index(index=green, id="green", body={"title": "green"})
    service.let_writes_appear()
    client.indices.put_alias(index=index, name=alias)
    return index, green, alias


def swap(client: OpenSearch, alias: str, old: str, new: str) -> None:
    actions = [{"remove": {"index": old, "alias": alias}}, {"add": {"index": new, "alias": alias}}]
    client.indices.update_aliases(body={"actions": actions})


def test_an_alias_reads_and_writes_its_index(client: OpenSearch, service: Service, blue_green: Any) -> None:
    blue, _, alias = blue_green

    assert ids(client.search(index=alias)) == ["blue"]
    assert client.search(index=alias)["hits"]["hits"][0]["_index"] == blue
    assert client.index(index=alias, id="more", body={"title": "more"})["_index"] == blue
    assert client.indices.exists(index=alias)
    assert client.indices.exists_alias(name=alias)
    assert client.indices.get_alias(name=alias) == {blue: {"aliases": {alias: {}}}}
    assert client.indices.get_alias(index=blue) == {blue: {"aliases": {alias: {}}}}
    assert client.indices.get(index=alias)[blue]["aliases"] == {alias: {}}


def test_a_swap_is_one_call(client: OpenSearch, blue_green: Any) -> None:
    blue, green, alias = blue_green

    swap(client, alias, blue, green)

    assert ids(client.search(index=alias)) == ["green"]
    assert list(client.indices.get_alias(name=alias)) == [green]


def test_readers_see_exactly_one_side_during_swaps(
    service: Service, client: OpenSearch, blue_green: Any
) -> None:
    blue, green, alias = blue_green
    seen: set[tuple[str, ...]] = set()
    failures: list[Exception] = []
    done = threading.Event()

    def read() -> None:
        reader = service.client()
        try:
            while not done.is_set():
                seen.add(tuple(ids(reader.search(index=alias))))
        except Exception as error:  # the assertion below reports it
            failures.append(error)
        finally:
            reader.close()

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for _ in range(60):
        swap(client, alias, blue, green)
        swap(client, alias, green, blue)
    done.set()
    for reader in readers:
        reader.join()

    assert not failures
    assert seen <= {("blue",), ("green",)}
    assert seen


def test_actions_happen_together_or_not_at_all(client: OpenSearch, blue_green: Any) -> None:
    blue, green, alias = blue_green
    actions = [
        {"remove": {"index": blue, "alias": alias}},
        {"add": {"index": green, "alias": alias}},
        {"remove_index": {"index": blue}},
        {"add": {"index": "nobody", "alias": alias}},
    ]

    with pytest.raises(NotFoundError):
        client.indices.update_aliases(body={"actions": actions})

    assert ids(client.search(index=alias)) == ["blue"]


def test_two_indexes_behind_an_alias_are_searched_together(client: OpenSearch, blue_green: Any) -> None:
    blue, green, alias = blue_green
    client.indices.put_alias(index=green, name=alias)

    assert set(ids(client.search(index=alias))) == {"blue", "green"}
    assert client.count(index=alias)["count"] == 2
    with pytest.raises(RequestError, match="no write index"):
        client.index(index=alias, body={})
    client.indices.put_alias(index=green, name=alias, body={"is_write_index": True})
    assert client.index(index=alias, body={})["_index"] == green
    assert ids(client.search(index=f"{blue},{green}", body={"sort": "title.raw"})) == ["blue", "green"]
    assert set(ids(client.search(index=f"{blue}*"))) == {"blue", "green"}


def test_an_alias_is_not_deleted_as_an_index(client: OpenSearch, blue_green: Any) -> None:
    blue, _, alias = blue_green

    with pytest.raises(RequestError, match="matches an alias"):
        client.indices.delete(index=alias)

    client.indices.delete_alias(index=blue, name=alias)
    assert client.indices.exists(index=blue)
    assert not client.indices.exists_alias(name=alias)
    with pytest.raises(NotFoundError):
        client.search(index=alias)


def test_deleting_an_index_takes_its_aliases_with_it(client: OpenSearch, blue_green: Any) -> None:
    blue, _, alias = blue_green

    client.indices.delete(index=blue)

    with pytest.raises(NotFoundError) as raised:
        client.indices.get_alias(name=alias)
    assert raised.value.info == {"error": f"alias [{alias}] missing", "status": 404}


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        (lambda index: {"add": {"index": index, "alias": index}}, "invalid_alias_name_exception"),
        (lambda index: {"add": {"index": index, "alias": "_x"}}, "invalid_alias_name_exception"),
        (lambda index: {"add": {"index": "nobody", "alias": "x"}}, "index_not_found_exception"),
        (lambda index: {"remove": {"index": index, "alias": "absent"}}, "aliases_not_found_exception"),
        (lambda index: {"swap": {"index": index, "alias": "x"}}, "parsing_exception"),
        (lambda index: {"add": {"index": index}}, "illegal_argument_exception"),
        (lambda index: {"add": {"index": index, "alias": "x", "filter": {}}}, "parsing_exception"),
    ],
)
def test_actions_that_are_refused(
    client: OpenSearch, index: str, action: Callable[[str], dict[str, Any]], kind: str
) -> None:
    with pytest.raises((RequestError, NotFoundError)) as raised:
        client.indices.update_aliases(body={"actions": [action(index)]})

    assert raised.value.error == kind
    assert client.indices.get_alias(index=index) == {index: {"aliases": {}}}
