"""Faults on demand: an ASGI middleware that makes chosen services slow, broken or strange.

Mounted around every server of the twin (emulator, models, search, edge), so that tests, drills and game days
break things in one way. Standard library only, because the emulator runs in a virtual environment of its own.

    GET    /_twin/faults             -> {"services": [..], "faults": {"search": {"kind": "delay", .., "hits": 3}}}
    PUT    /_twin/faults/{service}   {"kind": "throttle", "share": 0.5}
    DELETE /_twin/faults/{service}
    DELETE /_twin/faults

Kinds, each applied to ``share`` of the calls whose path contains ``match``:

    delay     answer ``delay_ms`` later
    error     answer ``status`` (500) with the service's own error shape
    throttle  answer ``status`` (429) with the service's own throttling shape
    truncate  send the head and about half of the body, then break the connection
    garbage   send the head, and bytes that mean nothing in place of the body

Use it as an ASGI application or as ``starlette.middleware.Middleware(FaultInjector, services=…)``.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

Kind = Literal["delay", "error", "throttle", "truncate", "garbage"]
ErrorBody = tuple[Mapping[str, str], bytes]
"""Response headers and body of an injected failure."""

CONTROL_PATH = "/_twin/faults"
DEFAULT_STATUS: Mapping[str, int] = {"error": 500, "throttle": 429}
MESSAGES_BEFORE_THE_CUT = 2
"""A stream of unknown length is cut inside the message after these, so that a client saw it begin."""
GARBAGE = b"\x00\xfe}garbage{\xff"


@dataclass(frozen=True, slots=True)
class Fault:
    """What to do to ``share`` of a service's calls; ``match`` narrows them to paths that contain it."""

    kind: Kind
    share: float = 1.0
    delay_ms: int = 2_000
    status: int | None = None
    match: str = ""

    @classmethod
    def parse(cls, document: object) -> Fault:
        """Read a fault from its JSON form; raises ``ValueError`` with a sentence that says what to change."""
        if not isinstance(document, dict):
            example = '{"kind": "delay", "share": 1, "delay_ms": 2000}'
            raise ValueError(f"a fault is a JSON object such as {example}")
        given: dict[str, Any] = document
        for name, value in given.items():
            if name not in _FIELDS:
                raise ValueError(f"unknown field {name!r}; a fault has {', '.join(_FIELDS)}")
            is_right, sentence = _FIELDS[name]
            if isinstance(value, bool) or not is_right(value):
                raise ValueError(sentence)
        if "kind" not in given:
            raise ValueError(_FIELDS["kind"][1])
        return cls(**given)


_FIELDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "kind": (lambda value: value in get_args(Kind), f"kind is one of {', '.join(get_args(Kind))}"),
    "share": (
        lambda value: isinstance(value, int | float) and 0 <= value <= 1,
        "share is a number from 0 to 1",
    ),
    "delay_ms": (
        lambda value: isinstance(value, int) and value >= 0,
        "delay_ms is a whole number of milliseconds",
    ),
    "status": (
        lambda value: value is None or (isinstance(value, int) and 400 <= value <= 599),
        "status is an HTTP status from 400 to 599",
    ),
    "match": (lambda value: isinstance(value, str), "match is a part of a path"),
}


def plain_error_body(service: str, kind: Kind) -> ErrorBody:
    """The JSON shape most AWS protocols share; SDKs read the code from the header or from ``__type``."""
    code = "ThrottlingException" if kind == "throttle" else "InternalServerException"
    document = {"__type": code, "code": code, "message": f"injected {kind} of {service}"}
    return {"content-type": "application/json", "x-amzn-errortype": code}, json.dumps(document).encode()


