from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from opensearchpy import OpenSearch, RequestError

from tests.functional.search.conftest import ids
from tools.twin.search import analysis

BOOKS: dict[str, dict[str, Any]] = {
    "uzumaki": {
        "title": "Uzumaki",
        "title_ja": "うずまき",
        "text": "a town cursed by spirals",
        "genres": ["Horror", "Mystery"],
        "access_groups": ["public"],
        "year": 1998,
        "rating": 4.5,
        "in_stock": True,
        "added": "2026-01-02",
        "embedding": [1, 0, 0],
    },
    "gyo": {
        "title": "Gyo",
        "title_ja": "ギョ",
        "text": "fish walk out of the sea into the town",
        "genres": ["Horror"],
        "access_groups": ["public"],
        "year": 2001,
        "rating": 4.0,
        "in_stock": False,
        "added": "2026-03-01T10:00:00Z",
        "embedding": [0.9, 0.1, 0],
    },
    "titan": {
        "title": "Attack on Titan",
        "title_ja": "進撃の巨人",
        "text": "walls around the last town town town",
        "genres": ["Action"],
        "access_groups": ["public", "staff"],
        "year": 2009,
        "in_stock": True,
        "embedding": [0, 1, 0],
    },
    "secret": {
        "title": "Attack plans",
        "genres": ["Horror"],
        "access_groups": ["staff"],
        "year": 2020,
        "in_stock": True,
        "embedding": [0.99, 0, 0.01],
    },
    "empty": {"title": "Untitled", "year": None, "genres": []},
}


@pytest.fixture
def find(client: OpenSearch, index: str, fill: Callable[..., None]) -> Callable[..., dict[str, Any]]:
    """Search ``BOOKS``."""
    fill(BOOKS)

    def search(query: dict[str, Any], **body: Any) -> dict[str, Any]:
        return client.search(index=index, body={"query": query, **body})

    return search


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"match_all": {}}, {"uzumaki", "gyo", "titan", "secret", "empty"}),
        ({"match_none": {}}, set()),
        ({"ids": {"values": ["gyo", "nobody"]}}, {"gyo"}),
        ({"term": {"genres": "Horror"}}, {"uzumaki", "gyo", "secret"}),
        ({"term": {"genres": "horror"}}, set()),
        ({"term": {"title.raw": {"value": "Attack on Titan"}}}, {"titan"}),
        ({"term": {"in_stock": "true"}}, {"uzumaki", "titan", "secret"}),
        ({"term": {"year": "1998"}}, {"uzumaki"}),
        ({"term": {"year": 1998.5}}, set()),
        ({"term": {"unmapped": 1}}, set()),
        ({"term": {"_id": "gyo"}}, {"gyo"}),
        ({"terms": {"genres": ["Mystery", "Action"]}}, {"uzumaki", "titan"}),
        ({"terms": {"genres": []}}, set()),
        ({"exists": {"field": "rating"}}, {"uzumaki", "gyo"}),
        ({"exists": {"field": "year"}}, {"uzumaki", "gyo", "titan", "secret"}),
        ({"exists": {"field": "embedding"}}, {"uzumaki", "gyo", "titan", "secret"}),
        ({"range": {"year": {"gte": 2001, "lt": 2020}}}, {"gyo", "titan"}),
        ({"range": {"year": {"gt": 2000.5}}}, {"gyo", "titan", "secret"}),
        ({"range": {"rating": {"gt": 4.0}}}, {"uzumaki"}),
        ({"range": {"added": {"gte": "2026-02-01"}}}, {"gyo"}),
        ({"range": {"genres": {"gte": "B", "lte": "Horror"}}}, {"uzumaki", "gyo", "secret"}),
        ({"match": {"text": "spirals sea"}}, {"uzumaki", "gyo"}),
        ({"match": {"text": {"query": "town sea", "operator": "and"}}}, {"gyo"}),
        ({"match": {"text": {"query": "town walls sea", "minimum_should_match": "67%"}}}, {"titan", "gyo"}),
        ({"match": {"year": "2009"}}, {"titan"}),
        ({"multi_match": {"query": "attack sea", "fields": ["title^2", "text"]}}, {"gyo", "titan", "secret"}),
        ({"multi_match": {"query": "巨人", "fields": ["title*"]}}, {"titan"}),
        ({"constant_score": {"filter": {"term": {"genres": "Action"}}}}, {"titan"}),
        ({"bool": {}}, {"uzumaki", "gyo", "titan", "secret", "empty"}),
        ({"bool": {"must_not": {"exists": {"field": "year"}}}}, {"empty"}),
        (
            {"bool": {"must": [{"match": {"text": "town"}}], "filter": {"term": {"in_stock": True}}}},
            {"uzumaki", "titan"},
        ),
        (
            {
                "bool": {
                    "should": [
                        {"term": {"genres": "Horror"}},
                        {"term": {"in_stock": True}},
                        {"term": {"year": 1998}},
                    ],
                    "minimum_should_match": 2,
                }
            },
            {"uzumaki", "secret"},
        ),
        (
            {"bool": {"filter": [{"term": {"genres": "Horror"}}], "should": [{"term": {"year": 2001}}]}},
            {"uzumaki", "gyo", "secret"},
        ),
    ],
)
def test_what_a_query_matches(find: Callable[..., Any], query: dict[str, Any], expected: set[str]) -> None:
    answer = find(query)

    assert set(ids(answer)) == expected
    assert answer["hits"]["total"] == {"value": len(expected), "relation": "eq"}


