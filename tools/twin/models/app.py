"""The server: Bedrock, SageMaker and Personalize Runtime on one port, and the twin's controls.

GET    /_twin/health
GET    /_twin/streams                 the log of generations; ?wait=SECONDS returns once none is running
DELETE /_twin/streams                 forget those that have ended
GET    /_twin/pace                    how fast the stand-in speaks
PUT    /_twin/pace                    {"first_token_ms": 0, "tokens_per_second": 500} or {"is_gated": true}
POST   /_twin/pace/release            {"chunks": 2}: let so many chunks through the gate
DELETE /_twin/pace                    as the server was started
GET    /_twin/failures                single answers that will fail
POST   /_twin/failures                {"code": "throttlingException", "after_chunks": 3, "times": 1, "model": ""}
DELETE /_twin/failures
*      /_twin/faults...               see tools/twin/faults.py

and the control planes of ``tools/twin/control_plane/app.py``.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.models import intent, reranker
from services.models.intent import IntentService
from services.models.reranker import RerankService
from services.models.small.embedding import Embedder
from tools.recommender.model import Model as Recommender
from tools.twin.control_plane import app as control_planes
from tools.twin.control_plane.app import ControlPlane
from tools.twin.faults import ErrorBody, FaultInjector, Kind, Scope, plain_error_body
from tools.twin.models import catalogue, personalize, sagemaker, titan
from tools.twin.models.converse import ConverseResponse
from tools.twin.models.converse_request import read_call
from tools.twin.models.demands import demands_of
from tools.twin.models.errors import (
    BEDROCK_STATUS,
    PERSONALIZE_STATUS,
    SAGEMAKER_STATUS,
    ServiceError,
    error_body,
    error_headers,
)
from tools.twin.models.failures import Failure, FailureQueue, failing
from tools.twin.models.generation import Engine
from tools.twin.models.pace import Metronome
from tools.twin.models.streams import StreamLog
from tools.twin.permissions import Gatekeeper

BEDROCK = "bedrock-runtime"
SAGEMAKER = "sagemaker-runtime"
PERSONALIZE = "personalize-runtime"
SIGNING_NAMES = {BEDROCK: "bedrock", SAGEMAKER: "sagemaker", PERSONALIZE: "personalize"}
RANKING_PATH = "/personalize-ranking"
RECOMMENDATIONS_PATH = "/recommendations"
LONGEST_WAIT_SECONDS = 60.0

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Models:
    """The trained models in memory; ``version`` changes whenever they do."""

    embedder: Embedder
    intents: IntentService
    reranker: RerankService
    recommender: Recommender
    version: str

    @classmethod
    def load(cls, folder: Path) -> Models:
        """Read what ``train`` wrote."""
        embedder = Embedder(folder)
        return cls(
            embedder,
            intent.small(folder),
            reranker.small(folder, embedder),
            Recommender.load(folder),
            folder.name,
        )


def create_app(
    models: Models,
    engine: Engine,
    metronome: Metronome,
    plane: ControlPlane | None = None,
    *,
    authorizer: str | None = None,
) -> FaultInjector:
    """The ASGI application, with the fault injector around it.

    Args:
        models: the small models.
        engine: the language model.
        metronome: the pace it speaks at.
        plane: the control planes; such that keep nothing unless given.
        authorizer: the emulator's address, if callers may only do what their roles allow.
    """
    plane = plane or ControlPlane(None, None)
    runtime = _Runtime(models, engine, metronome, plane)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        close = getattr(engine, "close", None)
        if close is not None:
            await close()

    routes = [
        Route("/model/{model:path}/converse", _bedrock(runtime.converse), methods=["POST"]),
        Route("/model/{model:path}/converse-stream", _bedrock(runtime.converse_stream), methods=["POST"]),
        Route("/model/{model:path}/invoke", _bedrock(runtime.invoke), methods=["POST"]),
        Route("/endpoints/{endpoint}/invocations", _sagemaker(runtime.invoke_endpoint), methods=["POST"]),
        Route(RECOMMENDATIONS_PATH, _personalize(runtime.recommend), methods=["POST"]),
        Route(RANKING_PATH, _personalize(runtime.rank), methods=["POST"]),
        Route("/_twin/health", runtime.health),
        Route("/_twin/streams", runtime.streams, methods=["GET", "DELETE"]),
        Route("/_twin/pace", runtime.pace, methods=["GET", "PUT", "DELETE"]),
        Route("/_twin/pace/release", runtime.release, methods=["POST"]),
        Route("/_twin/failures", runtime.failures, methods=["GET", "POST", "DELETE"]),
        *plane.routes(),
    ]
    application = Starlette(
        routes=routes, lifespan=lifespan, exception_handlers={HTTPException: _unknown_operation}
    )
    tags_of = plane.throughput.tags_of
    return FaultInjector(
        Gatekeeper(
            application,
            emulator=authorizer,
            demands_of=lambda scope, body: demands_of(scope, body, tags_of),
            refusal=refusal,
        )
        if authorizer
        else application,
        services=(BEDROCK, SAGEMAKER, PERSONALIZE, *control_planes.SERVICES),
        service_of=service_of,
        error_body=injected_error,
    )


def service_of(scope: Scope) -> str | None:
    """The service a path belongs to."""
    if scope["path"].startswith("/model/"):
        return BEDROCK
    if scope["path"].startswith("/endpoints/"):
        return SAGEMAKER
    if scope["path"] in (RECOMMENDATIONS_PATH, RANKING_PATH):
        return PERSONALIZE
    return control_planes.service_of(scope)


def injected_error(service: str, kind: Kind) -> ErrorBody:
    """Injected failures as the service words them."""
    if service in control_planes.SERVICES:
        return plain_error_body(service, kind)
    if service == SAGEMAKER:
        code = "ThrottlingException" if kind == "throttle" else "InternalFailure"
        return error_headers(code), error_body("Message", f"injected {kind}")
    code = "ThrottlingException" if kind == "throttle" else "InternalServerException"
    return error_headers(code), error_body("message", f"injected {kind}")


def refusal(reason: str) -> ErrorBody:
    """A denial in a form that the SDKs of all these services read."""
    code = "AccessDeniedException"
    return error_headers(code), json.dumps({"__type": code, "message": reason, "Message": reason}).encode()


class _Runtime:
    """The operations; each takes a request and answers it or raises ``ServiceError``."""

    def __init__(self, models: Models, engine: Engine, metronome: Metronome, plane: ControlPlane) -> None:
        self._plane = plane
        self._models = models
        self._engine = engine
        self._metronome = metronome
        self._log = StreamLog()
        self._failures = FailureQueue()

    # --- Bedrock Runtime ------------------------------------------------------------------------------

    async def converse(self, request: Request) -> Response:
        return await self._converse(request, "Converse")

    async def converse_stream(self, request: Request) -> Response:
        return await self._converse(request, "ConverseStream")

    async def _converse(self, request: Request, operation: str) -> Response:
        asked = request.path_params["model"]
        call = read_call(self._plane.throughput.model_behind(asked), await request.body())
        events = self._engine.generate(call)
        if (failure := self._failures.take(call.model)) is not None:
            events = failing(events, call, failure)
        stream = self._log.begin(
            operation=operation,
            # A provisioned ARN is logged as it was asked for: it says which capacity took the call.
            model=asked if ":provisioned-model/" in asked else call.model,
            answered_by=self._engine.name,
        )
        return ConverseResponse(events, stream, self._log, is_streamed=operation == "ConverseStream")

    async def invoke(self, request: Request) -> Response:
        model = catalogue.find(request.path_params["model"])
        if model.id != titan.MODEL_ID:
            raise ServiceError(
                "ValidationException",
                f"The twin serves InvokeModel for {titan.MODEL_ID} only: call text models with Converse.",
            )
        document = titan.embed(self._models.embedder, await request.body())
        return JSONResponse(
            document,
            headers={"x-amzn-bedrock-input-token-count": str(document["inputTextTokenCount"])},
        )

    # --- SageMaker Runtime ----------------------------------------------------------------------------

    async def invoke_endpoint(self, request: Request) -> Response:
        answer = sagemaker.endpoint(
            request.path_params["endpoint"], self._models.intents, self._models.reranker
        )
        document = answer(await request.body())
        return JSONResponse(document, headers={"x-amzn-invoked-production-variant": "AllTraffic"})

    # --- Personalize Runtime --------------------------------------------------------------------------

    async def recommend(self, request: Request) -> Response:
        return JSONResponse(personalize.recommend(self._models.recommender, await request.body()))

    async def rank(self, request: Request) -> Response:
        return JSONResponse(personalize.rank(self._models.recommender, await request.body()))

    # --- controls -------------------------------------------------------------------------------------

    async def health(self, request: Request) -> Response:
        return JSONResponse(
            {"status": "ok", "answered_by": self._engine.name, "models_version": self._models.version}
        )

    async def streams(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._log.clear()
        wait = float(request.query_params.get("wait", 0))
        return JSONResponse({"streams": await self._log.settled(min(wait, LONGEST_WAIT_SECONDS))})

    async def pace(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._metronome.reset()
        elif request.method == "PUT":
            try:
                self._metronome.set(await _control_document(request))
            except ValueError as error:
                return JSONResponse({"message": str(error)}, 400)
        return JSONResponse(self._metronome.describe())

    async def release(self, request: Request) -> Response:
        try:
            chunks = (await _control_document(request)).get("chunks", 1)
            if isinstance(chunks, bool) or not isinstance(chunks, int) or chunks < 1:
                raise ValueError("chunks is a whole number from 1")
            self._metronome.release(chunks)
        except ValueError as error:
            return JSONResponse({"message": str(error)}, 400)
        return JSONResponse({"released": chunks})

    async def failures(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._failures.clear()
        elif request.method == "POST":
            try:
                self._failures.add(Failure.parse(await _control_document(request)))
            except ValueError as error:
                return JSONResponse({"message": str(error)}, 400)
        return JSONResponse({"failures": self._failures.describe()})


def _bedrock(handler: Handler) -> Handler:
    return _operation(handler, BEDROCK, BEDROCK_STATUS, "message")


def _sagemaker(handler: Handler) -> Handler:
    return _operation(handler, SAGEMAKER, SAGEMAKER_STATUS, "Message")


def _personalize(handler: Handler) -> Handler:
    return _operation(handler, PERSONALIZE, PERSONALIZE_STATUS, "message")


def _operation(handler: Handler, service: str, statuses: Any, member: str) -> Handler:
    """``handler`` behind the service's front door: signed requests only, failures in its own shape."""

    async def answer(request: Request) -> Response:
        try:
            _refuse_unsigned(request, service)
            return await handler(request)
        except ServiceError as error:
            body = error_body(member, error.message, error.extra)
            return Response(body, statuses.get(error.code, 500), error_headers(error.code))

    return answer


def _refuse_unsigned(request: Request, service: str) -> None:
    """A request without credentials of the right service is a mistake that AWS would not let pass."""
    authorization = request.headers.get("authorization", "")
    is_signed = (
        authorization.startswith("AWS4-HMAC-SHA256")
        and f"/{SIGNING_NAMES[service]}/aws4_request" in authorization
    )
    if not is_signed and not (service == BEDROCK and authorization.startswith("Bearer ")):
        raise ServiceError("MissingAuthenticationTokenException", "Missing Authentication Token")


async def _unknown_operation(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    told = f"no {request.method} {request.url.path} here"
    return Response(error_body("message", told), status, error_headers("UnknownOperationException"))


async def _control_document(request: Request) -> dict[str, Any]:
    try:
        document = json.loads(await request.body() or b"{}")
    except ValueError:
        raise ValueError("the body is not JSON") from None
    if not isinstance(document, dict):
        raise ValueError("the body is not a JSON object")
    return document
