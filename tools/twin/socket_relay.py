"""A WebSocket passed on to an API as CloudFront passes it on: the handshake with added headers, then frames both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

MADE_BY_THE_CLIENT = ("host", "connection", "upgrade")
"""Headers that every handshake makes for itself, besides all that begin with ``sec-websocket-``."""
ORIGIN_SECONDS = 30
"""CloudFront's default for an origin's first byte; ten cold handshakes on a small machine take a third of it."""
LOST = 1006
"""Stands for a connection that ended without a close frame; it is never sent."""


async def relay(viewer: WebSocket, url: str, added: Mapping[str, str]) -> None:
    """Connect ``viewer`` with ``url``, or refuse it as that refused, until one of the two ends it."""
    headers = {
        name: value
        for name, value in viewer.headers.items()
        if name not in MADE_BY_THE_CLIENT and not name.startswith("sec-websocket-") and name not in added
    }
    query = viewer.url.query
    try:
        origin = await connect(
            f"{url}?{query}" if query else url,
            subprotocols=[Subprotocol(name) for name in viewer.scope["subprotocols"]] or None,
            additional_headers={**headers, **added},
            user_agent_header=None,
            compression=None,
            ping_interval=None,
            max_size=None,
            proxy=None,
            open_timeout=ORIGIN_SECONDS,
        )
    except InvalidStatus as refused:
        await viewer.send_denial_response(
            Response(bytes(refused.response.body or b""), refused.response.status_code)
        )
        return
    except TimeoutError:
        await viewer.send_denial_response(Response(status_code=504))
        return
    except (OSError, InvalidHandshake):
        await viewer.send_denial_response(Response(status_code=502))
        return
    await viewer.accept(subprotocol=origin.subprotocol)
    upstream, downstream = (
        asyncio.create_task(_up(viewer, origin)),
        asyncio.create_task(_down(origin, viewer)),
    )
    try:
        await asyncio.wait({upstream, downstream}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (upstream, downstream):
            task.cancel()
        await asyncio.gather(upstream, downstream, return_exceptions=True)
        origin.transport.abort()


async def _up(viewer: WebSocket, origin: ClientConnection) -> None:
    """What the viewer sends, to the origin; a lost viewer is lost to the origin too."""
    while True:
        message = await viewer.receive()
        if message["type"] == "websocket.disconnect":
            if message.get("code", LOST) != LOST:
                await origin.close(message["code"], message.get("reason") or "")
            return
        data = message.get("text")
        try:
            await origin.send(message["bytes"] if data is None else data)
        except ConnectionClosed:
            return  # `_down` hears of it too, and tells the viewer


async def _down(origin: ClientConnection, viewer: WebSocket) -> None:
    """What the origin sends, to the viewer."""
    try:
        async for data in origin:
            await (viewer.send_text(data) if isinstance(data, str) else viewer.send_bytes(data))
    except ConnectionClosed:
        pass  # ended without a close frame, as `close_code` says
    if viewer.application_state is WebSocketState.CONNECTED:
        code = origin.close_code or LOST
        await viewer.close(1011 if code == LOST else code, origin.close_reason or "")
