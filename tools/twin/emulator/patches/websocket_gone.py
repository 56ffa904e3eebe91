"""Gap: for half a second after a client has left, its connection still takes messages and answers 200.

On AWS ``PostToConnection`` answers 410 from then on, and that is how a running answer learns that it may stop.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from ministack.services import apigateway

from tools.twin.faults import Message, Receive, Scope, Send

_connection: ContextVar[str | None] = ContextVar("connection being served", default=None)


def apply() -> None:
    """Forget the connection the moment the server hears that it is closed."""
    route_invocation, drive = apigateway._invoke_ws_lambda, apigateway.handle_websocket

    async def invoke(*arguments: Any, **options: Any) -> Any:
        if arguments[6] == "CONNECT":
            _connection.set(arguments[5])
        return await route_invocation(*arguments, **options)

    async def handle(scope: Scope, receive: Receive, send: Send, *arguments: Any, **options: Any) -> None:
        async def receive_and_forget() -> Message:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                connection = apigateway._ws_connections.pop(_connection.get(), None)
                if connection is not None:
                    connection["outbox"].put_nowait(None)  # wakes the sender, which ends on it
            return message

        await drive(scope, receive_and_forget, send, *arguments, **options)

    apigateway._invoke_ws_lambda, apigateway.handle_websocket = invoke, handle
