"""Every error as RFC 9457 ``application/problem+json``: what is wrong and what to do, and nothing of what was sent."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

MEDIA_TYPE = "application/problem+json"
BLANK = "about:blank"
"""RFC 9457's type for a problem that its status says all about."""
URN = "urn:mangaassist:partners:problem:"

log = logging.getLogger(__name__)


_RENAMED = {413: "Content Too Large", 422: "Unprocessable Content"}
"""RFC 9110's names, which Python has since 3.13 only."""


def _title(status: int) -> str:
    return _RENAMED.get(status) or HTTPStatus(status).phrase


class Finding(BaseModel):
    """One thing that is wrong with a request."""

    location: str = Field(
        description="Where: `query.asin.0`, `body.price.amount`.", examples=["query.asin.0"]
    )
    detail: str = Field(examples=["String should match pattern '^[A-Z0-9]{10}$'"])
    type: str = Field(description="For programs.", examples=["string_pattern_mismatch"])


class ProblemDetails(BaseModel):
    """RFC 9457; `errors` only where a request does not validate."""

    model_config = ConfigDict(title="Problem")

    type: str = Field(examples=[BLANK])
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    errors: list[Finding] | None = None


class Problem(Exception):
    """An answer that is an error; ``kind`` tells two problems of one status apart."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        kind: str | None = None,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Finding] | None = None,
    ) -> None:
        self.status = status
        self.detail = detail
        self.kind = kind
        self.headers = headers
        self.errors = errors
        super().__init__(f"{status}: {detail}")

    def response(self) -> Response:
        """As the client gets it."""
        document = ProblemDetails(
            type=f"{URN}{self.kind}" if self.kind else BLANK,
            title=_title(self.status),
            status=self.status,
            detail=self.detail,
            errors=list(self.errors) if self.errors else None,
        )
        return JSONResponse(
            document.model_dump(exclude_none=True),
            self.status,
            dict(self.headers or {}),
            media_type=MEDIA_TYPE,
        )


def not_found(what: str) -> Problem:
    """There is no such thing, or it is somebody else's."""
    return Problem(404, f"there is no such {what}")


def invalid(errors: Sequence[Finding]) -> Problem:
    """The request breaks what the document says of it."""
    return Problem(422, "the request does not validate: mend what `errors` names", errors=errors)


def unexpected(error: Exception) -> Problem:
    """What nobody foresaw: the class for the log, a sentence for the client."""
    # The class only: a driver's message quotes the statement's values.
    log.error("request failed", extra={"facts": {"event": "request_failed", "error": type(error).__name__}})
    return Problem(500, "the service failed on this request; it is not your fault, and trying again may help")


def unavailable() -> Problem:
    """The database does not answer in time."""
    return Problem(503, "the database is busy: try again in a moment", headers={"Retry-After": "1"})


def findings(errors: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """What a validator found, without the values it found it in."""
    found: list[Finding] = []
    for error in errors:
        location: tuple[int | str, ...] = error["loc"]
        if error["type"] == "extra_forbidden":
            # The last step is the sender's own key: content, so it is not repeated.
            location = location[:-1]
        if error["type"] == "json_invalid":
            location, detail = ("body",), "the body is not JSON"
        else:
            detail = str(error["msg"]).removeprefix("Value error, ")
        found.append(
            Finding(location=".".join(str(part) for part in location), detail=detail, type=error["type"])
        )
    return found


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return invalid(findings(error.errors())).response()


async def _http(request: Request, error: Exception) -> Response:
    """What the router itself refuses: 404 and 405; and FastAPI's 400 for a body that is no text."""
    assert isinstance(error, HTTPException)
    if error.status_code == 400:
        return invalid(
            [Finding(location="body", detail="the body is not JSON", type="json_invalid")]
        ).response()
    details = {
        404: "there is nothing at this path: /openapi.json lists what there is",
        405: "this path does not take this method: the Allow header names those it takes",
    }
    detail = details.get(error.status_code, "the request cannot be read")
    headers = error.headers
    if error.status_code == 405:
        # The router names the methods of the first route of this path only.
        template = getattr(request.scope.get("route"), "path", "")
        methods: dict[str, Any] = request.app.openapi()["paths"].get(template, {})
        headers = {"Allow": ", ".join(sorted(method.upper() for method in methods))} if methods else headers
    return Problem(error.status_code, detail, headers=headers).response()


async def _database(_: Request, error: Exception) -> Response:
    """A lock or a connection that was not free in time is the caller's chance to come again."""
    is_busy = isinstance(error, PoolTimeout) or "locked" in str(getattr(error, "orig", ""))
    return (unavailable() if is_busy else unexpected(error)).response()


async def known_parameters(request: Request) -> None:
    """Refuse a query parameter that the route does not have: a typing error must not look like an answer."""
    template = getattr(request.scope.get("route"), "path", "")
    operation = request.app.openapi()["paths"][template][request.method.lower()]
    known = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"}
    if not known.issuperset(request.query_params):
        told = f"this path knows the query parameters: {', '.join(sorted(known)) or 'none'}"
        raise invalid([Finding(location="query", detail=told, type="unknown_parameter")])


def install(app: FastAPI) -> None:
    """Make every error of ``app`` a problem; surprises are answered by the outermost middleware."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(PoolTimeout, _database)
    app.add_exception_handler(OperationalError, _database)


_EXAMPLES: dict[int, tuple[str, str]] = {
    400: ("The page token is none of this list.", "this page token was not given out for this list"),
    401: (
        "No credential, or an unknown one.",
        "send Authorization: Bearer with a credential of this service",
    ),
    403: ("The credential may only read.", "writing needs the administrator's credential"),
    404: ("There is no such thing, or it is somebody else's.", "there is no such order"),
    408: ("The body did not arrive in time.", "the body did not arrive within 10 s"),
    409: ("It contradicts what is there.", "the list price that is there is below this price"),
    412: ("The offer has changed since.", "the offer has changed since the entity tag in If-Match"),
    413: ("The body is too large.", "the body is larger than 65536 bytes"),
    415: ("The body is not JSON.", "send application/json"),
    422: ("The request does not validate.", "the request does not validate: mend what `errors` names"),
    500: (
        "A surprise.",
        "the service failed on this request; it is not your fault, and trying again may help",
    ),
    503: ("The database or the service is busy.", "the database is busy: try again in a moment"),
}


def declared(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's ``responses``: its errors in OpenAPI, with an example each."""
    return {status: _declaration(status) for status in sorted({401, 422, 500, 503, *statuses})}


def _declaration(status: int) -> dict[str, Any]:
    description, detail = _EXAMPLES[status]
    example: dict[str, Any] = {
        "type": BLANK,
        "title": _title(status),
        "status": status,
        "detail": detail,
    }
    if status == 422:
        finding = {
            "location": "query.asin.0",
            "detail": "String should match pattern '^[A-Z0-9]{10}$'",
            "type": "string_pattern_mismatch",
        }
        example["errors"] = [finding]
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
    declaration: dict[str, Any] = {"description": description, "content": {MEDIA_TYPE: content}}
    if status == 401:
        declaration["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}, "example": "Bearer"}}
    return declaration
