"""The assistant's client against the real server: batches, deadlines, failures, loops."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import grpc
import pytest

from mangaassist.adapters.grpc_catalogue import GrpcProducts, TooManyProducts, connect
from mangaassist.errors import (
    DependencyError,
    DependencyThrottled,
    DependencyTimeout,
    DependencyUnavailable,
)
from mangaassist.resilience.breaker import OPEN_SECONDS, CircuitOpen, ConsecutiveFailures, RequestRefused
from tests.functional.catalogue.conftest import Stores
from tests.functional.catalogue_service.conftest import WAIT_SECONDS, Running, Serve, record, write
from tests.functional.models.conftest import free_port

PATIENT_MS = 1_000 * WAIT_SECONDS


@pytest.mark.req("CAT-1")
async def test_products_become_facts(running: Running) -> None:
    products = await running.client().get(["B000001002", "B0NOWHERE0"], deadline_ms=PATIENT_MS)
    assert list(products) == ["B000001002"]
    product = products["B000001002"]
    assert (product.title, product.title_ja, product.volume) == ("Uzumaki, Vol. 2", "うずまき", 2)
    assert (product.creators, product.genres, product.status) == (("Junji Ito",), ("Horror",), "finished")


async def test_finding_pages_through_the_port(running: Running) -> None:
    products = running.client()
    first = await products.find("creator", "伊藤潤二", page_size=1, deadline_ms=PATIENT_MS)
    second = await products.find(
        "creator", "伊藤潤二", page_size=1, page_token=first.next_page_token, deadline_ms=PATIENT_MS
    )
    assert [page.items[0].series_title for page in (first, second)] == ["Uzumaki", "Tomie"]
    assert second.next_page_token == ""
    series = await products.find("series", "MG00003", page_size=500, deadline_ms=PATIENT_MS)
    assert [product.volume for product in series.items] == [1, 2]
    with pytest.raises(DependencyError, match="catalogue: INVALID_ARGUMENT"):
        await products.find("title", "Tomie", page_size=1, page_token="x", deadline_ms=PATIENT_MS)


async def test_a_thousand_products_are_ten_calls_at_once(stores: Stores, serve: Serve) -> None:
    write(stores, *(record(number) for number in range(1, 101)))
    known = [f"B0{number:05d}{volume:03d}" for number in range(1, 101) for volume in (1, 2)]
    unknown = [f"B9{number:08d}" for number in range(800)]
    with serve() as running:
        products = await running.client().get([*known, *unknown, *known], deadline_ms=PATIENT_MS)
        assert list(products) == known
        assert running.ended == [("GetProducts", "OK")] * 10


async def test_more_than_a_thousand_are_too_many(running: Running) -> None:
    with pytest.raises(TooManyProducts, match="1001 products at once: ask for at most 1000"):
        await running.client().get([f"B9{number:08d}" for number in range(1_001)], deadline_ms=PATIENT_MS)
    assert running.ended == []


async def test_what_is_no_asin_is_not_asked_for(running: Running) -> None:
    odd = ["\ud800", "x" * 70_000, "", "b000001001", "B000001001\n"]
    assert await running.client().get(odd, deadline_ms=PATIENT_MS) == {}
    assert running.ended == []
    assert list(await running.client().get([*odd, "B000001001"], deadline_ms=PATIENT_MS)) == ["B000001001"]


@pytest.mark.parametrize(
    "asked",
    [
        {"term": "\ud800"},
        {"term": "x" * 301},
        {"term": "x" * 70_000},
        {"term": "x", "page_token": "\ud800"},
        {"term": "x", "page_token": "x" * 70_000},
        {"term": "x", "page_size": -(2**40)},
    ],
)
async def test_a_search_that_cannot_succeed_is_no_throttle(running: Running, asked: dict[str, Any]) -> None:
    search = {"page_size": 1, "deadline_ms": PATIENT_MS, **asked}
    with pytest.raises(DependencyError, match="catalogue: INVALID_ARGUMENT") as caught:
        await running.client().find("title", search.pop("term"), **search)
    assert type(caught.value) is RequestRefused


async def test_nothing_asked_is_nothing_answered(running: Running) -> None:
    assert await running.client().get([], deadline_ms=PATIENT_MS) == {}
    assert running.ended == []


async def test_a_deadline_that_has_passed_is_not_even_tried(running: Running) -> None:
    with pytest.raises(DependencyTimeout):
        await running.client().get(["B000001001"], deadline_ms=0)
    assert running.ended == []


async def test_past_the_deadline_the_client_stops_waiting_and_the_server_working(running: Running) -> None:
    running.table.open.clear()
    deadline_ms = 50
    # One that passed before the server was at work shows nothing: longer ones follow.
    while not running.table.asked.is_set():
        with pytest.raises(DependencyTimeout, match=r"catalogue: (deadline|DEADLINE_EXCEEDED)"):
            await running.client().get(["B000001001"], deadline_ms=deadline_ms)
        deadline_ms *= 2
    assert await asyncio.to_thread(running.one_ended.acquire, timeout=WAIT_SECONDS)
    assert running.ended[0][1] in ("DEADLINE_EXCEEDED", "CANCELLED")
    running.table.open.set()


async def test_calls_over_the_limit_are_throttled_and_health_still_answers(
    running: Running, stores: Stores, serve: Serve
) -> None:
    with serve(most_calls=1) as small:
        small.table.open.clear()
        products = small.client()
        first = asyncio.create_task(products.get(["B000001001"], deadline_ms=PATIENT_MS))
        assert await asyncio.to_thread(small.table.asked.wait, WAIT_SECONDS)
        with pytest.raises(DependencyThrottled, match="RESOURCE_EXHAUSTED"):
            await products.get(["B000001002"], deadline_ms=PATIENT_MS)
        from services.catalogue.probe import is_serving

        assert await asyncio.to_thread(is_serving, small.target)
        small.table.open.set()
        assert list(await first) == ["B000001001"]
        assert ("GetProducts", "RESOURCE_EXHAUSTED") in small.ended


async def test_who_stops_waiting_cancels_the_call(running: Running) -> None:
    running.table.open.clear()
    task = asyncio.create_task(running.client().get(["B000001001"], deadline_ms=PATIENT_MS))
    assert await asyncio.to_thread(running.table.asked.wait, WAIT_SECONDS)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(running.one_ended.acquire, timeout=WAIT_SECONDS)
    assert running.ended == [("GetProducts", "CANCELLED")]
    running.table.open.set()


async def test_one_book_that_many_ask_for_is_read_once(running: Running) -> None:
    running.table.open.clear()
    products = running.client()
    calls = [asyncio.create_task(products.get(["B000001001"], deadline_ms=PATIENT_MS)) for _ in range(8)]
    assert await asyncio.to_thread(running.table.asked.wait, WAIT_SECONDS)
    running.table.open.set()
    answers = await asyncio.gather(*calls)
    assert {answer["B000001001"].volume for answer in answers} == {1}
    assert running.table.reads == [["B000001001"]]


async def test_nobody_there_is_unavailable() -> None:
    with connect(f"127.0.0.1:{free_port()}") as channel, pytest.raises(DependencyUnavailable):
        await GrpcProducts(channel).get(["B000001001"], deadline_ms=PATIENT_MS)


def test_one_channel_serves_any_number_of_event_loops(running: Running) -> None:
    """As in a function: a loop per invocation, also one that ends with a call still under way."""
    products = running.client()
    for _ in range(3):
        assert list(asyncio.run(products.get(["B000001001"], deadline_ms=PATIENT_MS))) == ["B000001001"]
    running.table.open.clear()

    async def gives_up() -> None:
        call = asyncio.create_task(products.get(["B000002001"], deadline_ms=PATIENT_MS))
        await asyncio.to_thread(running.table.asked.wait, WAIT_SECONDS)
        call.cancel()

    running.table.asked.clear()
    asyncio.run(gives_up())
    running.table.open.set()
    assert list(asyncio.run(products.get(["B000002001"], deadline_ms=PATIENT_MS))) == ["B000002001"]


async def test_the_log_ties_a_call_to_its_request_and_repeats_nothing_of_it(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    from services.catalogue.telemetry import JsonLines

    with caplog.at_level(logging.INFO, "services.catalogue.calls"):
        products = running.client(request_id=lambda: "request-7")
        await products.find("title", "secret words", page_size=1, deadline_ms=PATIENT_MS)
        assert await asyncio.to_thread(running.one_ended.acquire, timeout=WAIT_SECONDS)
    lines = [json.loads(JsonLines().format(each)) for each in caplog.records]
    (line,) = lines
    assert (line["method"], line["code"], line["request_id"]) == ("FindProducts", "OK", "request-7")
    assert "secret" not in json.dumps(lines)


async def test_a_table_out_of_reach_is_answered_for_by_the_read_model(running: Running) -> None:
    def unreachable(*asins: Any, **options: Any) -> Any:
        raise DependencyUnavailable("dynamodb", "EndpointConnectionError")

    running.table.volumes = unreachable  # type: ignore[method-assign]
    products = running.client()
    assert list(await products.get(["B000001001"], deadline_ms=PATIENT_MS)) == ["B000001001"]
    with pytest.raises(DependencyUnavailable):
        await products.get(["B0NOWHERE0"], deadline_ms=PATIENT_MS)


def test_tls(stores: Stores, serve: Serve, tmp_path: Any) -> None:
    certificate, key = _self_signed(tmp_path)
    write(stores, record(1))
    with (
        serve(loaded=False, tls_certificate=certificate, tls_key=key) as running,
        connect(
            f"localhost:{running.target.rpartition(':')[2]}",
            tls=True,
            root_certificates=certificate.read_bytes(),
        ) as channel,
    ):
        grpc.channel_ready_future(channel).result(WAIT_SECONDS)
        products = asyncio.run(GrpcProducts(channel).get(["B000001001"], deadline_ms=PATIENT_MS))
        assert list(products) == ["B000001001"]


def _self_signed(folder: Any) -> tuple[Any, Any]:
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, pem_key = folder / "certificate.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem_key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pem, pem_key


async def test_a_refusal_opens_no_circuit(running: Running) -> None:
    products = running.client(breaker=ConsecutiveFailures())
    for _ in range(4):
        with pytest.raises(RequestRefused):
            await products.find("title", "", page_size=1, deadline_ms=PATIENT_MS)
    assert list(await products.get(["B000001001"], deadline_ms=PATIENT_MS)) == ["B000001001"]


@pytest.mark.parametrize("asked", [1, 250])
async def test_three_failures_open_the_circuit_and_an_answer_closes_it(running: Running, asked: int) -> None:
    time = [0.0]
    breaker = ConsecutiveFailures(lambda: time[0])
    asins = ["B000001001", *(f"B9{number:08}" for number in range(asked - 1))]
    with connect(f"127.0.0.1:{free_port()}") as nobody:
        down = GrpcProducts(nobody, breaker=breaker)
        for _ in range(3):
            with pytest.raises(DependencyUnavailable, match="UNAVAILABLE"):
                await down.get(asins[:1], deadline_ms=PATIENT_MS)
        with pytest.raises(CircuitOpen):
            await down.get(asins, deadline_ms=PATIENT_MS)
    time[0] += OPEN_SECONDS
    up = running.client(breaker=breaker)
    if asked > 1:
        # One of the calls probes, and the others are not made: the question after it has the answer.
        with pytest.raises(CircuitOpen):
            await up.get(asins, deadline_ms=PATIENT_MS)
    assert list(await up.get(asins, deadline_ms=PATIENT_MS)) == ["B000001001"]
