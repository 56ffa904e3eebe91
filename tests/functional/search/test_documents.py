from __future__ import annotations

from typing import Any

import pytest
from opensearchpy import ConflictError, NotFoundError, OpenSearch, RequestError, helpers


def test_bulk_answers_each_item(client: OpenSearch, index: str) -> None:
    first = client.bulk(
        index=index,
        body=[
            {"index": {"_id": "a"}},
            {"title": "Uzumaki"},
            {"create": {"_id": "b"}},
            {"title": "Gyo"},
            {"index": {"_id": "bad"}},
            {"year": "soon"},
            {"index": {"_id": "bad"}},
            {"embedding": [1, 2]},
            {"index": {"_id": "bad"}},
            {"unknown": 1},
            {"create": {"_id": "a"}},
            {"title": "again"},
            {"update": {"_id": "a"}},
            {"doc": {"year": 1998}},
            {"update": {"_id": "nobody"}},
            {"doc": {"year": 1998}},
            {"update": {"_id": "c"}},
            {"doc": {"year": 2001}, "doc_as_upsert": True},
            {"delete": {"_id": "b"}},
            {"delete": {"_id": "nobody"}},
        ],
    )

    answers = [next(iter(item.items())) for item in first["items"]]
    assert first["errors"] is True
    assert [(verb, result["status"], result.get("result")) for verb, result in answers] == [
        ("index", 201, "created"),
        ("create", 201, "created"),
        ("index", 400, None),
        ("index", 400, None),
        ("index", 400, None),
        ("create", 409, None),
        ("update", 200, "updated"),
        ("update", 404, None),
        ("update", 201, "created"),
        ("delete", 200, "deleted"),
        ("delete", 404, "not_found"),
    ]
    kinds = [result["error"]["type"] for _, result in answers if "error" in result]
    assert kinds == [
        "mapper_parsing_exception",
        "mapper_parsing_exception",
        "strict_dynamic_mapping_exception",
        "version_conflict_engine_exception",
        "document_missing_exception",
    ]
    mismatch = answers[3][1]["error"]["caused_by"]["reason"]
    assert mismatch == "Vector dimension mismatch. Expected: 3, Given: 2"
    assert client.get(index=index, id="a")["_source"] == {"title": "Uzumaki", "year": 1998}


@pytest.mark.parametrize(
    ("embedding", "sentence"),
    [
        ([0, 0, 0], "zero vector is not supported when space type is [cosinesimil]"),
        ([1e40, 0, 0], "KNN vector values cannot be NaN or infinite"),
        (["1", "2", "3"], "a knn_vector is an array of numbers"),
        ("1,2,3", "a knn_vector is an array of numbers"),
    ],
)
def test_vectors_that_cannot_be_searched_are_refused(
    client: OpenSearch, index: str, embedding: Any, sentence: str
) -> None:
    with pytest.raises(RequestError) as raised:
        client.index(index=index, id="a", body={"embedding": embedding})

    assert raised.value.info["error"]["caused_by"]["reason"] == sentence
    with pytest.raises(NotFoundError):
        client.get(index=index, id="a")


def test_a_document_by_its_life(client: OpenSearch, index: str) -> None:
    created = client.index(index=index, id="MG1#0", body={"title": "Uzumaki", "embedding": [1, 0, 0]})
    replaced = client.index(index=index, id="MG1#0", body={"title": "Uzumaki", "year": 1998})

    assert (created["result"], created["_version"]) == ("created", 1)
    assert (replaced["result"], replaced["_version"]) == ("updated", 2)
    assert client.get(index=index, id="MG1#0")["_source"] == {"title": "Uzumaki", "year": 1998}
    assert client.exists(index=index, id="MG1#0")
    with pytest.raises(ConflictError):
        client.create(index=index, id="MG1#0", body={})
    assert client.delete(index=index, id="MG1#0")["result"] == "deleted"
    with pytest.raises(NotFoundError) as raised:
        client.get(index=index, id="MG1#0")
    assert raised.value.info["found"] is False
    with pytest.raises(NotFoundError):
        client.delete(index=index, id="MG1#0")