@pytest.mark.req("RET-2")
def test_knn_filters_before_it_scores(find: Callable[..., Any]) -> None:
    """The nearest document is out of the caller's groups: k of the others come back, not k minus one."""
    allowed = {
        "bool": {
            "filter": [
                {"term": {"genres": "Horror"}},
                {"terms": {"access_groups": ["public"]}},
            ]
        }
    }
    clause = {"embedding": {"vector": [0.99, 0, 0.01], "k": 2, "filter": allowed}}

    answer = find({"knn": clause}, size=10)

    assert ids(answer) == ["uzumaki", "gyo"]
    assert ids(find({"knn": {"embedding": {"vector": [0.99, 0, 0.01], "k": 1}}})) == ["secret"]


def test_cosine_scores_are_opensearchs(find: Callable[..., Any]) -> None:
    answer = find({"knn": {"embedding": {"vector": [2, 0, 0], "k": 10}}})

    scores = {hit["_id"]: hit["_score"] for hit in answer["hits"]["hits"]}
    assert scores["uzumaki"] == pytest.approx(1.0)
    assert scores["titan"] == pytest.approx(0.5)
    assert answer["hits"]["max_score"] == pytest.approx(1.0)
    assert "empty" not in scores


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        ("l2", {"near": 1 / (1 + 0.25), "far": 1 / (1 + 9.0), "behind": 1 / (1 + 4.0)}),
        ("innerproduct", {"near": 1.5, "far": 5.0, "behind": 1 / (1 + 1.0)}),
    ],
)
def test_scores_of_the_other_spaces(
    client: OpenSearch, service: Any, index: str, space: str, expected: dict[str, float]
) -> None:
    name = f"{index}-{space}"
    field = {"type": "knn_vector", "dimension": 2, "space_type": space}
    client.indices.create(
        index=name, body={"settings": {"index.knn": True}, "mappings": {"properties": {"v": field}}}
    )
    for doc_id, vector in {"near": [0.5, 0], "far": [4, 0], "behind": [-1, 0]}.items():
        client.index(index=name, id=doc_id, body={"v": vector})
    service.let_writes_appear()

    answer = client.search(index=name, body={"query": {"knn": {"v": {"vector": [1, 0], "k": 3}}}})

    assert {hit["_id"]: hit["_score"] for hit in answer["hits"]["hits"]} == pytest.approx(expected)


def test_knn_combines_with_words(find: Callable[..., Any]) -> None:
    near_titan = {"knn": {"embedding": {"vector": [0, 1, 0], "k": 1}}}
    words = {"match": {"text": {"query": "spirals", "boost": 0.1}}}

    assert ids(find({"bool": {"should": [near_titan, words]}})) == ["titan", "uzumaki"]


def test_better_matches_come_first(find: Callable[..., Any]) -> None:
    answer = find({"match": {"text": "town"}})

    scores = [hit["_score"] for hit in answer["hits"]["hits"]]
    assert ids(answer)[0] == "titan"
    assert scores == sorted(scores, reverse=True)
    assert find({"bool": {"filter": {"match": {"text": "town"}}}})["hits"]["max_score"] == 0
    boosted = find(
        {"bool": {"should": [{"match": {"text": "town"}}, {"ids": {"values": ["gyo"], "boost": 9}}]}}
    )
    assert ids(boosted)[0] == "gyo"


