"""The engine against models that are too simple to be wrong: queries by brute force, writes by a dictionary."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.twin.search import searching
from tools.twin.search.clock import Clock
from tools.twin.search.collection import Collection
from tools.twin.search.index import Index
from tools.twin.search.queries import minimum_should_match
from tools.twin.search.settings import SearchSettings

WORDS = ["ghost", "love", "war", "cat", "sea", "渦", "巨"]
GENRES = ["Horror", "Action", "Romance", "Comedy"]
DIMENSION = 4
BODY: dict[str, Any] = {
    "settings": {"index.knn": True},
    "mappings": {
        "properties": {
            "text": {"type": "text"},
            "genres": {"type": "keyword"},
            "year": {"type": "integer"},
            "rating": {"type": "double"},
            "in_stock": {"type": "boolean"},
            "v": {"type": "knn_vector", "dimension": DIMENSION, "space_type": "cosinesimil"},
        }
    },
}


def collection_in(path: Path) -> Collection:
    return Collection(path, SearchSettings(visibility_delay_seconds=0), Clock())


def document(chance: random.Random) -> dict[str, Any]:
    """A document in which any field may be absent, null, single or a list."""
    fields: dict[str, Any] = {
        "text": " ".join(chance.choices(WORDS, k=chance.randrange(5))),
        "genres": chance.choices(GENRES, k=chance.randrange(3)),
        "year": chance.choice([None, chance.randrange(5), [chance.randrange(5), chance.randrange(5)]]),
        "rating": chance.choice([None, chance.randrange(8) / 2]),
        "in_stock": chance.choice([None, True, False]),
        "v": [chance.choice([-1.0, 0.5, 1.0, 2.0]) for _ in range(DIMENSION)],
    }
    return {name: value for name, value in fields.items() if chance.random() < 0.8}


DOCUMENTS = {f"d{n}": document(random.Random(n)) for n in range(80)}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    collection = collection_in(tmp_path_factory.mktemp("model"))
    index = collection.create("books", BODY)
    for part in range(4):  # several segments, some documents written twice
        batch = index.batch()
        for doc_id, source in DOCUMENTS.items():
            if int(doc_id[1:]) % 4 >= part:
                batch.put(doc_id, source if int(doc_id[1:]) % 4 == part else {"text": "overwritten later"})
        collection.commit(batch)
    yield index
    collection.close()


# --- queries by brute force ---------------------------------------------------------------------------


def values(source: dict[str, Any], field: str) -> list[Any]:
    raw = source.get(field)
    return [] if raw is None else raw if isinstance(raw, list) else [raw]


def matches(source: dict[str, Any], doc_id: str, query: dict[str, Any]) -> bool:
    """Whether a document matches, straight from the query's meaning."""
    (name, body), *_ = query.items()
    match name:
        case "match_all":
            return True
        case "ids":
            return doc_id in body["values"]
        case "exists":
            return bool(values(source, body["field"]))
        case "term":
            ((field, value),) = body.items()
            return value in values(source, field)
        case "terms":
            ((field, wanted),) = body.items()
            return any(value in wanted for value in values(source, field))
        case "range":
            ((field, bounds),) = body.items()
            tests = {
                "gt": lambda a, b: a > b,
                "gte": lambda a, b: a >= b,
                "lt": lambda a, b: a < b,
                "lte": lambda a, b: a <= b,
            }
            return any(
                all(tests[op](value, bound) for op, bound in bounds.items())
                for value in values(source, field)
            )
        case "match":
            words = body["text"]["query"].split()
            held = source.get("text", "").split()
            present = sum(word in held for word in words)
            return bool(words) and (
                present == len(words) if body["text"]["operator"] == "and" else present > 0
            )
        case "bool":
            return matches_bool(source, doc_id, body)
        case _:
            raise AssertionError(name)


def matches_bool(source: dict[str, Any], doc_id: str, body: dict[str, Any]) -> bool:
    def holds(clause: str) -> list[bool]:
        return [matches(source, doc_id, query) for query in body.get(clause, [])]

    should = holds("should")
    required = holds("must") + holds("filter")
    default = 0 if required or not should else 1
    return (
        all(required)
        and not any(holds("must_not"))
        and sum(should) >= body.get("minimum_should_match", default)
    )


numbers = st.integers(-1, 5)
leaves = st.one_of(
    st.just({"match_all": {}}),
    st.lists(st.sampled_from([*DOCUMENTS, "nobody"]), max_size=4).map(lambda ids: {"ids": {"values": ids}}),
    st.sampled_from(["genres", "year", "rating", "in_stock", "text", "v"]).map(
        lambda f: {"exists": {"field": f}}
    ),
    st.sampled_from([*GENRES, "Nothing"]).map(lambda genre: {"term": {"genres": genre}}),
    st.lists(st.sampled_from(GENRES), max_size=3).map(lambda genres: {"terms": {"genres": genres}}),
    numbers.map(lambda year: {"term": {"year": year}}),
    st.booleans().map(lambda stock: {"term": {"in_stock": stock}}),
    st.lists(numbers, max_size=3).map(lambda years: {"terms": {"year": years}}),
    st.tuples(
        st.sampled_from(["year", "rating"]),
        st.dictionaries(
            st.sampled_from(["gt", "lte"]) | st.sampled_from(["gte", "lt"]), numbers, min_size=1, max_size=1
        )
        | st.fixed_dictionaries({"gte": numbers, "lt": numbers | st.just(2.5)}),
    ).map(lambda pair: {"range": {pair[0]: pair[1]}}),
    st.tuples(st.lists(st.sampled_from(WORDS), min_size=1, max_size=3), st.sampled_from(["or", "and"])).map(
        lambda pair: {"match": {"text": {"query": " ".join(pair[0]), "operator": pair[1]}}}
    ),
)


