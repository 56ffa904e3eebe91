"""Answering a Converse call: as one document, or as a stream whose every frame leaves at once.

A stream's life: the generator's first event, then the response head and ``messageStart``; one ``contentBlockDelta`` per
chunk; ``contentBlockStop``, ``messageStop`` and ``metadata``. A failure before the first event is an HTTP error, a later
one an exception frame. The client's leaving is watched while waiting for every chunk, so that work stops with it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from tools.twin.models import event_stream
from tools.twin.models.errors import BEDROCK_STATUS, ServiceError, error_body, error_headers
from tools.twin.models.generation import Event, Finish, Reasoning, Text
from tools.twin.models.streams import Stream, StreamLog


class ClientGone(Exception):
    """The client closed its connection before the answer's end; an ordinary outcome."""


class ConverseResponse(Response):
    """An ASGI response that runs ``events``; ``is_streamed`` chooses the operation's shape."""

    def __init__(
        self, events: AsyncGenerator[Event], stream: Stream, log: StreamLog, *, is_streamed: bool
    ) -> None:
        super().__init__()
        self._events = events
        self._stream = stream
        self._log = log
        self._shape = _Streamed if is_streamed else _Whole

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer, and note in the log how it ended."""
        leaving = asyncio.ensure_future(_left(receive))
        shape = self._shape(self._stream, scope, receive, send)
        state, error = "failed", None
        try:
            while True:
                event = await _next(self._events, leaving)
                await shape.take(event)
                if isinstance(event, Finish):
                    state = "completed"
                    return
        except ClientGone:
            state = "client_gone"
        except ServiceError as failure:
            error = failure.code
            await shape.fail(failure)
        except BaseException as failure:
            error = type(failure).__name__
            raise
        finally:
            leaving.cancel()
            await self._events.aclose()
            await self._log.end(self._stream, state, error)


async def _next(events: AsyncGenerator[Event], leaving: asyncio.Future[None]) -> Event:
    """The next event, unless the client leaves first."""
    coming = asyncio.ensure_future(anext(events))
    try:
        await asyncio.wait({coming, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if leaving.done():
            raise ClientGone
        return coming.result()
    finally:
        if not coming.done():
            coming.cancel()
            with suppress(asyncio.CancelledError):
                await coming


async def _left(receive: Receive) -> None:
    """Return when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


class _Streamed:
    """ConverseStream."""

    def __init__(self, stream: Stream, scope: Scope, receive: Receive, send: Send) -> None:
        self._stream = stream
        self._request = (scope, receive)
        self._send_message = send
        self._began = time.monotonic()
        self._block: type[Event] | None = None
        self._place = -1
        self._has_begun = False

    async def take(self, event: Event) -> None:
        if not self._has_begun:
            await self._begin()
        if isinstance(event, Finish):
            await self._finish(event)
            return
        if self._block is not type(event):
            await self._close_block()
            self._block, self._place = type(event), self._place + 1
        delta: dict[str, Any] = {"text": event.text}
        if isinstance(event, Reasoning):
            delta = {"reasoningContent": delta}
        await self._frame("contentBlockDelta", {"contentBlockIndex": self._place, "delta": delta})
        self._stream.chunks_sent += 1

    async def fail(self, error: ServiceError) -> None:
        if not self._has_begun:
            await _error_response(error)(*self._request, self._send_message)
            return
        await self._send(event_stream.exception(error.in_stream, error.message), is_last=True)

    async def _begin(self) -> None:
        self._has_begun = True
        headers = [
            (b"content-type", event_stream.CONTENT_TYPE.encode()),
            (b"x-amzn-requestid", self._stream.id.encode()),
        ]
        await self._send_message({"type": "http.response.start", "status": 200, "headers": headers})
        await self._frame("messageStart", {"role": "assistant"})

    async def _close_block(self) -> None:
        if self._block is not None:
            await self._frame("contentBlockStop", {"contentBlockIndex": self._place})

    async def _finish(self, finish: Finish) -> None:
        await self._close_block()
        await self._frame("messageStop", {"stopReason": finish.stop_reason})
        metadata = event_stream.event("metadata", _metadata(finish, self._began))
        await self._send(metadata, is_last=True)

    async def _frame(self, kind: str, payload: Mapping[str, Any]) -> None:
        await self._send(event_stream.event(kind, payload))

    async def _send(self, frame: bytes, *, is_last: bool = False) -> None:
        await self._send_message({"type": "http.response.body", "body": frame, "more_body": not is_last})


class _Whole:
    """Converse."""

    def __init__(self, stream: Stream, scope: Scope, receive: Receive, send: Send) -> None:
        self._stream = stream
        self._sinks = (scope, receive, send)
        self._began = time.monotonic()
        self._blocks: list[tuple[type[Event], list[str]]] = []

    async def take(self, event: Event) -> None:
        if isinstance(event, Finish):
            await self._answer(event)
            return
        if not self._blocks or self._blocks[-1][0] is not type(event):
            self._blocks.append((type(event), []))
        self._blocks[-1][1].append(event.text)

    async def fail(self, error: ServiceError) -> None:
        await _error_response(error)(*self._sinks)

    async def _answer(self, finish: Finish) -> None:
        content = [
            {"text": "".join(parts)}
            if kind is Text
            else {"reasoningContent": {"reasoningText": {"text": "".join(parts)}}}
            for kind, parts in self._blocks
        ]
        document = {
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": finish.stop_reason,
            **_metadata(finish, self._began),
        }
        await JSONResponse(document, headers={"x-amzn-requestid": self._stream.id})(*self._sinks)
        self._stream.chunks_sent = 1


def _metadata(finish: Finish, began: float) -> dict[str, Any]:
    """Usage and time; whoever really answered stands where Bedrock names the model its router chose."""
    return {
        "usage": {
            "inputTokens": finish.input_tokens,
            "outputTokens": finish.output_tokens,
            "totalTokens": finish.input_tokens + finish.output_tokens,
        },
        "metrics": {"latencyMs": round((time.monotonic() - began) * 1000)},
        "trace": {"promptRouter": {"invokedModelId": finish.answered_by}},
    }


def _error_response(error: ServiceError) -> Response:
    body = error_body("message", error.message, error.extra)
    return Response(body, BEDROCK_STATUS.get(error.code, 500), error_headers(error.code))