@pytest.mark.parametrize("words", ["うずまき", "ずま", "渦 うずまき"])
def test_japanese_titles_are_found_by_match(find: Callable[..., Any], words: str) -> None:
    assert ids(find({"match": {"title_ja": words}})) == ["uzumaki"]


@pytest.mark.parametrize(
    ("analyzer", "text", "terms"),
    [
        (
            "standard",
            "Junji's ２ manga: 進撃の巨人 ナルト",
            ["junji's", "２", "manga", *"進撃の巨人", "ナルト"],
        ),
        ("cjk", "進撃の巨人 ｶﾞﾝﾀﾞﾑ ABC", ["進撃", "撃の", "の巨", "巨人", "ガン", "ンダ", "ダム", "abc"]),
        ("cjk", "鬼", ["鬼"]),
        ("english", "The running fishes", ["run", "fish"]),
        ("whitespace", "A-b C", ["A-b", "C"]),
    ],
)
def test_analysis(analyzer: str, text: str, terms: list[str]) -> None:
    assert analysis.ANALYZERS[analyzer](text) == terms


def test_pages_and_totals(find: Callable[..., Any]) -> None:
    everything = ids(find({"match_all": {}}, sort="year"))

    assert everything == ["uzumaki", "gyo", "titan", "secret", "empty"]
    assert ids(find({"match_all": {}}, sort="year", size=2, **{"from": 1})) == everything[1:3]
    assert ids(find({"match_all": {}}, sort=[{"year": {"order": "desc", "missing": "_first"}}], size=2)) == [
        "empty",
        "secret",
    ]
    assert find({"match_all": {}}, size=0)["hits"]["hits"] == []
    assert find({"match_all": {}}, size=0)["hits"]["total"]["value"] == 5
    assert find({"match_all": {}}, track_total_hits=3)["hits"]["total"] == {"value": 3, "relation": "gte"}
    assert "total" not in find({"match_all": {}}, track_total_hits=False)["hits"]


def test_sorted_hits_carry_their_values_and_no_score(find: Callable[..., Any]) -> None:
    answer = find({"term": {"genres": "Horror"}}, sort=[{"in_stock": "desc"}, {"title.raw": "asc"}])

    assert [(hit["_id"], hit["sort"]) for hit in answer["hits"]["hits"]] == [
        ("secret", [True, "Attack plans"]),
        ("uzumaki", [True, "Uzumaki"]),
        ("gyo", [False, "Gyo"]),
    ]
    assert answer["hits"]["max_score"] is None


def test_vectors_stay_out_of_source_unless_named(find: Callable[..., Any]) -> None:
    only_gyo = {"ids": {"values": ["gyo"]}}

    def source(**body: Any) -> dict[str, Any]:
        return find(only_gyo, **body)["hits"]["hits"][0].get("_source")

    assert "embedding" not in source()
    assert "embedding" not in source(_source={"excludes": ["title"]})
    assert source(_source=["embedding", "year"]) == {"year": 2001, "embedding": pytest.approx([0.9, 0.1, 0])}
    assert source(_source={"includes": ["ti*"], "excludes": ["title_ja"]}) == {"title": "Gyo"}
    assert source(_source=False) is None


def test_min_score(find: Callable[..., Any]) -> None:
    near = {"knn": {"embedding": {"vector": [1, 0, 0], "k": 10}}}

    answer = find(near, min_score=0.9)

    assert ids(answer) == ["uzumaki", "secret", "gyo"]
    assert answer["hits"]["total"]["value"] == 3


