"""What the service answers, and what it says of requests that can never succeed."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from mangaassist.catalogue_api.v1 import catalogue_pb2 as pb
from mangaassist.catalogue_api.v1 import catalogue_pb2_grpc
from tests.functional.catalogue.conftest import Stores
from tests.functional.catalogue_service.conftest import WAIT_SECONDS, Running, Serve, record, write

UZUMAKI = ("B000001001", "B000001002")


def refused(running: Running, method: str, request: Message) -> tuple[str, str]:
    """Code and sentence of a call that fails."""
    with pytest.raises(grpc.RpcError) as caught:
        getattr(running.stub, method)(request, timeout=WAIT_SECONDS)
    error: Any = caught.value
    return error.code().name, error.details()


def found(running: Running, **query: Any) -> list[str]:
    return [product.asin for product in running.stub.FindProducts(pb.FindProductsRequest(**query)).products]


@pytest.mark.req("CAT-1")
def test_products_by_asin_with_what_their_series_says(running: Running) -> None:
    asked = [UZUMAKI[1], "B0NOWHERE0", UZUMAKI[0], UZUMAKI[1], "not an asin", ""]
    answer = running.stub.GetProducts(pb.GetProductsRequest(asins=asked))
    assert [product.asin for product in answer.products] == [UZUMAKI[1], UZUMAKI[0]]
    assert list(answer.unknown_asins) == ["B0NOWHERE0", "not an asin", ""]
    product = answer.products[0]
    assert (product.title, product.volume, product.series_id) == ("Uzumaki, Vol. 2", 2, "MG00001")
    assert (product.series_title, product.series_title_ja) == ("Uzumaki", "うずまき")
    assert (list(product.creators), list(product.genres)) == (["Junji Ito"], ["Horror"])
    assert (product.publisher, product.status) == ("Shogakukan", pb.SERIES_STATUS_FINISHED)
    assert (list(product.creators_ja), list(product.demographics)) == (["伊藤潤二"], ["Seinen"])
    assert (product.year, product.volume_count) == (1998, 2)
    assert product.mature
    assert product.buyable


@pytest.mark.req("CAT-1")
def test_products_by_title_creator_genre_and_series(running: Running) -> None:
    assert found(running, title="うずまき") == ["B000001001"]
    assert found(running, title="UZUMAKI vol. 2") == ["B000001002"]
    assert found(running, title="富江", every_volume=True) == ["B000002001", "B000002002"]
    # More ratings first.
    assert found(running, creator="伊藤 潤二") == ["B000001001", "B000002001"]
    assert found(running, creator="ito junji") == ["B000001001", "B000002001"]
    assert found(running, genre="コメディ") == ["B000003001"]
    assert found(running, series_id="MG00003") == ["B000003001", "B000003002"]
    assert found(running, title="nothing like it") == []
    assert found(running, series_id="MG99999") == []
    assert found(running, title="!?") == []


def test_a_series_with_everything_known(running: Running) -> None:
    series = running.stub.GetSeries(pb.GetSeriesRequest(series_id="MG00001")).series
    assert (series.titles.ja, series.year, series.type) == ("うずまき", 1998, "manga")
    assert series.rating.average == pytest.approx(4.2)
    assert series.creators[0].also_written == "Junji Itou"
    assert list(series.asins) == list(UZUMAKI)
    code, told = refused(running, "GetSeries", pb.GetSeriesRequest(series_id="MG99999"))
    assert (code, "MG99999" in told) == ("NOT_FOUND", False)


def test_pages_go_on_where_the_last_one_ended(running: Running) -> None:
    first = running.stub.FindProducts(pb.FindProductsRequest(genre="Horror", page_size=3, every_volume=True))
    assert len(first.products) == 3
    rest = running.stub.FindProducts(
        pb.FindProductsRequest(
            genre="Horror", page_size=100, every_volume=True, page_token=first.next_page_token
        )
    )
    asins = [product.asin for product in (*first.products, *rest.products)]
    assert asins == ["B000001001", "B000001002", "B000002001", "B000002002"]
    assert rest.next_page_token == ""


@pytest.mark.parametrize(
    ("method", "request_", "told"),
    [
        ("GetProducts", pb.GetProductsRequest(), "0 entries: send 1 to 100"),
        ("GetProducts", pb.GetProductsRequest(asins=["B000001001"] * 101), "101 entries: send 1 to 100"),
        ("GetProducts", pb.GetProductsRequest(asins=["B000001001"] * 1_000), "split larger batches"),
        ("FindProducts", pb.FindProductsRequest(), "name one of title, creator"),
        ("FindProducts", pb.FindProductsRequest(title=""), "title must have 1 to 300"),
        ("FindProducts", pb.FindProductsRequest(title="x" * 301), "title must have 1 to 300"),
        ("FindProducts", pb.FindProductsRequest(title="x", page_size=101), "page_size must be 1 to 100"),
        ("FindProducts", pb.FindProductsRequest(title="x", page_size=-1), "page_size must be 1 to 100"),
        (
            "FindProducts",
            pb.FindProductsRequest(title="x", page_token="うずまき"),
            "send the next_page_token",
        ),
        (
            "FindProducts",
            pb.FindProductsRequest(title="x", page_token="A" * 5_000),
            "send the next_page_token",
        ),
        ("GetSeries", pb.GetSeriesRequest(), "series_id must have"),
    ],
)
def test_a_bad_request_is_told_what_to_change(
    running: Running, method: str, request_: Message, told: str
) -> None:
    code, sentence = refused(running, method, request_)
    assert code == "INVALID_ARGUMENT"
    assert told in sentence


def test_a_page_token_belongs_to_its_query(running: Running) -> None:
    token = running.stub.FindProducts(
        pb.FindProductsRequest(creator="junji ito", page_size=1)
    ).next_page_token
    assert token
    for other in (
        pb.FindProductsRequest(creator="junji", page_size=1, page_token=token),
        pb.FindProductsRequest(title="junji ito", page_size=1, page_token=token),
        pb.FindProductsRequest(creator="junji ito", every_volume=True, page_token=token),
        pb.FindProductsRequest(creator="junji ito", page_token=token[:-1]),
    ):
        code, told = refused(running, "FindProducts", other)
        assert (code, "of the same query, unchanged" in told) == ("INVALID_ARGUMENT", True)


def test_a_book_is_found_from_the_moment_it_is_written(stores: Stores, serve: Serve) -> None:
    """By key from the table, before the read model hears of it."""
    with serve(poll_seconds=3_600) as running:
        assert not found(running, title="Uzumaki")
        write(stores, record(1))
        answer = running.stub.GetProducts(pb.GetProductsRequest(asins=UZUMAKI))
        assert [product.series_title for product in answer.products] == ["Uzumaki", "Uzumaki"]


def test_nothing_is_answered_before_the_catalogue_is_loaded(stores: Stores, serve: Serve) -> None:
    stores.dynamodb.delete_table(TableName="catalogue")
    # A channel without our service config: no health check holds the call back, nothing retries it.
    with serve(loaded=False) as running, grpc.insecure_channel(running.target) as channel:
        stub: Any = catalogue_pb2_grpc.CatalogueServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.GetProducts(pb.GetProductsRequest(asins=UZUMAKI), timeout=WAIT_SECONDS, wait_for_ready=True)
    error: Any = caught.value
    assert (error.code().name, "being loaded" in error.details()) == ("UNAVAILABLE", True)
