"""What every request passes: who asks, how much, and what an error looks like."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette

from services.partners.edge import MOST_BODY_BYTES, AccessLog, Limits
from services.partners.logs import JsonLines
from tests.functional.partners.conftest import ADMINISTRATOR, READER, client

OFFER = "/pricing/v1/offers/B000000000"
SECRET = "S3cretValue"


def is_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert {"type", "title", "detail"} <= set(document)
    assert SECRET not in answer.text
    return document


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer wrong-0123456789", f"Basic {READER}", f"Bearer {READER} x"]
)
async def test_a_stranger_gets_401_before_anything_is_looked_at(
    app: FastAPI, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    async with client(app, None) as stranger:
        for method, path in (("GET", "/pricing/v1/offers?asin=bad"), ("PUT", OFFER), ("GET", "/nope")):
            answer = await stranger.request(method, path, headers=headers, content=b"{")
            is_problem(answer, 401)
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_reader_may_not_write(reader: httpx.AsyncClient) -> None:
    is_problem(await reader.put(OFFER, json={"price": {"amount": "7.99"}}), 403)
    is_problem(await reader.post("/returns/v1/returns", json={}), 403)


async def test_health_needs_no_credential(app: FastAPI) -> None:
    async with client(app, None) as stranger:
        assert (await stranger.get("/health")).json() == {"status": "ready", "synthetic": True}


async def test_health_says_when_the_database_is_gone(app: FastAPI) -> None:
    class Gone:
        def answers(self) -> bool:
            from sqlalchemy.exc import OperationalError

            raise OperationalError("SELECT 1", {}, Exception("gone"))

    app.state.database = Gone()
    async with client(app, None) as stranger:
        is_problem(await stranger.get("/health"), 503)


async def test_errors_of_the_router_are_problems_too(administrator: httpx.AsyncClient) -> None:
    is_problem(await administrator.get(f"/{SECRET}"), 404)
    answer = await administrator.delete(OFFER)
    is_problem(answer, 405)
    assert answer.headers["allow"] == "GET, PUT"


@pytest.mark.parametrize(
    "body",
    [
        f'{{"price": {{"amount": "{SECRET}"}}}}',
        f'{{"{SECRET}": 1, "price": {{"amount": "7.99"}}}}',
        f"{SECRET}",
        f'{{"price": "{SECRET}"}}',
        '{"price": {"amount": 7.99}}',
        '{"price": {"amount": "7.99", "currency": "EUR"}}',
        '{"price": {"amount": "7.99"}, "stock": -1}',
        "[]",
        "null",
        b'{"price": "\xff\xfe"}',
    ],
)
async def test_a_bad_body_is_told_without_its_values(
    administrator: httpx.AsyncClient, body: str | bytes
) -> None:
    answer = await administrator.put(OFFER, content=body, headers={"Content-Type": "application/json"})
    assert is_problem(answer, 422)["errors"][0]["location"].startswith("body")


@pytest.mark.parametrize(
    "query", ["", "asin=", f"asin={SECRET}", "asin=B00000000٣", "asin=b0c62k7gjl", "asin=B000000000&asins=x"]
)
async def test_a_bad_list_is_told_without_its_values(reader: httpx.AsyncClient, query: str) -> None:
    is_problem(await reader.get(f"/pricing/v1/offers?{query}"), 422)


async def test_a_hundred_books_are_answered_and_one_more_is_not(reader: httpx.AsyncClient) -> None:
    asins = [("asin", f"B{number:09d}") for number in range(101)]
    assert len((await reader.get("/reviews/v1/summaries", params=asins[:100])).json()["unknown_asins"]) == 100
    is_problem(await reader.get("/reviews/v1/summaries", params=asins), 422)


async def test_a_large_body_is_refused_stated_or_streamed(administrator: httpx.AsyncClient) -> None:
    is_problem(await administrator.put(OFFER, content=b" " * (MOST_BODY_BYTES + 1)), 413)

    async def parts() -> Any:
        for _ in range(5):
            yield b" " * (MOST_BODY_BYTES // 4)

    is_problem(await administrator.put(OFFER, content=parts()), 413)


async def test_a_body_that_does_not_come_is_given_up(app: FastAPI) -> None:
    slow = Limits(app, body_seconds=0.01)

    async def parts() -> Any:
        yield b"{"
        await asyncio.Event().wait()

    sent: list[Any] = []
    received = parts()

    async def receive() -> Any:
        return {"type": "http.request", "body": await anext(received), "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {"type": "http", "method": "PUT", "path": OFFER, "headers": [], "query_string": b""}
    await slow(scope, receive, send)
    assert sent[0]["status"] == 408


async def test_too_many_at_once_are_sent_away_at_once() -> None:
    inside, go = asyncio.Event(), asyncio.Event()

    async def busy(scope: Any, receive: Any, send: Any) -> None:
        inside.set()
        await go.wait()
        await httpx_ok(scope, receive, send)

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(Limits(busy, most_running=1)), base_url="http://partners"
    ) as http:
        first = asyncio.create_task(http.get("/"))
        await inside.wait()
        refused = await http.get("/")
        is_problem(refused, 503)
        assert refused.headers["retry-after"] == "1"
        go.set()
        assert (await first).status_code == 404


httpx_ok = Starlette()


async def test_a_surprise_is_a_500_without_a_trace(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError(SECRET)

    caplog.set_level(logging.INFO, logger="services.partners")
    transport = httpx.ASGITransport(AccessLog(broken))
    async with httpx.AsyncClient(transport=transport, base_url="http://partners") as http:
        is_problem(await http.get("/"), 500)
    told = "\n".join(JsonLines().format(record) for record in caplog.records)
    assert "RuntimeError" in told
    assert SECRET not in told


async def test_a_request_is_logged_by_its_template(
    reader: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="services.partners")
    await reader.get(
        f"/orders/v1/customers/{SECRET}/orders",
        params={"page_token": SECRET},
        headers={"X-Request-Id": "abc-1"},
    )
    await reader.get(f"/{SECRET}", headers={"X-Request-Id": "not an id"})
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records]
    first, second = (line for line in lines if line.get("event") == "request")
    assert first["route"] == "/orders/v1/customers/{customer_id}/orders"
    assert (first["method"], first["status"], first["request_id"]) == ("GET", 400, "abc-1")
    assert first["ms"] >= 0
    assert (second["route"], second["status"]) == ("none", 404)
    assert len(second["request_id"]) == 32
    assert not any(SECRET in json.dumps(line) or ADMINISTRATOR in json.dumps(line) for line in lines)
