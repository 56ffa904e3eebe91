"""A provider whose answers are changed on their way out: how a release that breaks a field would look."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Edit = Callable[[Any], Any]


class Changed:
    """ASGI middleware: ``edit`` gets each successful JSON answer and returns what is sent instead."""

    def __init__(self, app: ASGIApp, edit: Edit) -> None:
        self._app, self._edit = app, edit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start: Message = {}
        body = bytearray()

        async def hold(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body"):
                await release()

        async def release() -> None:
            payload = bytes(body)
            if start["status"] == 200:
                payload = json.dumps(self._edit(json.loads(payload))).encode()
                kept = [(name, value) for name, value in start["headers"] if name != b"content-length"]
                start["headers"] = [*kept, (b"content-length", str(len(payload)).encode())]
            await send(start)
            await send({"type": "http.response.body", "body": payload})

        await self._app(scope, receive, hold)


def without(*path: str) -> Edit:
    """Drop the field at ``path``; ``*`` stands for every element of a list."""
    return _at(path, lambda holder, name: holder.pop(name, None))


def renamed(*path: str, to: str) -> Edit:
    """Give the field at ``path`` another name."""

    def rename(holder: dict[str, Any], name: str) -> None:
        if name in holder:
            holder[to] = holder.pop(name)

    return _at(path, rename)


def converted(*path: str, by: Callable[[Any], Any]) -> Edit:
    """Give the field at ``path`` another value or type."""

    def convert(holder: dict[str, Any], name: str) -> None:
        if name in holder:
            holder[name] = by(holder[name])

    return _at(path, convert)


def _at(path: tuple[str, ...], change: Callable[[dict[str, Any], str], object]) -> Edit:
    def edit(document: Any) -> Any:
        _walk(document, path, change)
        return document

    return edit


def _walk(value: Any, path: tuple[str, ...], change: Callable[[dict[str, Any], str], object]) -> None:
    if path[0] == "*":
        for each in value if isinstance(value, list) else ():
            _walk(each, path[1:], change)
    elif isinstance(value, dict):
        if len(path) == 1:
            change(value, path[0])
        else:
            _walk(value.get(path[0]), path[1:], change)
