"""A scripted assistant: real sockets, a token endpoint, and the answers a test queues."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

Script = list[dict[str, Any] | str | bytes | None]
"""What to send for one command; ``None`` closes the connection."""


def answer(*frames: dict[str, Any], response_id: str = "r1") -> Script:
    """Frames numbered as one response."""
    return [
        {"response_id": response_id, "sequence_number": number, **frame}
        for number, frame in enumerate(frames)
    ]


def start(**changes: Any) -> dict[str, Any]:
    return {"type": "start", "session_id": "s1", "message_id": "m1", "protocol_version": 2} | changes


def delta(text: str) -> dict[str, Any]:
    return {"type": "delta", "text": text}


def final(**changes: Any) -> dict[str, Any]:
    card = {
        "asin": "B0ABCDEFGH",
        "series_id": "MG1",
        "title": "Uzumaki, Vol. 1",
        "title_ja": "うずまき",
        "creators": ["Junji Ito"],
        "price": {"amount": "9.99", "currency": "USD"},
        "in_stock": True,
        "url": "/manga/MG1",
        "rating": {"average": 4.5, "count": 12},
    }
    metadata = {
        "request_id": "q1",
        "intent": "recommendation",
        "intent_source": "rules",
        "intent_confidence": 1.0,
        "language": "en",
        "model_tier": "economy",
        "answered_by": "stand-in:twin-composer-1",
        "policy_version": "0123456789ab",
        "guardrail_action": "none",
        "retrieval_mode": "vector",
        "timings_ms": {"total": 12},
    }
    citations = [{"index": 1, "title": "Uzumaki", "url": "/manga/MG1"}]
    return {
        "type": "final",
        "cards": [card],
        "buttons": [],
        "citations": citations,
        "metadata": metadata,
    } | changes


def error(code: str = "model_unavailable") -> dict[str, Any]:
    return {"type": "error", "code": code, "message": "Please try again.", "retryable": True}


class Assistant:
    """Answers each command with the next script; ``commands`` and ``connections`` are what it saw."""

    def __init__(self) -> None:
        self.scripts: deque[Script] = deque()
        self.commands: list[dict[str, Any]] = []
        self.connections: list[dict[str, str]] = []
        self.token_status = 201
        self.handshake_status: int | None = None
        self.websocket_url = ""
        self.api_base = ""

    async def serve(self, socket: ServerConnection) -> None:
        """One connection."""
        request = socket.request
        assert request is not None
        query = parse_qs(urlsplit(request.path).query)
        self.connections.append(
            {name: values[0] for name, values in query.items()}
            | {"token": request.headers["Sec-WebSocket-Protocol"].split(",")[1].strip()}
        )
        async for raw in socket:
            self.commands.append(json.loads(raw))
            for item in self.scripts.popleft():
                if item is None:
                    await socket.close()
                    return
                await socket.send(json.dumps(item, ensure_ascii=False) if isinstance(item, dict) else item)

    def admit(self, socket: ServerConnection, request: Request) -> Response | None:
        """Refuse the handshake where a test wants that."""
        return socket.respond(self.handshake_status, "refused") if self.handshake_status else None


class Tokens(BaseHTTPRequestHandler):
    """``POST /v1/chat/guest-tokens``."""

    def do_POST(self) -> None:
        assistant = cast(Any, self.server).assistant
        found = self.path == "/v1/chat/guest-tokens"
        body = json.dumps({"token": "a.guest.token"}).encode()
        self.send_response(assistant.token_status if found else 404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Stay quiet."""


@contextmanager
def running() -> Iterator[Assistant]:
    """The assistant on ports of its own, in threads, so that tests may block."""
    assistant = Assistant()
    http = ThreadingHTTPServer(("127.0.0.1", 0), Tokens)
    cast(Any, http).assistant = assistant
    loop = asyncio.new_event_loop()

    async def open_socket() -> Server:
        return await serve(
            assistant.serve,
            "127.0.0.1",
            0,
            subprotocols=[Subprotocol("mangaassist")],
            process_request=assistant.admit,
        )

    async def close_socket(server: Server) -> None:
        server.close()
        await server.wait_closed()

    threads = [
        threading.Thread(target=http.serve_forever, args=(0.02,)),
        threading.Thread(target=loop.run_forever),
    ]
    for thread in threads:
        thread.start()
    server = asyncio.run_coroutine_threadsafe(open_socket(), loop).result()
    assistant.websocket_url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/live"
    assistant.api_base = f"http://127.0.0.1:{http.server_port}"
    try:
        yield assistant
    finally:
        asyncio.run_coroutine_threadsafe(close_socket(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        http.shutdown()
        for thread in threads:
            thread.join()
        http.server_close()
        loop.close()