def test_ids_may_hold_anything(client: OpenSearch, index: str) -> None:
    for doc_id in ("MG00123#0", "a/b/c", "うずまき", "100%", "q?x=1&y", "space here"):
        client.index(index=index, id=doc_id, body={"title": doc_id})
        assert client.get(index=index, id=doc_id)["_source"] == {"title": doc_id}


def test_an_id_is_made_up_where_none_is_given(client: OpenSearch, index: str) -> None:
    made = client.index(index=index, body={"title": "Gyo"})

    assert len(made["_id"]) == 20
    assert client.get(index=index, id=made["_id"])["_source"] == {"title": "Gyo"}


def test_source_is_what_was_sent_without_its_vector(client: OpenSearch, index: str) -> None:
    source = {
        "title": "渦巻",
        "year": 1998,
        "offer": {"asin": "B0", "price": "9.99", "list": [1, {"x": None}]},
    }
    client.index(index=index, id="1", body={**source, "embedding": [0.5, 0.25, -1]})

    def got(**parameters: Any) -> Any:
        return client.get(index=index, id="1", **parameters).get("_source")

    assert got() == source
    assert got(_source_includes="embedding,year") == {"year": 1998, "embedding": [0.5, 0.25, -1]}
    assert got(_source_includes="offer.asin") == {"offer": {"asin": "B0"}}
    assert got(_source_excludes="offer,title") == {"year": 1998}
    assert got(_source=False) is None


def test_an_update_keeps_the_vector(client: OpenSearch, index: str) -> None:
    client.index(index=index, id="1", body={"embedding": [0.5, 0.25, -1], "offer": {"a": 1, "b": 1}})

    client.bulk(index=index, body=[{"update": {"_id": "1"}}, {"doc": {"offer": {"b": 2}}}])

    source = client.get(index=index, id="1", _source_includes="embedding,offer")["_source"]
    assert source == {"offer": {"a": 1, "b": 2}, "embedding": [0.5, 0.25, -1]}


def test_mget(client: OpenSearch, index: str) -> None:
    client.index(index=index, id="1", body={"title": "Gyo", "year": 2001})

    answer = client.mget(index=index, body={"ids": ["1", "2"]})
    assert [doc["found"] for doc in answer["docs"]] == [True, False]
    answer = client.mget(
        body={"docs": [{"_index": index, "_id": "1", "_source": ["year"]}, {"_index": "no", "_id": "1"}]}
    )
    assert answer["docs"][0]["_source"] == {"year": 2001}
    assert answer["docs"][1]["error"]["type"] == "index_not_found_exception"


def test_the_bulk_helper_of_the_client_works(client: OpenSearch, service: Any, index: str) -> None:
    actions = ({"_index": index, "_id": f"{n}#0", "title": f"volume {n}"} for n in range(1_200))

    done, failed = helpers.bulk(client, actions, chunk_size=500)

    service.let_writes_appear()
    assert (done, failed) == (1_200, [])
    assert client.count(index=index)["count"] == 1_200


def test_ids_of_the_callers_choice_refused_by_setting(start_service: Any) -> None:
    """The Classic rule, and the message clients look for."""
    client = start_service("--no-custom-ids").client()
    client.indices.create(index="books")

    answer = client.bulk(index="books", body=[{"index": {"_id": "1"}}, {"a": 1}, {"index": {}}, {"a": 2}])
    refused, made = (item["index"] for item in answer["items"])
    assert refused["error"]["reason"] == "Document ID is not supported in create/index operation request"
    assert made["status"] == 201
    with pytest.raises(RequestError, match="Document ID is not supported"):
        client.index(index="books", id="1", body={})
    assert client.delete(index="books", id=made["_id"])["result"] == "deleted"
