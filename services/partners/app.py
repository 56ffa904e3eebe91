"""The application: seven partners under one roof, behind the same door."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Literal

import anyio.to_thread
from fastapi import Depends, FastAPI, Security
from fastapi.openapi.utils import get_openapi
from fastapi.security import HTTPBearer
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from starlette.middleware import Middleware

from services.partners import problems
from services.partners.database.sessions import CONNECTIONS, Database
from services.partners.edge import AccessLog, Limits
from services.partners.problems import ProblemDetails, declared
from services.partners.routers import orders, pricing, profile, promotions, returns, reviews, shipping, trust
from services.partners.schemas import Clock, Store
from services.partners.security import Authorization, Credentials

VERSION = "1.0.0"
DESCRIPTION = """\
The partner services of a manga store, as the assistant's development and tests need them.

**Everything behind this API is synthetic**: customers, orders, parcels, prices, sellers and reviews are made up from the
catalogue feed and stand for nobody. Series and their creators alone are real.

Amounts are decimal text in USD. Times are ISO 8601 in UTC. Errors are RFC 9457 problems and repeat nothing of the request.
Unknown ASINs in a list are named in `unknown_asins`; an unknown single resource is a 404. Fields may be added: ignore what
you do not know. Reading takes the bearer credential, writing the administrator's.
"""
TAGS = {
    "pricing": "Prices, stock, and what speaks for a listing.",
    "reviews": "Stars and words.",
    "promotions": "What is reduced.",
    "orders": "What customers bought.",
    "shipping": "Where parcels are.",
    "returns": "What may be sent back.",
    "profile": "What customers told of themselves.",
    "operations": "For whoever runs it.",
}
_bearer = Security(
    HTTPBearer(auto_error=False, scheme_name="credential", description="See the introduction.")
)
"""For OpenAPI: ``security.Authorization`` is who looks."""


class Health(BaseModel):
    """The database answers."""

    status: Literal["ready"] = "ready"
    synthetic: Literal[True] = True


def utc_now() -> datetime:
    """The clock outside of tests."""
    return datetime.now(UTC)


def create_app(database: Database, credentials: Credentials, clock: Clock = utc_now) -> FastAPI:
    """The application over a seeded ``database``; the caller closes that."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None, None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = CONNECTIONS
        yield

    app = FastAPI(
        title="Partner services (synthetic)",
        version=VERSION,
        description=DESCRIPTION,
        openapi_tags=[{"name": name, "description": told} for name, told in TAGS.items()],
        # Its pages load scripts from elsewhere; the document itself is served and committed.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        middleware=[
            Middleware(AccessLog),
            Middleware(Authorization, credentials=credentials),
            Middleware(Limits),
        ],
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.database = database
    app.state.clock = clock
    problems.install(app)
    for each in (orders, returns, shipping, promotions, pricing, trust, profile, reviews):
        app.include_router(each.router, dependencies=[_bearer, Depends(problems.known_parameters)])
    app.get("/health", tags=["operations"], responses={503: declared()[503]})(get_health)
    app.openapi = lambda: openapi_document(app)
    return app


def get_health(store: Store) -> Health:
    """Whether it can answer; needs no credential."""
    try:
        store.answers()
    except SQLAlchemyError:
        raise problems.unavailable() from None
    return Health()


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """OpenAPI of ``app``, with our problems in place of the framework's errors."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
        )
        schema = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
        document["components"]["schemas"] |= {**schema.pop("$defs"), "Problem": schema}
        app.openapi_schema = document
    return app.openapi_schema
