from __future__ import annotations

import copy
from typing import Any

import pytest
from opensearchpy import NotFoundError, OpenSearch, RequestError

from tests.functional.search.conftest import BODY, MAPPINGS


def vector(**parameters: Any) -> dict[str, Any]:
    field = {"type": "knn_vector", "dimension": 3, **parameters}
    return {"settings": {"index": {"knn": True}}, "mappings": {"properties": {"embedding": field}}}


def test_a_created_index_says_what_it_was_created_with(client: OpenSearch, index: str) -> None:
    described = client.indices.get(index=index)[index]

    assert described["mappings"] == MAPPINGS
    assert described["settings"]["index"]["knn"] == "true"
    assert described["settings"]["index"]["provided_name"] == index
    assert described["aliases"] == {}
    assert client.indices.exists(index=index)


def test_an_index_can_be_created_once(client: OpenSearch, index: str) -> None:
    with pytest.raises(RequestError) as raised:
        client.indices.create(index=index, body=BODY)

    assert raised.value.error == "resource_already_exists_exception"


def test_a_deleted_index_is_gone(client: OpenSearch, index: str) -> None:
    client.indices.delete(index=index)

    assert not client.indices.exists(index=index)
    for call in (client.indices.get, client.indices.delete, client.search, client.count):
        with pytest.raises(NotFoundError) as raised:
            call(index=index)
        assert raised.value.error == "index_not_found_exception"


@pytest.mark.parametrize("name", ["Books", "-books", "bo ks", "a#b", "x" * 256])
def test_names_that_are_not_index_names_are_refused(client: OpenSearch, name: str) -> None:
    with pytest.raises(RequestError) as raised:
        client.indices.create(index=name)

    assert raised.value.error == "invalid_index_name_exception"


@pytest.mark.req("RET-2")
@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"method": {"name": "hnsw", "engine": "faiss"}}, "Field parameter 'engine' is not supported"),
        ({"engine": "faiss"}, "Field parameter 'engine' is not supported"),
        (
            {"method": {"name": "hnsw", "parameters": {"m": 16}}},
            "Field parameter 'parameters' is not supported",
        ),
        ({"method": {"name": "ivf"}}, "method.name"),
        ({"space_type": "hamming"}, "space_type"),
        ({"compression_level": "64x"}, "compression_level"),
        ({"dimension": 16_001}, "16000"),
        ({"dimension": "3"}, "integer"),
        ({"dims": 3}, "unknown parameter [dims]"),
    ],
)
def test_vector_mappings_that_nextgen_refuses(
    client: OpenSearch, parameters: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(RequestError) as raised:
        client.indices.create(index="refused", body=vector(**parameters))

    assert sentence in raised.value.info["error"]["reason"]
    assert not client.indices.exists(index="refused")


@pytest.mark.parametrize(
    "body",
    [
        {"mappings": {"properties": {"a": {"type": "geo_point"}}}},
        {"mappings": {"properties": {"a": {"type": "text", "analyzer": "klingon"}}}},
        {"mappings": {"properties": {"a": {"analyzer": "standard"}}}},
        {"mappings": {"properties": []}},
        {"mappings": {"a": {}}},
        {"settings": {"index": {"colour": "red"}}},
        {"extra": {}},
    ],
)
def test_bodies_that_do_not_describe_an_index(client: OpenSearch, body: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        client.indices.create(index="refused", body=body)

    assert not client.indices.exists(index="refused")


def test_mappings_grow_and_old_documents_keep_their_place(
    client: OpenSearch, index: str, service: Any
) -> None:
    client.index(index=index, id="1", body={"title": "Uzumaki", "embedding": [1, 0, 0]})
    client.indices.put_mapping(index=index, body={"properties": {"publisher": {"type": "keyword"}}})
    client.index(index=index, id="2", body={"publisher": "Shogakukan"})
    service.let_writes_appear()

    assert client.indices.get_mapping(index=index)[index]["mappings"]["properties"]["publisher"]
    assert client.count(index=index, body={"query": {"term": {"publisher": "Shogakukan"}}})["count"] == 1
    assert client.count(index=index, body={"query": {"match": {"title": "uzumaki"}}})["count"] == 1
    nearest = {"query": {"knn": {"embedding": {"vector": [1, 0, 0], "k": 1}}}}
    assert client.search(index=index, body=nearest)["hits"]["hits"][0]["_id"] == "1"


@pytest.mark.parametrize(
    "properties", [{"year": {"type": "keyword"}}, {"embedding": {"type": "knn_vector", "dimension": 4}}]
)
def test_a_field_keeps_its_type(client: OpenSearch, index: str, properties: dict[str, Any]) -> None:
    with pytest.raises(RequestError) as raised:
        client.indices.put_mapping(index=index, body={"properties": properties})

    assert raised.value.error == "illegal_argument_exception"
    assert client.indices.get_mapping(index=index)[index]["mappings"] == MAPPINGS


def test_dynamic_mapping_infers_types(client: OpenSearch, service: Any, index: str) -> None:
    name = f"{index}-dynamic"
    client.index(index=name, body={"name": "Junji Ito", "born": 1963, "score": 4.5, "tags": {"alive": True}})
    service.let_writes_appear()

    properties = client.indices.get_mapping(index=name)[name]["mappings"]["properties"]
    assert properties["name"]["fields"]["keyword"]["type"] == "keyword"
    assert [properties["born"]["type"], properties["score"]["type"]] == ["long", "float"]
    assert properties["tags"]["properties"]["alive"]["type"] == "boolean"
    for query in (
        {"match": {"name": "ito"}},
        {"term": {"name.keyword": "Junji Ito"}},
        {"term": {"tags.alive": True}},
    ):
        assert client.count(index=name, body={"query": query})["count"] == 1


def test_settings_that_may_change_and_that_may_not(client: OpenSearch, index: str) -> None:
    client.indices.put_settings(index=index, body={"index": {"refresh_interval": "10s"}})
    assert client.indices.get_settings(index=index)[index]["settings"]["index"]["refresh_interval"] == "10s"

    with pytest.raises(RequestError, match="non dynamic"):
        client.indices.put_settings(index=index, body={"index.knn": False})


def test_cat_indices_as_text_and_json_without_health(client: OpenSearch, service: Any, index: str) -> None:
    client.index(index=index, id="1", body={"title": "Uzumaki"})
    service.let_writes_appear()

    rows = client.cat.indices(index=index, format="json")
    assert [(row["index"], row["docs.count"]) for row in rows] == [(index, "1")]
    assert not {"health", "status"} & set(rows[0])
    assert client.cat.indices(index=index, h="index,docs.count") == f"{index} 1\n"
    assert client.cat.indices(index=index, h="index", v=True).splitlines()[0].strip() == "index"


def test_hnsw_parameters_only_by_setting(start_service: Any) -> None:
    body = copy.deepcopy(BODY)
    body["mappings"]["properties"]["embedding"]["method"]["parameters"] = {"m": 16, "ef_construction": 512}
    permissive = start_service("--hnsw-parameters")

    permissive.client().indices.create(index="books", body=body)

    mapping = permissive.client().indices.get_mapping(index="books")["books"]["mappings"]
    assert mapping["properties"]["embedding"]["method"]["parameters"]["m"] == 16
