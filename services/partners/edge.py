"""What every request passes: an id and a log line, a bound on how many run, and on how large and slow a body may be."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.partners.problems import Problem, unexpected

MOST_BODY_BYTES = 64 * 1024
"""A return of a whole order takes two thousand."""
BODY_SECONDS = 10
MOST_RUNNING = 256
"""Far more than there are threads: what would wait longer than any client does is refused at once."""
REQUEST_ID = "x-request-id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)

log = logging.getLogger(__name__)


class AccessLog:
    """ASGI middleware, outermost: one line a request, and a problem for any surprise within."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        given = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        status = 0

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        try:
            await self._app(scope, receive, tell)
        except Exception as error:
            problem = unexpected(error)
            if status == 0:
                await problem.response()(scope, receive, tell)
        finally:
            facts = {
                "event": "request",
                "method": scope["method"] if scope["method"].isalpha() else "?",
                "route": _template(scope),
                "status": status,
                "ms": round((time.perf_counter() - started) * 1000, 1),
                "request_id": request_id,
            }
            log.info("request", extra={"facts": facts})


class Limits:
    """ASGI middleware: 503 when too many run, 413 for a large body, 408 for one that does not come."""

    def __init__(
        self, app: ASGIApp, *, most_running: int = MOST_RUNNING, body_seconds: float = BODY_SECONDS
    ) -> None:
        self._app = app
        self._most_running = most_running
        self._body_seconds = body_seconds
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._running >= self._most_running:
            busy = Problem(
                503, "too many requests are running: try again in a moment", headers={"Retry-After": "1"}
            )
            await busy.response()(scope, receive, send)
            return
        self._running += 1
        try:
            body = await self._body(scope, receive)
        except Problem as problem:
            await problem.response()(scope, receive, send)
        else:
            await self._app(scope, _replayed(body, receive), send)
        finally:
            self._running -= 1

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        too_large = Problem(
            413, f"the body is larger than {MOST_BODY_BYTES} bytes", headers={"Connection": "close"}
        )
        length = Headers(scope=scope).get("content-length", "0")
        if length.isdecimal() and int(length) > MOST_BODY_BYTES:
            raise too_large
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return b"".join(parts)
                    part: bytes = message.get("body", b"")
                    size += len(part)
                    if size > MOST_BODY_BYTES:
                        raise too_large
                    parts.append(part)
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            raise Problem(
                408,
                f"the body did not arrive within {self._body_seconds:g} s",
                headers={"Connection": "close"},
            ) from None


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body once, as one message; then whatever the server has to say."""
    is_told = False

    async def replay() -> Message:
        nonlocal is_told
        if is_told:
            return await receive()
        is_told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _template(scope: Scope) -> str:
    """The route's path with its parameters' names; a path that has no route could hold anything."""
    return getattr(scope.get("route"), "path", None) or "none"
