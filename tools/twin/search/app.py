"""The service as an ASGI application: routes, the signature gate, failures as OpenSearch words them, twin controls.

All operations run on the event loop's one thread, one after another, so each is atomic to every other: that is what
makes an alias swap all or nothing for concurrent readers.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tools.twin.faults import ErrorBody, FaultInjector, Kind
from tools.twin.permissions import Gatekeeper
from tools.twin.search import controls
from tools.twin.search import operations as op
from tools.twin.search.clock import Clock
from tools.twin.search.collection import Collection
from tools.twin.search.demands import demands_of
from tools.twin.search.errors import OpenSearchError
from tools.twin.search.settings import SearchSettings
from tools.twin.search.signature import why_refused

log = logging.getLogger("twin.search")


class IndexConvertor(StringConvertor):
    """An index, an alias or a list of them; names that begin with ``_`` are operations."""

    regex = "[^_/][^/]*|_all"


register_url_convertor("index", IndexConvertor())

# What the service's operations table lists (serverless-genref.html). Anything else is answered 404.
ROUTES: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
    ("GET", "/_twin/health", controls.health),
    ("GET PUT", "/_twin/visibility", controls.visibility),
    ("POST", "/_twin/clock", controls.clock),
    ("GET", "/_cat/indices", op.cat_indices),
    ("GET", "/_cat/indices/{index:index}", op.cat_indices),
    ("POST", "/_aliases", op.post_aliases),
    ("GET", "/_alias", op.get_alias),
    ("GET", "/_alias/{alias}", op.get_alias),
    ("GET", "/{index:index}/_alias", op.get_alias),
    ("GET", "/{index:index}/_alias/{alias}", op.get_alias),
    ("PUT POST", "/{index:index}/_alias/{alias}", op.put_alias),
    ("DELETE", "/{index:index}/_alias/{alias}", op.delete_alias),
    ("POST PUT", "/_bulk", op.post_bulk),
    ("POST PUT", "/{index:index}/_bulk", op.post_bulk),
    ("POST", "/{index:index}/_doc", op.put_document),
    ("PUT POST", "/{index:index}/_doc/{id:path}", op.put_document),
    ("PUT POST", "/{index:index}/_create/{id:path}", op.put_document),
    ("GET", "/{index:index}/_doc/{id:path}", op.get_document),
    ("DELETE", "/{index:index}/_doc/{id:path}", op.delete_document),
    ("GET POST", "/_mget", op.multi_get),
    ("GET POST", "/{index:index}/_mget", op.multi_get),
    ("GET POST", "/_search", op.search),
    ("GET POST", "/{index:index}/_search", op.search),
    ("GET POST", "/_msearch", op.multi_search),
    ("GET POST", "/{index:index}/_msearch", op.multi_search),
    ("GET POST", "/_count", op.count),
    ("GET POST", "/{index:index}/_count", op.count),
    ("GET", "/_mapping", op.get_mapping),
    ("GET", "/{index:index}/_mapping", op.get_mapping),
    ("PUT POST", "/{index:index}/_mapping", op.put_mapping),
    ("GET", "/_settings", op.get_settings),
    ("GET", "/{index:index}/_settings", op.get_settings),
    ("PUT POST", "/{index:index}/_settings", op.put_settings),
    ("HEAD", "/{index:index}", op.index_exists),
    ("GET", "/{index:index}", op.get_index),
    ("PUT", "/{index:index}", op.create_index),
    ("DELETE", "/{index:index}", op.delete_index),
]


def create_app(
    state: Path, settings: SearchSettings, clock: Clock | None = None, *, authorizer: str | None = None
) -> Starlette:
    """The application on a state directory; raises ``StateInUse`` when another process serves it.

    With ``authorizer``, the emulator's address, callers may do what the deployed policies say and no more.
    """
    collection = Collection(state, settings, clock or Clock())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        collection.close()

    app = Starlette(
        routes=[Route(path, handler, methods=methods.split()) for methods, path, handler in ROUTES],
        lifespan=lifespan,
        middleware=[
            Middleware(FaultInjector, services=["search"], service_of=_service_of, error_body=_fault_body),
            Middleware(SignatureGate, settings=settings),
            *(
                [Middleware(Gatekeeper, emulator=authorizer, demands_of=demands_of, refusal=_forbidden)]
                if authorizer
                else []
            ),
        ],
        exception_handlers={
            OpenSearchError: _refused,
            HTTPException: _no_route,
            Exception: _failed,
        },
    )
    app.state.collection = collection
    return app


class SignatureGate:
    """ASGI middleware: 403, in the front door's shape, for a request that is not signed for ``aoss``."""

    def __init__(self, app: ASGIApp, settings: SearchSettings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_open = (
            scope["type"] != "http" or self._settings.allow_unsigned or scope["path"].startswith("/_twin/")
        )
        reason = None if is_open else why_refused(Request(scope).headers)
        if reason is None:
            await self._app(scope, receive, send)
            return
        log.warning("403 %s: %s", scope["method"], reason)
        body = {"status": 403, "error": {"reason": "403 Forbidden", "type": "Forbidden"}}
        await JSONResponse(body, 403, {"x-twin-reason": reason})(scope, receive, send)


def _forbidden(reason: str) -> ErrorBody:
    """The collection tells the caller nothing more; the header is the twin's."""
    log.warning("403 %s", reason)
    body = {"status": 403, "error": {"reason": "403 Forbidden", "type": "Forbidden"}}
    return {"content-type": "application/json", "x-twin-reason": reason}, json.dumps(body).encode()


# --- failures -----------------------------------------------------------------------------------------


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, OpenSearchError)
    return JSONResponse(error.body(), error.status)


def _no_route(request: Request, error: Exception) -> Response:
    """Operations the service lacks: an empty 404, which is what AWS sends (opensearch-py issue 646)."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        reason = f"Incorrect HTTP method for uri [{request.url.path}] and method [{request.method}]"
        return JSONResponse({"error": reason, "status": 405}, 405, error.headers)
    reason = f"OpenSearch Serverless does not offer {request.method} {request.url.path}"
    log.warning("404 %s", reason)
    return Response(status_code=404, headers={"x-twin-reason": reason.encode("ascii", "replace").decode()})


def _failed(request: Request, error: Exception) -> Response:
    failed = OpenSearchError(500, "exception", f"{type(error).__name__}: see the log of the search service")
    return JSONResponse(failed.body(), 500)


def _service_of(scope: Scope) -> str:
    return "search"


def _fault_body(service: str, kind: Kind) -> ErrorBody:
    throttled = kind == "throttle"
    error = OpenSearchError(
        429 if throttled else 500,
        "rejected_execution_exception" if throttled else "exception",
        f"injected {kind} of {service}",
    )
    return {"content-type": "application/json"}, json.dumps(error.body()).encode()