def compound(children: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    lists = st.lists(children, max_size=3)
    clauses = {"must": lists, "should": lists, "filter": lists, "must_not": lists}
    plain = st.fixed_dictionaries({}, optional=clauses)
    counted = st.fixed_dictionaries(
        {"should": st.lists(children, min_size=1, max_size=3), "minimum_should_match": st.integers(0, 4)},
        optional={"filter": lists, "must_not": lists},
    )
    return (plain | counted).map(lambda body: {"bool": body})


queries = st.recursive(leaves, compound, max_leaves=8)
vectors = st.lists(st.sampled_from([-2.0, -1.0, 0.5, 1.0, 3.0]), min_size=DIMENSION, max_size=DIMENSION)


@settings(max_examples=300, deadline=None)
@given(query=queries)
def test_queries_match_what_brute_force_matches(filled: Index, query: dict[str, Any]) -> None:
    expected = {doc_id for doc_id, source in DOCUMENTS.items() if matches(source, doc_id, query)}

    answer = searching.search([filled], {"query": query, "size": 100})

    assert {hit["_id"] for hit in answer["hits"]["hits"]} == expected
    assert searching.count([filled], {"query": query})["count"] == len(expected)


@pytest.mark.req("RET-2")
@settings(max_examples=200, deadline=None)
@given(vector=vectors, k=st.integers(1, 100), query=queries)
def test_filtered_knn_is_exact(filled: Index, vector: list[float], k: int, query: dict[str, Any]) -> None:
    """The k best of the documents that pass the filter, with scores (1 + cosine) / 2."""
    allowed = {doc_id: s for doc_id, s in DOCUMENTS.items() if "v" in s and matches(s, doc_id, query)}
    wanted = np.array(vector)
    scores = {
        doc_id: (1 + np.dot(source["v"], wanted) / np.linalg.norm(source["v"]) / np.linalg.norm(wanted)) / 2
        for doc_id, source in allowed.items()
    }

    clause = {"knn": {"v": {"vector": vector, "k": k, "filter": query}}}
    hits = searching.search([filled], {"query": clause, "size": 100})["hits"]["hits"]

    assert [hit["_score"] for hit in hits] == pytest.approx(
        sorted(scores.values(), reverse=True)[:k], abs=1e-5
    )
    assert {hit["_id"]: hit["_score"] for hit in hits} == pytest.approx(
        {hit["_id"]: scores[hit["_id"]] for hit in hits}, abs=1e-5
    )


# --- writes by a dictionary ---------------------------------------------------------------------------

names = st.sampled_from("abcde")
operations = st.one_of(
    st.tuples(st.just("put"), names, st.integers(0, 9)),
    st.tuples(st.just("update"), names, st.integers(0, 9)),
    st.tuples(st.just("delete"), names, st.just(0)),
    st.tuples(st.just("commit"), st.just(""), st.just(0)),
    st.tuples(st.just("restart"), st.just(""), st.just(0)),
)


@settings(max_examples=20, deadline=None)
@given(steps=st.lists(operations, max_size=15))
def test_writes_leave_what_a_dictionary_would_hold(steps: list[tuple[str, str, int]]) -> None:
    with tempfile.TemporaryDirectory() as path:
        collection = collection_in(Path(path))
        collection.create("books", BODY)
        model: dict[str, dict[str, Any]] = {}
        batch = collection.indexes["books"].batch()
        for verb, name, number in [*steps, ("restart", "", 0)]:
            source = {"year": number, "v": [number + 1.0, 1.0, 0.0, 0.0]}
            match verb:
                case "put":
                    batch.put(name, source)
                    model[name] = source
                case "update":
                    batch.update(name, {"doc": {"rating": number}, "upsert": source})
                    model[name] = {**model[name], "rating": number} if name in model else source
                case "delete":
                    assert batch.delete(name).result == ("deleted" if name in model else "not_found")
                    model.pop(name, None)
                case _:
                    collection.commit(batch)
                    if verb == "restart":
                        collection.close()
                        collection = collection_in(Path(path))
                    batch = collection.indexes["books"].batch()
        index = collection.indexes["books"]
        answer = searching.search([index], {"query": {"match_all": {}}, "_source": ["*", "v"], "size": 100})
        nearest = searching.search(
            [index], {"query": {"knn": {"v": {"vector": [1, 1, 0, 0], "k": 100}}}, "size": 100}
        )
        collection.close()

    assert {hit["_id"]: hit["_source"] for hit in answer["hits"]["hits"]} == model
    assert {hit["_id"] for hit in nearest["hits"]["hits"]} == set(model)


@pytest.mark.parametrize(
    ("value", "clauses", "expected"),
    [(2, 3, 2), ("75%", 4, 3), ("-25%", 4, 3), (-1, 4, 3), ("-1", 1, 0), (5, 3, 5)],
)
def test_minimum_should_match(value: object, clauses: int, expected: int) -> None:
    assert minimum_should_match(value, clauses) == expected
