"""A chat server under the test's thumb: serves ``web/`` and speaks the protocol over real sockets.

The test plays the server: it waits for what the page says and decides what is answered, frame by frame. Nothing is
timed; a test that waits for something that never comes fails after ``PATIENCE_SECONDS``.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import queue
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as Handshake
from websockets.http11 import Response as HandshakeResponse

from mangaassist.protocol import (
    CorrectionFrame,
    DeltaFrame,
    ErrorCode,
    ErrorFrame,
    FinalFrame,
    Frame,
    MessageCommand,
    PingCommand,
    PongFrame,
    ResendCommand,
    StartFrame,
    dump_frame,
    parse_command,
)
from mangaassist.versions import CURRENT_VERSION, SUBPROTOCOL

WEB = Path(__file__).resolve().parents[2] / "web"
PATIENCE_SECONDS = 30


class Connection:
    """One socket of the page. Pings are answered by themselves unless ``deaf``."""

    def __init__(self, socket: ServerConnection, server: ChatServer) -> None:
        self._socket = socket
        self._server = server
        self._commands: queue.Queue[MessageCommand | ResendCommand] = queue.Queue()
        self.deaf = False
        request = socket.request
        assert request is not None
        self.query = {key: values[0] for key, values in parse_qs(urlsplit(request.path).query).items()}
        offered = request.headers.get("Sec-WebSocket-Protocol", "")
        self.token = offered.split(",")[1].strip() if "," in offered else ""

    def next_message(self) -> MessageCommand:
        """The question the page sent next."""
        command = self._commands.get(timeout=PATIENCE_SECONDS)
        assert isinstance(command, MessageCommand), command
        return command

    def next_resend(self) -> ResendCommand:
        """The gap the page asked to fill next."""
        command = self._commands.get(timeout=PATIENCE_SECONDS)
        assert isinstance(command, ResendCommand), command
        return command

    @property
    def silent(self) -> bool:
        """Whether the page said nothing that was not read yet."""
        return self._commands.empty()

    def send(self, *frames: Frame) -> None:
        """Send frames as the product would."""
        for frame in frames:
            self.send_raw(dump_frame(frame, CURRENT_VERSION).decode())

    def send_raw(self, text: str) -> None:
        """Send any text."""
        self._server.call(self._socket.send(text))

    def drop(self) -> None:
        """Cut the line without a word, as a dying network does."""

        async def abort() -> None:
            self._socket.transport.abort()

        self._server.call(abort())

    async def listen(self) -> None:
        try:
            async for raw in self._socket:
                command = parse_command(raw)
                if not isinstance(command, PingCommand):
                    self._commands.put(command)
                elif not self.deaf:
                    pong = PongFrame(response_id="pong", sequence_number=0)
                    await self._socket.send(dump_frame(pong, CURRENT_VERSION).decode())
                if isinstance(command, PingCommand):
                    self._server.pings.put(self)
        except ConnectionClosed:
            pass


class ChatServer:
    """Serves the page at ``url``; the WebSocket lives on another origin, as it does in AWS."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="chat-server", daemon=True)
        self._connections: queue.Queue[Connection] = queue.Queue()
        self._tokens = itertools.count(1)
        self.reset()

    def reset(self) -> None:
        """Forget what the last test did."""
        self._connections = queue.Queue()
        self.pings: queue.Queue[Connection] = queue.Queue()
        self.refuse: Callable[[str], bool] = lambda token: False
        """Asked, with the token, whether a handshake is to be refused."""
        self.token_lifetime_seconds = 3600
        self.tokens_issued: list[str] = []
        self.client_timings: dict[str, int] = {
            "backoffBase": 20,
            "backoffCap": 100,
            "gap": 50,
            # A browser that stalls must not ask twice, unless a test wants it to.
            "resendSilence": 60_000,
        }
        self.config_status = 200

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(PATIENCE_SECONDS), "The chat server of the browser tests did not start."

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE_SECONDS)

    def call(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` on the server's loop and wait for it."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_SECONDS)

    def next_connection(self) -> Connection:
        """The socket the page opened next."""
        return self._connections.get(timeout=PATIENCE_SECONDS)

    # --- inside the server's thread --------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        sockets = await serve(
            self._accept,
            "127.0.0.1",
            0,
            subprotocols=[SUBPROTOCOL],  # pyright: ignore[reportArgumentType]
            process_request=self._check,
            ping_interval=None,
        )
        self.websocket_url = f"ws://127.0.0.1:{_port(sockets)}/live"
        app = Starlette(
            routes=[
                Route("/config.json", self._config),
                Route("/v1/chat/guest-tokens", self._guest_token, methods=["POST"]),
                Mount("/", StaticFiles(directory=WEB, html=True)),
            ]
        )
        pages = _Pages(uvicorn.Config(app, port=0, ws="none", lifespan="off", log_level="warning"))
        serving = asyncio.create_task(pages.serve())
        await pages.listening.wait()
        self.url = f"http://127.0.0.1:{pages.servers[0].sockets[0].getsockname()[1]}/"
        self._ready.set()
        await self._stop.wait()
        pages.should_exit = True
        pages.force_exit = True
        sockets.close()
        await serving
        await sockets.wait_closed()

    async def _accept(self, socket: ServerConnection) -> None:
        connection = Connection(socket, self)
        self._connections.put(connection)
        await connection.listen()

    async def _check(self, socket: ServerConnection, handshake: Handshake) -> HandshakeResponse | None:
        token = handshake.headers.get("Sec-WebSocket-Protocol", "").split(",")[-1].strip()
        if self.refuse(token):
            return HandshakeResponse(HTTPStatus.FORBIDDEN, "Forbidden", Headers(), b'{"message":"Forbidden"}')
        return None

    async def _config(self, request: Request) -> Response:
        config = {
            "environment": "test",
            "websocket_url": self.websocket_url,
            "api_base": "",
            "protocol_version": CURRENT_VERSION,
            "client": self.client_timings,
        }
        return JSONResponse(config, status_code=self.config_status)

    async def _guest_token(self, request: Request) -> Response:
        token = f"header.guest-{next(self._tokens)}.signature"
        self.tokens_issued.append(token)
        body = {
            "token": token,
            "subject": "guest",
            "expires_at": 0,
            "expires_in_seconds": self.token_lifetime_seconds,
        }
        return JSONResponse(body, status_code=201)


class Answer:
    """Builds the frames of one response, numbered as the product numbers them."""

    def __init__(
        self, question: MessageCommand, *, response_id: str = "response-1", session_id: str = "session-1"
    ) -> None:
        self.question = question
        self._session_id = session_id
        self.response_id = response_id
        self._number = itertools.count()

    def start(self, *, resumed: bool = False) -> StartFrame:
        return StartFrame(
            **self._place(),
            session_id=self._session_id,
            message_id=self.question.message_id,
            protocol_version=CURRENT_VERSION,
            session_resumed=resumed,
        )

    def delta(self, text: str) -> DeltaFrame:
        return DeltaFrame(**self._place(), text=text)

    def correction(self, text: str, stage: str, reason: str) -> CorrectionFrame:
        reasons = [{"stage": stage, "reason": reason}]
        return CorrectionFrame.model_validate({**self._place(), "text": text, "reasons": reasons})

    def final(self, **parts: Any) -> FinalFrame:
        metadata = {**METADATA, **parts.pop("metadata", {})}
        empty: dict[str, list[Any]] = {"cards": [], "buttons": [], "citations": []}
        return FinalFrame.model_validate({**self._place(), **empty, **parts, "metadata": metadata})

    def error(self, code: ErrorCode, message: str, *, retryable: bool) -> ErrorFrame:
        return ErrorFrame(**self._place(), code=code, message=message, retryable=retryable)

    def _place(self) -> dict[str, Any]:
        return {"response_id": self.response_id, "sequence_number": next(self._number)}


def refusal(code: ErrorCode, message: str = "Not now.", *, retryable: bool = True) -> ErrorFrame:
    """An error that answers a command and belongs to no response."""
    return ErrorFrame(
        response_id=f"refusal-{code}", sequence_number=0, code=code, message=message, retryable=retryable
    )


METADATA: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "metadata.json").read_text("utf-8"))


def _port(server: Server) -> int:
    return next(iter(server.sockets)).getsockname()[1]


class _Pages(uvicorn.Server):
    """A web server that lives in a thread: it says when it listens and leaves the signals to pytest."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
