"""What only the twin has: health, the visibility delay, and a clock that tests push ahead."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tools.twin.search.collection import Collection
from tools.twin.search.errors import illegal_argument
from tools.twin.search.requests import json_body

MAX_SECONDS = 86_400


async def health(request: Request) -> Response:
    """``GET /_twin/health``: alive, and what it holds."""
    collection: Collection = request.app.state.collection
    indexes = {name: len(index.entries) for name, index in collection.indexes.items()}
    return JSONResponse({"status": "ok", "service": "search", "indexes": indexes})


async def visibility(request: Request) -> Response:
    """``PUT /_twin/visibility {"delay_seconds": 10}``: how long writes stay invisible to searches."""
    settings = request.app.state.collection.settings
    if request.method == "PUT":
        settings.visibility_delay_seconds = await _seconds(request, "delay_seconds")
    return JSONResponse({"delay_seconds": settings.visibility_delay_seconds})


async def clock(request: Request) -> Response:
    """``POST /_twin/clock {"advance_seconds": 10}``: as if that much time had passed."""
    collection: Collection = request.app.state.collection
    collection.clock.advance(await _seconds(request, "advance_seconds"))
    return JSONResponse({"advanced": True})


async def _seconds(request: Request, name: str) -> float:
    body = await json_body(request, required=True)
    value = body.get(name)
    if set(body) != {name} or isinstance(value, bool) or not isinstance(value, int | float):
        raise illegal_argument(f'send {{"{name}": seconds}}')
    if not 0 <= value <= MAX_SECONDS:
        raise illegal_argument(f"{name} is from 0 to {MAX_SECONDS}")
    return float(value)
