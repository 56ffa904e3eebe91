"""The fault injector: control API, and what each kind does to a response on a real socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from tools.twin.faults import Fault, FaultInjector

ANSWER = {"answer": "Uzumaki by Junji Ito " * 10}


async def plain(request: Request) -> JSONResponse:
    return JSONResponse(ANSWER)


async def stream(request: Request) -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        for number in range(6):
            yield f"part {number};".encode()

    return StreamingResponse(parts())


@asynccontextmanager
async def served(
    draw: Callable[[], float] = lambda: 0.0,
) -> AsyncIterator[httpx.AsyncClient]:
    """A two-route application behind the injector, under uvicorn on a free port."""
    application = Starlette(
        routes=[
            Route("/plain", plain, methods=["GET", "POST"]),
            Route("/stream", stream),
        ]
    )
    injector = FaultInjector(application, services={"models"}, service_of=lambda scope: "models", draw=draw)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(injector, log_level="critical", lifespan="off", ws="none"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
            yield client
    finally:
        server.should_exit = True
        await task
        listener.close()


async def inject(client: httpx.AsyncClient, **fault: object) -> None:
    (await client.put("/_twin/faults/models", json=fault)).raise_for_status()


async def test_without_a_fault_nothing_changes() -> None:
    async with served() as client:
        assert (await client.get("/plain")).json() == ANSWER
        assert (await client.get("/stream")).text.count("part") == 6


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("error", 500, "InternalServer"), ("throttle", 429, "Throttling")],
)
async def test_errors_have_the_protocols_shape(kind: str, status: int, code: str) -> None:
    async with served() as client:
        await inject(client, kind=kind)
        response = await client.post("/plain", content=b"question")
        assert response.status_code == status
        assert response.headers["x-amzn-errortype"].startswith(code)
        assert response.json()["__type"] == response.headers["x-amzn-errortype"]


async def test_status_can_be_chosen() -> None:
    async with served() as client:
        await inject(client, kind="error", status=503)
        assert (await client.get("/plain")).status_code == 503


async def test_delay_answers_late_and_right() -> None:
    async with served() as client:
        await inject(client, kind="delay", delay_ms=500)
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/plain", timeout=httpx.Timeout(60, read=0.05))
        await inject(client, kind="delay", delay_ms=1)
        assert (await client.get("/plain")).json() == ANSWER


@pytest.mark.parametrize("path", ["/plain", "/stream"])
async def test_truncate_breaks_the_connection_midway(path: str) -> None:
    async with served() as client:
        await inject(client, kind="truncate")
        received = b""
        async with client.stream("GET", path) as response:
            assert response.status_code == 200
            parts = response.aiter_raw()
            with pytest.raises(httpx.RemoteProtocolError):  # noqa: PT012 - any of the parts may be the last
                async for part in parts:
                    received += part
        whole = (await client.delete("/_twin/faults")) and (await client.get(path)).content
        assert received
        assert whole.startswith(received)
        assert len(received) < len(whole)


@pytest.mark.parametrize("path", ["/plain", "/stream"])
async def test_garbage_keeps_the_length_and_loses_the_meaning(path: str) -> None:
    async with served() as client:
        whole = (await client.get(path)).content
        await inject(client, kind="garbage")
        broken = await client.get(path)
        assert broken.status_code == 200
        assert len(broken.content) == len(whole)
        with pytest.raises(ValueError):
            broken.json()


async def test_share_and_match_choose_the_calls_and_hits_count_them() -> None:
    draws = iter([0.1, 0.9, 0.4])
    async with served(draw=lambda: next(draws)) as client:
        await inject(client, kind="error", share=0.5, match="plain")
        assert [(await client.get("/plain")).status_code for _ in range(3)] == [
            500,
            200,
            500,
        ]
        assert (await client.get("/stream")).status_code == 200
        assert (await client.get("/_twin/faults")).json()["faults"]["models"]["hits"] == 2


async def test_faults_are_listed_and_removed() -> None:
    async with served() as client:
        await inject(client, kind="garbage")
        assert (await client.get("/_twin/faults")).json()["services"] == ["models"]
        assert (await client.delete("/_twin/faults/models")).json()["faults"] == {}
        assert (await client.get("/plain")).json() == ANSWER


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ([], "a fault is a JSON object"),
        (
            {"kind": "explode"},
            "kind is one of delay, error, throttle, truncate, garbage",
        ),
        ({"kind": "delay", "share": 2}, "share is a number from 0 to 1"),
        ({"kind": "delay", "share": True}, "share is a number from 0 to 1"),
        ({"kind": "delay", "delay_ms": -1}, "delay_ms is a whole number"),
        ({"kind": "error", "status": 200}, "status is an HTTP status from 400 to 599"),
        ({"kind": "error", "match": 1}, "match is a part of a path"),
        ({"kind": "error", "probability": 1}, "unknown field 'probability'"),
    ],
)
async def test_a_wrong_fault_is_refused_in_one_sentence(document: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Fault.parse(document)
    async with served() as client:
        response = await client.put("/_twin/faults/models", json=document)
        assert response.status_code == 400
        assert sentence in response.json()["message"]
        assert (await client.get("/_twin/faults")).json()["faults"] == {}


async def test_control_errors_say_what_exists() -> None:
    async with served() as client:
        unknown = await client.put("/_twin/faults/pricing", json={"kind": "error"})
        assert (unknown.status_code, unknown.json()["message"]) == (
            404,
            "no service 'pricing' here; this server has models",
        )
        assert (await client.put("/_twin/faults/models", content=b"{")).json()[
            "message"
        ] == "the body is not JSON"
        assert (await client.post("/_twin/faults")).status_code == 405


async def test_a_websocket_handshake_can_be_refused() -> None:
    sent: list[object] = []

    async def application(scope: object, receive: object, send: object) -> None:
        raise AssertionError("the application must not see this handshake")

    async def receive() -> dict[str, object]:
        return {"type": "websocket.connect"}

    async def send(message: object) -> None:
        sent.append(message)

    injector = FaultInjector(application, services={"execute-api"}, service_of=lambda scope: "execute-api")
    injector.set("execute-api", Fault("error"))
    await injector({"type": "websocket", "path": "/live", "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1011}]
