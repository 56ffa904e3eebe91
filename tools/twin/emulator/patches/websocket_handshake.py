"""Gap: what the ``$connect`` function answers is reduced to yes or no.

On AWS its ``Sec-WebSocket-Protocol`` header is echoed in the handshake (browsers refuse a handshake that offers
subprotocols and gets none), and a refusal reaches the client with the function's own status (stock: always 403).
https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-connect-route-subprotocol.html
"""
# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from ministack.services import apigateway

from tools.twin.faults import Message, Receive, Scope, Send

_answer: ContextVar[dict[str, Any]] = ContextVar("answer of the $connect function")


def apply() -> None:
    """Remember the function's answer and complete the handshake with it."""
    route_invocation, drive = apigateway._invoke_ws_lambda, apigateway.handle_websocket

    async def invoke(*arguments: Any, **options: Any) -> Any:
        result = await route_invocation(*arguments, **options)
        if arguments[6] == "CONNECT":
            _answer.get().update(result or {})
        return result

    async def handle(scope: Scope, receive: Receive, send: Send, *arguments: Any, **options: Any) -> None:
        _answer.set({})
        await drive(scope, receive, completed(send), *arguments, **options)

    apigateway._invoke_ws_lambda, apigateway.handle_websocket = invoke, handle


def completed(send: Send) -> Callable[[Message], Awaitable[None]]:
    """``send`` with the handshake's outcome completed from the function's answer."""
    is_handshake = True

    async def complete(message: Message) -> None:
        nonlocal is_handshake
        if is_handshake and message["type"] == "websocket.accept":
            message = {**message, "subprotocol": subprotocol(_answer.get())}
        elif is_handshake and message["type"] == "websocket.close" and "statusCode" in _answer.get():
            status = int(_answer.get()["statusCode"])
            await send({"type": "websocket.http.response.start", "status": status, "headers": []})
            message = {"type": "websocket.http.response.body", "body": b""}
        is_handshake = False
        await send(message)

    return complete


def subprotocol(answer: dict[str, Any]) -> str | None:
    """The subprotocol the function chose, if it did."""
    headers = answer.get("headers") or {}
    return next((value for name, value in headers.items() if name.lower() == "sec-websocket-protocol"), None)