def test_msearch_answers_each_search(client: OpenSearch, find: Callable[..., Any], index: str) -> None:
    answer = client.msearch(
        body=[
            {"index": index},
            {"query": {"term": {"genres": "Action"}}},
            {"index": "nobody"},
            {"query": {"match_all": {}}},
            {"index": index},
            {"query": {"prefix": {"title": "a"}}},
        ]
    )

    assert ids(answer["responses"][0]) == ["titan"]
    assert [response["status"] for response in answer["responses"]] == [200, 404, 400]
    assert answer["responses"][2]["error"]["type"] == "parsing_exception"


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ({"prefix": {"title": "a"}}, "parsing_exception"),
        ({"match_all": {}, "match_none": {}}, "parsing_exception"),
        ({}, "parsing_exception"),
        ([], "parsing_exception"),
        ({"term": "x"}, "parsing_exception"),
        ({"term": {"genres": ["a", "b"]}}, "parsing_exception"),
        ({"term": {"genres": {"value": "a", "wrong": 1}}}, "parsing_exception"),
        ({"term": {"a": 1, "b": 2}}, "parsing_exception"),
        ({"term": {"genres": None}}, "parsing_exception"),
        ({"terms": {"genres": "Horror"}}, "parsing_exception"),
        ({"range": {"year": {"from": 1}}}, "parsing_exception"),
        ({"match": {"text": {"operator": "and"}}}, "parsing_exception"),
        ({"match": {"text": {"query": "a", "operator": "xor"}}}, "parsing_exception"),
        ({"match": {"text": {"query": "a", "fuzziness": "AUTO"}}}, "parsing_exception"),
        ({"multi_match": {"query": "a"}}, "parsing_exception"),
        ({"bool": {"must": [{"wrong": {}}]}}, "parsing_exception"),
        ({"bool": {"musst": []}}, "parsing_exception"),
        ({"bool": {"should": [], "minimum_should_match": "some"}}, "parsing_exception"),
        ({"knn": {"embedding": {"vector": [1, 0, 0]}}}, "parsing_exception"),
        ({"knn": {"embedding": {"vector": [1, 0, 0], "k": 0}}}, "parsing_exception"),
        ({"knn": {"embedding": {"vector": [1, 0, 0], "k": 10_001}}}, "parsing_exception"),
        ({"knn": {"embedding": {"vector": [1, 0, 0], "k": 1, "filter": {"wrong": {}}}}}, "parsing_exception"),
        ({"knn": {"embedding": {"vector": "1", "k": 1}}}, "parsing_exception"),
        ({"knn": {"embedding": {"vector": [1, 0], "k": 1}}}, "search_phase_execution_exception"),
        ({"knn": {"embedding": {"vector": [0, 0, 0], "k": 1}}}, "search_phase_execution_exception"),
        ({"knn": {"title": {"vector": [1, 0, 0], "k": 1}}}, "search_phase_execution_exception"),
        ({"term": {"year": "soon"}}, "search_phase_execution_exception"),
        ({"term": {"in_stock": 1}}, "search_phase_execution_exception"),
        ({"range": {"added": {"gte": "soon"}}}, "search_phase_execution_exception"),
        ({"term": {"url": "x"}}, "search_phase_execution_exception"),
    ],
)
def test_queries_that_are_refused(client: OpenSearch, index: str, query: Any, kind: str) -> None:
    with pytest.raises(RequestError) as raised:
        client.search(index=index, body={"query": query})

    error = raised.value.info["error"]
    assert (raised.value.status_code, error["type"]) == (400, kind)
    assert error["root_cause"][0]["reason"]


@pytest.mark.parametrize(
    "body",
    [
        {"aggs": {}},
        {"size": -1},
        {"size": "10"},
        {"size": 10, "from": 9_991},
        {"sort": [{"title": "asc"}]},
        {"sort": "unmapped"},
        {"sort": [{"year": "sideways"}]},
        {"_source": 3},
        {"track_total_hits": "some"},
        {"min_score": "high"},
    ],
)
def test_search_bodies_that_are_refused(client: OpenSearch, index: str, body: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        client.search(index=index, body=body)


@pytest.mark.parametrize(("depth", "accepted"), [(20, True), (21, False), (250, False)])
def test_queries_nest_as_deep_as_opensearch_lets_them(
    client: OpenSearch, index: str, depth: int, accepted: bool
) -> None:
    query: dict[str, Any] = {"match_all": {}}
    for _ in range(depth):
        query = {"bool": {"must": [query]}}

    if accepted:
        assert client.count(index=index, body={"query": query})["count"] == 0
    else:
        with pytest.raises(RequestError, match="nested depth"):
            client.count(index=index, body={"query": query})


def test_a_dimension_mismatch_names_index_and_dimensions(client: OpenSearch, index: str) -> None:
    with pytest.raises(RequestError) as raised:
        client.search(index=index, body={"query": {"knn": {"embedding": {"vector": [1, 0], "k": 1}}}})

    cause = raised.value.info["error"]["root_cause"][0]
    assert cause["index"] == index
    assert "Query vector has invalid dimension: 2. Dimension should be: 3" in cause["reason"]
