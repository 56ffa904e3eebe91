"""The SageMaker contract around a model: ``GET /ping`` and ``POST /invocations`` on port 8080.

The port opens before the model is loaded, and ``/ping`` says 503 until it has answered its own warm-up calls: an
instance that SageMaker puts into service has paid its cold start already (CAP-3). On SIGTERM the server takes no new
calls and finishes the running ones.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.models.contract import MAXIMUM_BODY_BYTES, Refusal
from services.models.settings import Settings, SettingsError, read_settings

GRACE_SECONDS = 20
"""For running calls after SIGTERM; SageMaker kills the container 30 s after it."""
BACKEND_HEADER = "x-model-backend"


class Service(Protocol):
    """A loaded model behind its contract; ``backend`` names what computes, stand-ins as such."""

    @property
    def backend(self) -> str: ...

    def warm_up(self) -> None:
        """Answer one call of every shape, so that no shopper pays for the first."""
        ...

    def answer(self, body: bytes) -> Any:
        """The document for a request; raises ``Refusal``."""
        ...


Load = Callable[[Settings], Service]

log = logging.getLogger(__name__)


class _Server:
    def __init__(self, load: Load, settings: Settings, give_up: Callable[[BaseException], None]) -> None:
        self._load = load
        self._settings = settings
        self._give_up = give_up
        self._service: Service | None = None
        self._waiting = 0
        # One at a time: the models are CPU or accelerator bound, and a queue shared out over threads gets no shorter.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="model")

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        loading = asyncio.create_task(self._start())
        yield
        loading.cancel()
        self._worker.shutdown(wait=False, cancel_futures=True)

    async def _start(self) -> None:
        try:
            self._service = await asyncio.get_running_loop().run_in_executor(self._worker, self._loaded)
        except Exception as error:
            self._give_up(error)

    def _loaded(self) -> Service:
        service = self._load(self._settings)
        service.warm_up()
        return service

    async def ping(self, _: Request) -> Response:
        if self._service is None:
            return _problem(503, "the model is being loaded")
        return JSONResponse({"status": "ready", "backend": self._service.backend})

    async def invocations(self, request: Request) -> Response:
        service = self._service
        if service is None:
            return _problem(503, "the model is being loaded")
        if self._waiting >= self._settings.most_waiting:
            return _problem(503, f"{self._waiting} calls are waiting already: try another instance")
        self._waiting += 1
        try:
            body = await _body(request)
            document = await asyncio.get_running_loop().run_in_executor(self._worker, service.answer, body)
        except Refusal as refusal:
            return _problem(refusal.status, refusal.told)
        except Exception as error:
            # The class only: a library's message may quote what the shopper wrote.
            log.error("invocation failed: %s", type(error).__name__)
            return _problem(500, "the model failed on this request")
        finally:
            self._waiting -= 1
        return JSONResponse(document, headers={BACKEND_HEADER: service.backend})


def create_app(load: Load, settings: Settings, give_up: Callable[[BaseException], None]) -> Starlette:
    """The application; ``give_up`` is told when the model cannot be loaded."""
    server = _Server(load, settings, give_up)
    routes = [
        Route("/ping", server.ping),
        Route("/invocations", server.invocations, methods=["POST"]),
    ]
    return Starlette(routes=routes, lifespan=server.lifespan)


def serve(name: str, load: Load) -> int:
    """Serve until told to stop; the exit status is 1 when the model cannot be loaded, 2 when a setting is wrong."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        settings = read_settings()
    except SettingsError as error:
        log.error("%s: %s", name, error)
        return 2
    failed: list[BaseException] = []

    def give_up(error: BaseException) -> None:
        failed.append(error)
        server.should_exit = True

    app = create_app(load, settings, give_up)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        ws="none",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = uvicorn.Server(config)
    log.info("%s: serves %s on port %d", name, settings.folder, settings.port)
    server.run()
    if failed:
        log.error("%s: the model in %s cannot be served: %s", name, settings.folder, failed[0])
        return 1
    return 0


async def _body(request: Request) -> bytes:
    """The body, refused as soon as it is known to be too large."""
    content_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if content_type not in ("application/json", ""):
        raise Refusal(415, "send application/json")
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAXIMUM_BODY_BYTES:
            raise Refusal(413, f"the body is larger than {MAXIMUM_BODY_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)


def _problem(status: int, told: str) -> Response:
    return Response(json.dumps({"error": told}), status, media_type="application/json")
