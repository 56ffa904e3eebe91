"""The provider's side of the catalogue: the real server keeps the contract, and a change that would not is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.catalogue import products
from tests.contract.consumer.catalogue import STATE, document
from tests.functional.catalogue_service.conftest import Running, Serve, Stores, record, serve, stores, write
from tools.contracts.files import FOLDER, read
from tools.contracts.messages import canonical, problems
from tools.contracts.records import leave, verified

__all__ = ["serve", "stores"]

CONTRACT = FOLDER / "mangaassist-catalogue.json"
VERSION = "v1"
"""Of the package of its messages, which is what the service promises to keep."""


@pytest.fixture
def catalogue(stores: Stores, serve: Serve):
    """The server in the one state that the contract names."""
    write(stores, record(1))
    with serve() as running:
        yield running


def test_there_is_one_state_and_it_is_arranged() -> None:
    assert {each["state"] for each in json.loads(CONTRACT.read_text("utf-8"))["interactions"]} == {STATE}


@pytest.mark.req("CAT-3")
def test_the_catalogue_keeps_the_contract(catalogue: Running) -> None:
    assert problems(CONTRACT, catalogue.channel) == []
    kept = read(CONTRACT)
    leave(kept, verified(kept, VERSION, datetime.now(UTC)))


@pytest.mark.req("CAT-3")
def test_a_field_that_the_server_stops_filling_is_named(
    catalogue: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = products.product

    def without_title(*arguments: Any) -> Any:
        message = made(*arguments)
        message.ClearField("title")
        return message

    monkeypatch.setattr(products, "product", without_title)
    told = problems(CONTRACT, catalogue.channel)
    assert (
        "a request for two books and an unknown one: $.products[0].title: "
        "expected 'Uzumaki, Vol. 1', but was ''" in told
    )


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (
            ("fields", "Product", "asin"),
            "9 string",
            "Product.asin: expected field 9 string, but it is 1 string",
        ),
        (
            ("fields", "Product", "genres"),
            "8 string",
            "Product.genres: expected field 8 string, but it is 8 repeated string",
        ),
        (
            ("fields", "Product", "price"),
            "20 string",
            "Product.price: expected field 20 string, but it is not there",
        ),
        (("fields", "Basket"), {"a": "1 string"}, "Basket: the server has no such message"),
        (("service",), "another.Service", "another.Service: the server has no such service"),
        (
            ("interactions", 0, "method"),
            "BuyProducts",
            "a request for two books and an unknown one: BuyProducts: the server has no such method",
        ),
        (
            ("interactions", 1, "code"),
            "NOT_FOUND",
            "a request for no book at all: expected NOT_FOUND, but was INVALID_ARGUMENT",
        ),
        (
            ("interactions", 0, "code"),
            "NOT_FOUND",
            "a request for two books and an unknown one: expected NOT_FOUND, but was OK",
        ),
        (
            ("interactions", 6, "response", "products"),
            [{}],
            "a search for what is not there: $.products: expected 1 of them, but there are 0",
        ),
        (
            ("interactions", 6, "response", "total"),
            0,
            "a search for what is not there: $.total: missing",
        ),
        (
            ("interactions", 0, "request", "isbns"),
            [],
            "a request for two books and an unknown one: the request cannot be sent: ",
        ),
    ],
)
def test_what_the_server_does_not_keep_is_named(
    catalogue: Running, tmp_path: Path, path: tuple[Any, ...], value: Any, told: str
) -> None:
    broken: Any = document()
    *way, last = path
    holder = broken
    for step in way:
        holder = holder[step]
    holder[last] = value
    changed = tmp_path / "changed.json"
    changed.write_text(canonical(broken), "utf-8")
    assert any(sentence.startswith(told) for sentence in problems(changed, catalogue.channel))
