from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangaassist.catalogue.documents import (
    VectorMapping,
    content_hash,
    embedding_text,
    index_body,
    index_name,
    search_document,
)
from mangaassist.catalogue.items import series_item, volume_items
from mangaassist.catalogue.records import SeriesRecord, read_line
from tests.unit.catalogue.fakes import line, record

STORE = "https://store.example"


def series(**changes: object) -> SeriesRecord:
    return read_line(line(**changes))


def test_the_document_of_a_series() -> None:
    document = search_document(series(), store_url=STORE)
    assert document["chunk_id"] == "MG00032#0"
    assert document["url"] == "https://store.example/manga/MG00032"
    assert (document["title"], document["title_ja"]) == ("Uzumaki", "うずまき")
    assert (document["creators"], document["creators_ja"]) == (["Junji Ito"], ["伊藤潤二"])
    assert document["access_groups"] == ["public"]
    assert document["in_stock"] is True
    assert document["offer"] == {
        "asin": "B000032002",
        "title": "Uzumaki, Vol. 2",
        "volume": 2,
        "price": "9.99",
        "list_price": "12.99",
        "currency": "USD",
        "in_stock": True,
        "rating_average": 4.2,
        "rating_count": 120,
    }


def test_a_sold_out_series_offers_its_first_volume() -> None:
    volumes = [{**volume, "stock": 0} for volume in reversed(record()["volumes"])]
    document = search_document(series(volumes=volumes), store_url=STORE)
    assert document["in_stock"] is False
    assert (document["offer"]["volume"], document["offer"]["in_stock"]) == (1, False)


def test_a_series_without_volumes_offers_nothing() -> None:
    assert search_document(series(volumes=[]), store_url=STORE)["offer"] is None


def test_the_embedded_text_speaks_both_languages() -> None:
    text = embedding_text(series())
    for word in (
        "Uzumaki",
        "うずまき",
        "Junji Ito",
        "Junji Itou",
        "伊藤潤二",
        "Horror",
        "ホラー",
        "Seinen",
        "青年",
    ):
        assert word in text
    assert text.count("Uzumaki") == 1


def test_no_price_is_embedded() -> None:
    assert "9.99" not in embedding_text(series())


def test_the_mapping_knows_every_field_of_a_document() -> None:
    body = index_body(VectorMapping(1024))
    assert body["mappings"]["dynamic"] == "strict"
    properties = body["mappings"]["properties"]
    document = search_document(series(), store_url=STORE)
    assert set(properties) == {*document, "content_hash", "embedding"}
    for filtered in ("genres", "access_groups", "language", "series_id"):
        assert properties[filtered] == {"type": "keyword"}
    assert properties["in_stock"] == {"type": "boolean"}
    assert properties["offer"] == {"type": "object", "enabled": False}


def test_vectors_leave_to_the_service_what_nobody_asked_for() -> None:
    plain = index_body(VectorMapping(1024))["mappings"]["properties"]["embedding"]
    assert plain == {
        "type": "knn_vector",
        "dimension": 1024,
        "space_type": "cosinesimil",
        "method": {"name": "hnsw"},
    }
    tuned = index_body(VectorMapping(1024, m=16, ef_construction=512, compression_level="16x"))
    embedding = tuned["mappings"]["properties"]["embedding"]
    assert embedding["method"] == {"name": "hnsw", "parameters": {"m": 16, "ef_construction": 512}}
    assert embedding["compression_level"] == "16x"


def test_an_index_is_named_after_its_mapping_and_embedding() -> None:
    assert (
        index_name("amazon.titan-embed-text-v2:0", 1024) == "catalogue-v1-amazon-titan-embed-text-v2-0-1024"
    )
    assert index_name("a", 1024) != index_name("a", 512)


@pytest.mark.parametrize(
    "changes",
    [
        {"year": 1999},
        {"titles": {"en": "Uzumaki", "romaji": "Uzumaki"}},
        {"volumes": record()["volumes"][:1]},
        {"rating": {"average": 4.1, "count": 120}},
    ],
)
def test_any_change_of_a_series_changes_its_hash(changes: dict[str, object]) -> None:
    before = content_hash(series(), index="i", store_url=STORE)
    assert content_hash(series(), index="i", store_url=STORE) == before
    assert content_hash(series(**changes), index="i", store_url=STORE) != before


def test_another_index_or_shop_is_a_change_too() -> None:
    before = content_hash(series(), index="i", store_url=STORE)
    assert content_hash(series(), index="j", store_url=STORE) != before
    assert content_hash(series(), index="i", store_url="https://other.example") != before


def test_items_of_a_series() -> None:
    one = series()
    assert series_item(one, "hash")["pk"] == "SERIES#MG00032"
    assert series_item(one, "hash")["sk"] == "SERIES"
    assert series_item(one, "hash")["content_hash"] == "hash"
    assert "volumes" not in series_item(one, "hash")
    first = volume_items(one)[0]
    assert (first["pk"], first["sk"], first["series_id"]) == ("ASIN#B000032001", "PRODUCT", "MG00032")
    assert (first["price"], first["stock"], first["synthetic"]) == ("9.99", 0, True)


@given(st.sampled_from(["en", "romaji"]), st.text(min_size=1, max_size=20).filter(str.isalpha))
def test_whatever_the_title_it_is_found_in_the_text(script: str, title: str) -> None:
    one = series(titles={"en": "A", "romaji": "B", script: title})
    assert title in embedding_text(one)