class FaultInjector:
    """ASGI middleware: serves the control API and applies the faults set on ``services``.

    ``service_of`` names the service a request is for (``None``: leave it alone); ``error_body`` shapes
    injected errors and throttles as that service's protocol wants; ``draw`` returns a number in [0, 1) per call.
    """

    def __init__(
        self,
        app: Application,
        *,
        services: Collection[str],
        service_of: Callable[[Scope], str | None],
        error_body: Callable[[str, Kind], ErrorBody] = plain_error_body,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._app = app
        self._services = tuple(sorted(services))
        self._service_of = service_of
        self._error_body = error_body
        self._draw = draw
        self._faults: dict[str, Fault] = {}
        self._hits: dict[str, int] = {}

    # --- registry -----------------------------------------------------------------------------------

    def set(self, service: str, fault: Fault) -> None:
        """Replace the fault of ``service``; raises ``KeyError`` for a service this server does not serve."""
        if service not in self._services:
            raise KeyError(service)
        self._faults[service], self._hits[service] = fault, 0

    def clear(self, service: str | None = None) -> None:
        """Remove the fault of ``service``, or every fault."""
        for name in list(self._faults) if service is None else [service]:
            self._faults.pop(name, None)
            self._hits.pop(name, None)

    def describe(self) -> dict[str, Any]:
        """The services of this server, the faults in force and how many calls each has hit."""
        faults = {name: {**asdict(fault), "hits": self._hits[name]} for name, fault in self._faults.items()}
        return {"services": list(self._services), "faults": faults}

    # --- ASGI ---------------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (
            scope["path"] == CONTROL_PATH or scope["path"].startswith(CONTROL_PATH + "/")
        ):
            await self._control(scope, receive, send)
            return
        hit = self._hit(scope) if self._faults and scope["type"] in ("http", "websocket") else None
        if hit is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._break_handshake(hit[1], scope, receive, send)
        else:
            await self._break_request(*hit, scope, receive, send)

    def take(self, service: str, path: str) -> Fault | None:
        """The fault that this call of ``service`` meets, counted as a hit; for protocols that are not ASGI."""
        fault = self._faults.get(service)
        if fault is None or fault.match not in path or self._draw() >= fault.share:
            return None
        self._hits[service] += 1
        return fault

    def _hit(self, scope: Scope) -> tuple[str, Fault] | None:
        if scope["path"].startswith("/_twin/"):
            return None
        service = self._service_of(scope)
        fault = self.take(service, scope["path"]) if service else None
        return (service, fault) if service and fault else None

    async def _break_handshake(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if fault.kind == "delay":
            await asyncio.sleep(fault.delay_ms / 1000)
            await self._app(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1011})

    async def _break_request(
        self, service: str, fault: Fault, scope: Scope, receive: Receive, send: Send
    ) -> None:
        match fault.kind:
            case "delay":
                await asyncio.sleep(fault.delay_ms / 1000)
                await self._app(scope, receive, send)
            case "error" | "throttle":
                await _drain(receive)
                headers, body = self._error_body(service, fault.kind)
                await _respond(send, fault.status or DEFAULT_STATUS[fault.kind], headers, body)
            case "truncate":
                await self._truncate(scope, receive, send)
            case "garbage":
                await self._app(scope, receive, _garbled(send))

    async def _truncate(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application until the cut, then return: a server closes a response left unfinished."""
        length: int | None = None
        sent = messages = 0

        async def cut(message: Message) -> None:
            nonlocal length, sent, messages
            if message["type"] == "http.response.start":
                length = _content_length(message)
                await send(message)
            elif message["type"] == "http.response.body":
                body, last = (bytes(message.get("body", b"")), not message.get("more_body", False))
                half = length // 2 - sent if length is not None else len(body) // 2
                is_cut = (
                    sent + len(body) > length // 2
                    if length is not None
                    else messages == MESSAGES_BEFORE_THE_CUT
                )
                part = body[:half] if is_cut or last else body
                sent, messages = sent + len(part), messages + 1
                await send({"type": "http.response.body", "body": part, "more_body": True})
                if is_cut or last:
                    raise _Cut
            else:
                await send(message)

        try:
            await self._app(scope, receive, cut)
        except _Cut:
            return
        except BaseExceptionGroup as group:  # frameworks with task groups wrap what their send raised
            if group.split(_Cut)[1] is not None:
                raise

    # --- control API --------------------------------------------------------------------------------

    async def _control(self, scope: Scope, receive: Receive, send: Send) -> None:
        service = scope["path"][len(CONTROL_PATH) :].strip("/")
        body = await _drain(receive)
        match scope["method"], bool(service):
            case "GET", False:
                status, document = 200, self.describe()
            case "PUT", True:
                status, document = self._put(service, body)
            case "DELETE", _:
                self.clear(service or None)
                status, document = 200, self.describe()
            case method, _:
                status, document = (
                    405,
                    {"message": f"{method} is not understood here; use GET, PUT or DELETE"},
                )
        await _respond(send, status, {"content-type": "application/json"}, json.dumps(document).encode())

    def _put(self, service: str, body: bytes) -> tuple[int, dict[str, Any]]:
        try:
            self.set(service, Fault.parse(json.loads(body)))
        except KeyError:
            return 404, {
                "message": f"no service {service!r} here; this server has {', '.join(self._services)}"
            }
        except json.JSONDecodeError:
            return 400, {"message": "the body is not JSON"}
        except ValueError as error:
            return 400, {"message": str(error)}
        return 200, self.describe()


class _Cut(Exception):
    """Stops the application at the point where a truncated response ends."""


def _garbled(send: Send) -> Send:
    """Replace every body by as many bytes without meaning, so that only the content lies, not the length."""

    async def garble(message: Message) -> None:
        if message["type"] == "http.response.body":
            size = len(message.get("body", b""))
            message = {**message, "body": (GARBAGE * (size // len(GARBAGE) + 1))[:size]}
        await send(message)

    return garble


def _content_length(message: Message) -> int | None:
    for name, value in message.get("headers", []):
        if bytes(name).lower() == b"content-length":
            return int(value)
    return None


async def _drain(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body", False):
            return body


async def _respond(send: Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    pairs.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
