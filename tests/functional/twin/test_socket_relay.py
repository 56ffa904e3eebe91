"""A WebSocket through the edge: what the origin sees, what the viewer hears, and how each learns of the other's end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from tests.e2e.until import until
from tests.functional.twin.emulators import free_port
from tools.twin import socket_relay
from tools.twin.socket_relay import relay

PATIENCE_SECONDS = 20


@dataclass
class Origin:
    """An API behind the edge: it echoes, obeys, and remembers what it saw."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    closed: asyncio.Queue[int | None] = field(default_factory=asyncio.Queue)

    async def answer(self, socket: ServerConnection) -> None:
        try:
            async for data in socket:
                if data == "close":
                    await socket.close(4001, "enough")
                elif data == "drop":
                    socket.transport.abort()
                else:
                    await socket.send(data)
        except ConnectionClosed:
            pass
        finally:
            self.closed.put_nowait(socket.close_code)

    def admit(self, socket: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        return socket.respond(HTTPStatus.FORBIDDEN, "no") if "refuse" in request.path else None

    async def is_told(self) -> int | None:
        """The code its connection ended with."""
        return await asyncio.wait_for(self.closed.get(), PATIENCE_SECONDS)


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    found = Origin()
    async with serve(
        found.answer,
        "127.0.0.1",
        0,
        subprotocols=[Subprotocol("mangaassist")],
        process_request=found.admit,
    ) as server:
        found.port = next(iter(server.sockets)).getsockname()[1]
        yield found


@asynccontextmanager
async def edge(url: str) -> AsyncIterator[str]:
    """An edge that relays everything to ``url``; yields its own address."""

    async def pass_on(socket: WebSocket) -> None:
        await relay(socket, url, {"x-origin-secret": "proof"})

    port = free_port()
    settings = uvicorn.Config(
        Starlette(routes=[WebSocketRoute("/live", pass_on)]),
        host="127.0.0.1",
        port=port,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        log_level="warning",
    )
    server = uvicorn.Server(settings)
    running = asyncio.create_task(server.serve())
    await until(lambda: server.started, "the edge to start")
    yield f"ws://127.0.0.1:{port}/live"
    server.should_exit = True
    await running


@pytest.fixture
async def address(origin: Origin) -> AsyncIterator[str]:
    async with edge(f"ws://127.0.0.1:{origin.port}/live") as url:
        yield url


def viewer(url: str, **options: Any) -> Any:
    offered = [Subprotocol("mangaassist"), Subprotocol("a.token")]
    return connect(url, proxy=None, compression=None, subprotocols=offered, **options)


async def ended(socket: ClientConnection) -> tuple[int | None, str | None]:
    with pytest.raises(ConnectionClosed):
        await asyncio.wait_for(socket.recv(), PATIENCE_SECONDS)
    return socket.close_code, socket.close_reason


async def test_frames_pass_both_ways_and_the_handshake_is_the_viewers_with_the_edges_proof(
    origin: Origin, address: str
) -> None:
    options = {
        "additional_headers": {"X-Origin-Secret": "forged", "Accept-Language": "ja"},
        "origin": "https://page",
    }
    async with viewer(f"{address}?session_id=s%201", **options) as socket:
        assert socket.subprotocol == "mangaassist"
        for data in ("漫画", b"\x00\xff", "x" * 200_000):
            await socket.send(data)
            assert await asyncio.wait_for(socket.recv(), PATIENCE_SECONDS) == data
    (seen,) = origin.requests
    assert seen.path == "/live?session_id=s%201"
    assert seen.headers["Sec-WebSocket-Protocol"] == "mangaassist, a.token"
    assert seen.headers.get_all("x-origin-secret") == ["proof"]
    assert (seen.headers["accept-language"], seen.headers["origin"]) == ("ja", "https://page")
    assert seen.headers["host"] == f"127.0.0.1:{origin.port}"


async def test_a_refusal_reaches_the_viewer_as_it_is(address: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await viewer(f"{address}?refuse=1")
    assert (refused.value.response.status_code, refused.value.response.body) == (403, b"no")


async def test_without_an_origin_the_edge_says_so() -> None:
    async with edge(f"ws://127.0.0.1:{free_port()}/live") as url:
        with pytest.raises(InvalidStatus) as refused:
            await viewer(url)
    assert refused.value.response.status_code == 502


async def test_an_origin_that_does_not_answer_the_handshake_is_waited_for_and_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = asyncio.Event()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    monkeypatch.setattr(socket_relay, "ORIGIN_SECONDS", 0.2)
    server = await asyncio.start_server(hear, "127.0.0.1", port := free_port())
    async with server, edge(f"ws://127.0.0.1:{port}/live") as url:
        with pytest.raises(InvalidStatus) as refused:
            await viewer(url)
    assert asked.is_set()
    assert refused.value.response.status_code == 504


async def test_the_origins_end_is_the_viewers(address: str) -> None:
    async with viewer(address) as socket:
        await socket.send("close")
        assert await ended(socket) == (4001, "enough")
    async with viewer(address) as socket:
        await socket.send("drop")
        code, _ = await ended(socket)
        assert code == 1011


async def test_the_viewers_end_is_the_origins(origin: Origin, address: str) -> None:
    async with viewer(address) as socket:
        await socket.close(4000, "bye")
    assert await origin.is_told() == 4000
    lost = await viewer(address)
    lost.transport.abort()
    assert await origin.is_told() == 1006
