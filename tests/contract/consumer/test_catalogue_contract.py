"""The consumer's side of the catalogue: our client reads the contract's answers, and sends its requests."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from google.protobuf import json_format

from mangaassist.adapters.grpc_catalogue import GrpcProducts, connect
from mangaassist.catalogue_api.v1 import catalogue_pb2 as pb
from mangaassist.catalogue_api.v1 import catalogue_pb2_grpc
from mangaassist.errors import DependencyError
from mangaassist.store.facts import Product
from tests.contract.consumer.catalogue import FIRST, INTERACTIONS, SECOND, UNKNOWN, document
from tools.contracts.__main__ import WRITE
from tools.contracts.files import FOLDER
from tools.contracts.messages import canonical

MS = 30_000
KINDS = {
    "GetProducts": (pb.GetProductsRequest, pb.GetProductsResponse),
    "FindProducts": (pb.FindProductsRequest, pb.FindProductsResponse),
}


@dataclass
class Replay(catalogue_pb2_grpc.CatalogueServiceServicer):
    """Answers with one interaction and keeps what it was asked."""

    interaction: dict[str, Any] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)

    def _answer(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.asked.append(request)
        if "code" in self.interaction:
            context.abort(grpc.StatusCode[self.interaction["code"]], "as the contract says")
        response = KINDS[self.interaction["method"]][1]()
        return json_format.ParseDict(self.interaction["response"], response)

    GetProducts = FindProducts = _answer


@pytest.fixture
def replay() -> Iterator[tuple[Replay, GrpcProducts]]:
    server = grpc.server(ThreadPoolExecutor(2))
    replay = Replay()
    catalogue_pb2_grpc.add_CatalogueServiceServicer_to_server(replay, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with connect(f"127.0.0.1:{port}") as channel:
        yield replay, GrpcProducts(channel)
    server.stop(None).wait()


Asks = Callable[[GrpcProducts], Coroutine[Any, Any, Any]]
ASKS: dict[str, Asks] = {
    "a request for two books and an unknown one": lambda client: client.get(
        [FIRST, UNKNOWN, SECOND], deadline_ms=MS
    ),
    "a search by Japanese title": lambda client: client.find(
        "title", "うずまき", page_size=5, deadline_ms=MS
    ),
    "a search by creator": lambda client: client.find("creator", "Junji Ito", page_size=5, deadline_ms=MS),
    "a search by genre": lambda client: client.find("genre", "Horror", page_size=5, deadline_ms=MS),
    "a request for the volumes of a series": lambda client: client.find(
        "series", "MG00001", page_size=5, deadline_ms=MS
    ),
    "a search for what is not there": lambda client: client.find(
        "title", "zzzzzz", page_size=5, deadline_ms=MS
    ),
    "a search with a page token that nobody gave out": lambda client: client.find(
        "title", "Uzumaki", page_size=5, page_token="made-up", deadline_ms=MS
    ),
}


@pytest.mark.req("CAT-3")
def test_the_committed_contract_is_current() -> None:
    committed = FOLDER / "mangaassist-catalogue.json"
    text = canonical(document())
    if os.environ.get(WRITE):
        committed.write_text(text, "utf-8")
    current = committed.read_text("utf-8") if committed.exists() else ""
    assert current == text, f"{committed.name} is stale; run: python -m tools.contracts generate"


@pytest.mark.parametrize("description", ASKS)
def test_the_client_sends_the_request_and_reads_the_answer(
    replay: tuple[Replay, GrpcProducts], description: str
) -> None:
    [interaction] = [each for each in INTERACTIONS if each["description"] == description]
    server, client = replay
    server.interaction = interaction
    if "code" in interaction:
        with pytest.raises(DependencyError, match=interaction["code"]):
            asyncio.run(ASKS[description](client))
    else:
        found = asyncio.run(ASKS[description](client))
        products = list(found.values()) if isinstance(found, dict) else list(found.items)
        assert [each.asin for each in products] == [
            each["asin"] for each in interaction["response"]["products"]
        ]
    sent = json_format.ParseDict(interaction["request"], KINDS[interaction["method"]][0]())
    assert server.asked == [sent]


def test_every_field_of_a_product_is_read(replay: tuple[Replay, GrpcProducts]) -> None:
    server, client = replay
    server.interaction = INTERACTIONS[0]
    assert asyncio.run(client.get([FIRST], deadline_ms=MS))[FIRST] == Product(
        asin=FIRST,
        series_id="MG00001",
        title="Uzumaki, Vol. 1",
        series_title="Uzumaki",
        title_ja="うずまき",
        volume=1,
        creators=("Junji Ito",),
        genres=("Horror",),
        publisher="Shogakukan",
        status="finished",
        mature=True,
        buyable=True,
        creators_ja=("伊藤潤二",),
        year=1998,
        volume_count=2,
        demographics=("Seinen",),
    )
