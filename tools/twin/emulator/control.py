"""The twin's control API around the emulator: health, faults, traces, saving and resting.

Answers are JSON.

    GET    /_twin/health        -> {"status": "ok", "patches": [...]}
    *      /_twin/faults...     see tools/twin/faults.py; the service is the one a request is signed for
    GET    /_twin/traces        -> {"traces": [{"id", "segments", "name", "start_time"}, ...]}, newest first
    GET    /_twin/traces/{id}   -> {"id", "segments": [...]} as the X-Ray daemon would have sent them
    DELETE /_twin/traces
    POST   /_twin/save          write the state to disk now; MiniStack itself only does so at shutdown
    POST   /_twin/authorize     {"access_key": "ASIA...", "demands": [{"action", "resource", "context"}]} -> {"reason": null}
    GET    /_twin/credentials/{function}  what the function itself signs with, under its own role
    GET    /_twin/task-credentials/{container}  what a container of a deployed ECS service signs with, as ECS answers it;
                                404 when no template declares a role for one of that name
    DELETE /_twin/workers       end the Lambda workers that are idle -> {"ended": 3}; the next call starts cold
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Mapping
from typing import Any

from ministack import app as ministack_app
from ministack.core import lambda_runtime, persistence

from tools.twin.emulator import patches, permissions, task_roles
from tools.twin.emulator.traces import TraceStore
from tools.twin.faults import (
    Application,
    ErrorBody,
    FaultInjector,
    Kind,
    Receive,
    Scope,
    Send,
    plain_error_body,
)

SERVICES = (
    "appconfig",
    "cloudformation",
    "dynamodb",
    "events",
    "execute-api",
    "kms",
    "lambda",
    "logs",
    "monitoring",
    "s3",
    "secretsmanager",
    "ssm",
    "sts",
)
"""Signing names a fault can be set on; ``execute-api`` is both the clients' APIs and ``@connections``."""

SIGNED_FOR = re.compile(rb"Credential=[^/]+/\d{8}/[^/]+/([^/]+)/aws4_request")
THROTTLING_CODE: Mapping[str, str] = {
    "dynamodb": "ProvisionedThroughputExceededException",
    "execute-api": "LimitExceededException",
    "lambda": "TooManyRequestsException",
}


def around(app: Application) -> Application:
    """``app`` with the control API in front of it and faults applied to it."""
    control = ControlApi(app)
    return FaultInjector(control, services=SERVICES, service_of=service_of, error_body=error_body)


def service_of(scope: Scope) -> str | None:
    """The service a request is signed for; unsigned calls of a deployed API are ``execute-api``."""
    for name, value in scope["headers"]:
        if name.lower() == b"authorization" and (match := SIGNED_FOR.search(value)):
            return match[1].decode()
    return "execute-api" if scope["path"].startswith("/_aws/execute-api/") else None


def error_body(service: str, kind: Kind) -> ErrorBody:
    """Injected failures as the service's own protocol words them."""
    if service == "s3":
        code = "SlowDown" if kind == "throttle" else "InternalError"
        body = f"<Error><Code>{code}</Code><Message>injected {kind}</Message></Error>"
        return {"content-type": "application/xml"}, body.encode()
    headers, body = plain_error_body(service, kind)
    if kind == "throttle" and service in THROTTLING_CODE:
        code = THROTTLING_CODE[service]
        document = {**json.loads(body), "__type": code, "code": code}
        return {**headers, "x-amzn-errortype": code}, json.dumps(document).encode()
    return headers, body


def end_idle_workers() -> int:
    """End every worker that no invocation holds, and say how many there were."""
    idle: list[Any] = []
    with lambda_runtime._lock:
        for key, workers in lambda_runtime._workers.items():
            idle += [worker for worker in workers if not worker.in_use]
            lambda_runtime._workers[key] = [worker for worker in workers if worker.in_use]
    lambda_runtime.kill_workers(idle)
    return len(idle)


def _task_credentials(container: str) -> tuple[int, Mapping[str, Any]]:
    try:
        found = task_roles.credentials(container)
    except task_roles.NoTrust as error:
        return 403, {"message": str(error)}
    return (200, found) if found else (404, {"message": f"no deployed service runs {container} under a role"})


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


class ControlApi:
    """ASGI middleware that answers ``/_twin/*`` and keeps the trace store alive with the server."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._traces = TraceStore()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            # The same number as the HTTP port: UDP has ports of its own.
            async with self._traces.listening("127.0.0.1", int(os.environ.get("GATEWAY_PORT", "4566"))):
                await self._app(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith("/_twin/"):
            path = scope["path"].removeprefix("/_twin/").strip("/")
            status, document = await self._answer(scope["method"], path, receive)
            body = json.dumps(document).encode()
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        else:
            await self._app(scope, receive, send)

    async def _answer(self, method: str, path: str, receive: Receive) -> tuple[int, Mapping[str, Any]]:
        match method, path.split("/"):
            case "GET", ["health"]:
                return 200, {"status": "ok", "patches": list(patches.NAMES)}
            case "POST", ["save"]:
                persistence.save_all(ministack_app._build_persistence_save_dict())
                return 200, {"saved": persistence.PERSIST_STATE}
            case "POST", ["authorize"]:
                question = json.loads(await _body(receive))
                return 200, {"reason": permissions.refusal(question["access_key"], question["demands"])}
            case "GET", ["credentials", function] if found := permissions.credentials(function):
                return 200, found
            case "GET", ["task-credentials", container]:
                return _task_credentials(container)
            case "DELETE", ["workers"]:
                return 200, {"ended": await asyncio.to_thread(end_idle_workers)}
            case "GET", ["traces"]:
                return 200, {"traces": self._traces.summaries()}
            case "DELETE", ["traces"]:
                self._traces.clear()
                return 200, {"traces": []}
            case "GET", ["traces", trace_id] if segments := self._traces.segments(trace_id):
                return 200, {"id": trace_id, "segments": segments}
            case _:
                return 404, {"message": f"no {method} /_twin/{path} here"}
