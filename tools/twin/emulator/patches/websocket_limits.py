"""Gap: API Gateway's limits on what a client sends are not enforced.

A binary frame closes the connection with 1003, a frame over 32 KB or a message over 128 KB with 1009.
https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-binary-media-types.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
"""
# pyright: reportMissingImports=false

from __future__ import annotations

from typing import Any

from hypercorn.config import Config
from hypercorn.protocol.ws_stream import FrameTooLargeError, WebsocketBuffer
from ministack.services import apigateway

from tools.twin.faults import Message, Receive, Scope, Send

MAX_FRAME_BYTES = 32 * 1024
MAX_MESSAGE_BYTES = 128 * 1024
UNSUPPORTED_DATA = 1003


def apply() -> None:
    """Count bytes where the server assembles frames, and refuse binary ones before they become events."""
    Config.websocket_max_message_size = MAX_MESSAGE_BYTES
    limit_frames()
    drive = apigateway.handle_websocket

    async def handle(scope: Scope, receive: Receive, send: Send, *arguments: Any, **options: Any) -> None:
        async def receive_text() -> Message:
            message = await receive()
            if message["type"] == "websocket.receive" and message.get("bytes") is not None:
                await send({"type": "websocket.close", "code": UNSUPPORTED_DATA})
                return {"type": "websocket.disconnect", "code": UNSUPPORTED_DATA}
            return message

        await drive(scope, receive_text, send, *arguments, **options)

    apigateway.handle_websocket = handle


def limit_frames() -> None:
    """Make the assembling buffer count the current frame too; a frame arrives in several pieces."""
    extend = WebsocketBuffer.extend

    def extend_within_limits(buffer: Any, event: Any) -> None:
        size = len(event.data.encode()) if isinstance(event.data, str) else len(event.data)
        buffer.frame_bytes = getattr(buffer, "frame_bytes", 0) + size
        if buffer.frame_bytes > MAX_FRAME_BYTES:
            raise FrameTooLargeError
        if event.frame_finished:
            buffer.frame_bytes = 0
        extend(buffer, event)

    WebsocketBuffer.extend = extend_within_limits
