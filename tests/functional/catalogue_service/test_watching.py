"""Changes: in order, each once, across reconnections, and told only when they can be read."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from mangaassist.catalogue_api.v1 import catalogue_pb2 as pb
from services.catalogue.table import CatalogueTable
from services.catalogue.tokens import Position, read_resume_token, resume_token
from tests.functional.catalogue.conftest import TABLE, Stores
from tests.functional.catalogue_service.conftest import REGION, WAIT_SECONDS, Running, Serve, record, write


def watch(running: Running, token: str = "") -> Any:
    return running.stub.WatchChanges(pb.WatchChangesRequest(resume_token=token), timeout=WAIT_SECONDS)


def changed(number: int, title: str) -> Any:
    return record(number, titles={"en": title, "romaji": title})


def test_a_change_is_told_when_it_can_be_read(running: Running, stores: Stores) -> None:
    changes = watch(running)
    first = next(changes)
    assert (list(first.series_ids), first.resume_token != "") == ([], True)
    write(stores, changed(1, "Spiral"))
    change = next(changes)
    assert list(change.series_ids) == ["MG00001"]
    assert change.changed_at.ToDatetime().year >= 2025
    series = running.stub.GetSeries(pb.GetSeriesRequest(series_id="MG00001")).series
    assert series.titles.en == "Spiral"
    found = running.stub.FindProducts(pb.FindProductsRequest(title="spiral")).products
    assert [product.series_title for product in found] == ["Spiral"]
    answer = running.stub.GetProducts(pb.GetProductsRequest(asins=["B000001001"]))
    assert answer.products[0].series_title == "Spiral"
    changes.cancel()


def test_a_cached_book_changes_with_its_series(running: Running, stores: Stores) -> None:
    ask = pb.GetProductsRequest(asins=["B000001001"])
    assert running.stub.GetProducts(ask).products[0].series_title == "Uzumaki"
    changes = watch(running)
    next(changes)
    write(stores, changed(1, "Spiral"))
    next(changes)
    assert running.stub.GetProducts(ask).products[0].series_title == "Spiral"
    changes.cancel()


def test_a_book_that_leaves_its_series_is_told_as_not_for_sale(running: Running, stores: Stores) -> None:
    ask = pb.GetProductsRequest(asins=["B000001002"])
    assert running.stub.GetProducts(ask).products[0].buyable
    changes = watch(running)
    next(changes)
    (first, _) = record(1).volumes
    write(stores, record(1).model_copy(update={"volumes": [first]}))
    next(changes)
    assert not running.stub.GetProducts(ask).products[0].buyable
    changes.cancel()


class _Lagging:
    """A table whose replicas have not heard of anything yet; only who insists on what is committed reads it."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def batch_get_item(self, *, RequestItems: Any) -> Any:
        ((table, ask),) = RequestItems.items()
        if not ask.get("ConsistentRead"):
            return {"Responses": {table: []}, "UnprocessedKeys": {}}
        return self._client.batch_get_item(RequestItems=RequestItems)


def test_a_change_is_not_read_from_a_replica_that_lacks_it(stores: Stores) -> None:
    write(stores, record(1))
    table = CatalogueTable(_Lagging(stores.dynamodb), TABLE, REGION)
    ((series, volumes),) = table.with_volumes(["MG00001"])
    assert (series.message.titles.en, len(volumes)) == ("Uzumaki", 2)


def test_an_item_that_says_more_than_is_known_is_read_and_one_that_says_too_little_is_left_out(
    stores: Stores, serve: Serve
) -> None:
    write(stores, record(1), record(2), record(3))
    for number, change in (
        (1, "SET titles.ko = :text, rating.histogram = :text"),
        (2, "REMOVE titles"),
    ):
        stores.dynamodb.update_item(
            TableName=TABLE,
            Key={"pk": {"S": f"SERIES#MG{number:05d}"}, "sk": {"S": "SERIES"}},
            UpdateExpression=change,
            **({"ExpressionAttributeValues": {":text": {"S": "later"}}} if "SET" in change else {}),
        )
    with serve() as running:
        found = running.stub.FindProducts(pb.FindProductsRequest(genre="Horror")).products
        assert [product.series_id for product in found] == ["MG00001", "MG00003"]


