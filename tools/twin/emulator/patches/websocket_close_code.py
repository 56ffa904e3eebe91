"""Gap: ``$disconnect`` is always told 1006 (connection lost), whatever code the client closed with.

The server's WebSocket library sees the close frame and drops it; here it is kept until the event is made.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypercorn.protocol import ws_stream
from wsproto.connection import Connection
from wsproto.events import CloseConnection


class RememberingConnection(Connection):
    """A connection that keeps the close frame it received."""

    closed_by: CloseConnection | None = None

    def events(self) -> Iterator[Any]:
        """The events, as ever."""
        for event in super().events():
            if isinstance(event, CloseConnection):
                self.closed_by = event
            yield event


def apply() -> None:
    """Put the received code and reason into the disconnect message."""
    ws_stream.Connection = RememberingConnection
    handle = ws_stream.WSStream.handle

    async def handle_with_code(stream: Any, event: Any) -> None:
        closed_by = getattr(getattr(stream, "connection", None), "closed_by", None)
        put = stream.app_put
        if isinstance(event, ws_stream.StreamClosed) and closed_by and put:

            async def put_with_code(message: dict[str, Any]) -> None:
                await put({**message, "code": int(closed_by.code), "reason": closed_by.reason or ""})

            stream.app_put = put_with_code
        await handle(stream, event)

    ws_stream.WSStream.handle = handle_with_code