def test_a_watch_resumes_without_loss_or_duplicates(running: Running, stores: Stores) -> None:
    changes = watch(running)
    token = next(changes).resume_token
    write(stores, record(11))
    write(stores, record(12))
    seen = []
    change = next(changes)
    seen += change.series_ids
    token = change.resume_token
    changes.cancel()

    # While nobody watches, two more; the second may or may not have reached the first watch.
    write(stores, record(13))
    write(stores, record(14), record(15))
    changes = watch(running, token)
    while "MG00015" not in seen:
        change = next(changes)
        seen += change.series_ids
    changes.cancel()
    assert seen == ["MG00011", "MG00012", "MG00013", "MG00014", "MG00015"]


def test_a_watch_goes_on_at_another_server(running: Running, stores: Stores, serve: Serve) -> None:
    """Its memory begins later than the token, so it reads the log itself."""
    changes = watch(running)
    token = next(changes).resume_token
    changes.cancel()
    write(stores, record(11))
    write(stores, record(12))
    with serve() as other:
        changes = watch(other, token)
        assert [list(next(changes).series_ids) for _ in range(2)] == [["MG00011"], ["MG00012"]]
        write(stores, record(13))
        assert list(next(changes).series_ids) == ["MG00013"]
        changes.cancel()


def test_a_watch_of_an_empty_catalogue_hears_of_its_first_series(stores: Stores, serve: Serve) -> None:
    with serve() as running:
        changes = watch(running)
        next(changes)
        write(stores, record(1))
        assert list(next(changes).series_ids) == ["MG00001"]
        changes.cancel()


def code_of(changes: Any) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as caught:
        next(changes)
    error: Any = caught.value
    return error.code().name, error.details()


def test_a_token_that_reaches_too_far_back_is_out_of_range(
    running: Running, stores: Stores, serve: Serve
) -> None:
    changes = watch(running)
    token = next(changes).resume_token
    changes.cancel()
    for number in (11, 12):
        write(stores, record(number))
    position = read_resume_token(token)
    # What TTL does once an entry is seven days old.
    key = {"pk": {"S": "CHANGES#us-east-1"}, "sk": {"S": f"ENTRY#{position.sequence + 1:015d}"}}
    assert stores.dynamodb.delete_item(TableName=TABLE, Key=key, ReturnValues="ALL_OLD")["Attributes"]
    with serve() as other:
        code, told = code_of(watch(other, token))
        assert (code, "watch without one" in told) == ("OUT_OF_RANGE", True)
        code, _ = code_of(watch(other, resume_token(Position("another log", 1))))
        assert code == "OUT_OF_RANGE"


@pytest.mark.parametrize("token", ["x", "うずまき", "A" * 600, resume_token(Position("log", 1))[1:]])
def test_a_token_of_nobody_is_refused(running: Running, token: str) -> None:
    code, told = code_of(watch(running, token))
    assert (code, "unchanged" in told) == ("INVALID_ARGUMENT", True)


def test_watches_over_the_limit_are_refused(stores: Stores, serve: Serve) -> None:
    with serve(most_watches=1) as running:
        first = watch(running)
        next(first)
        assert code_of(watch(running))[0] == "RESOURCE_EXHAUSTED"
        first.cancel()


def test_a_log_that_began_anew_makes_the_server_load_anew(running: Running, stores: Stores) -> None:
    """A restored or emptied table: the model must not keep what is not there."""
    changes = watch(running)
    next(changes)
    keys = [
        {name: item[name] for name in ("pk", "sk")} for item in stores.dynamodb.scan(TableName=TABLE)["Items"]
    ]
    for key in keys:
        stores.dynamodb.delete_item(TableName=TABLE, Key=key)
    write(stores, record(21))
    assert code_of(changes)[0] == "OUT_OF_RANGE"
    fresh = watch(running)
    next(fresh)
    write(stores, record(22))
    while "MG00022" not in next(fresh).series_ids:
        pass
    fresh.cancel()
    found = running.stub.FindProducts(pb.FindProductsRequest(genre="Horror")).products
    assert [product.series_id for product in found] == ["MG00021", "MG00022"]
