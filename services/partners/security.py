"""Who asks: a bearer credential that may read, and the administrator's that may also write.

One place decides for every route, before the body is read: a safe method needs either credential, any other method the
administrator's. A route cannot be added without it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Literal

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.partners.problems import Problem

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
OPEN_PATHS = frozenset({"/health", "/openapi.json"})
"""For a balancer and for people who want to know what there is."""
SHORTEST_CREDENTIAL = 16
_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE | re.ASCII)

Caller = Literal["reader", "administrator"]


class BadCredentials(ValueError):
    """A credential that this service will not start with; one line that says what to do."""


@dataclass(frozen=True)
class Credentials:
    """Both, as the environment gives them."""

    reader: str = field(repr=False)
    administrator: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what cannot be sent, can be guessed, or would let a reader write."""
        for variable, value in (
            ("PARTNERS_CREDENTIAL", self.reader),
            ("PARTNERS_ADMIN_CREDENTIAL", self.administrator),
        ):
            if not value:
                raise BadCredentials(
                    f"{variable} is not set: give a random text, such as `openssl rand -hex 32` makes"
                )
            if len(value) < SHORTEST_CREDENTIAL or not _BEARER.fullmatch(f"bearer {value}"):
                raise BadCredentials(
                    f"{variable} must be at least {SHORTEST_CREDENTIAL} of A-Z a-z 0-9 . _ ~ + / - : "
                    "`openssl rand -hex 32` makes one"
                )
        if self.reader == self.administrator:
            raise BadCredentials(
                "PARTNERS_ADMIN_CREDENTIAL is the same as PARTNERS_CREDENTIAL: whoever may read could write"
            )

    def caller(self, given: str) -> Caller | None:
        """Whose credential it is; takes the same time for any that is wrong."""
        digest = _digest(given)
        is_reader = hmac.compare_digest(digest, _digest(self.reader))
        is_administrator = hmac.compare_digest(digest, _digest(self.administrator))
        return "administrator" if is_administrator else "reader" if is_reader else None


def _digest(credential: str) -> bytes:
    # Of equal length, so that not even the length takes its own time to compare.
    return hashlib.sha256(credential.encode()).digest()


class Authorization:
    """ASGI middleware: 401 for a stranger, 403 for a reader who would write."""

    def __init__(self, app: ASGIApp, credentials: Credentials) -> None:
        self._app = app
        self._credentials = credentials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            refusal = self._refusal(scope)
            if refusal is not None:
                await refusal.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Problem | None:
        given = Headers(scope=scope).getlist("authorization")
        match = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
        caller = self._credentials.caller(match[1]) if match else None
        if caller is None:
            headers = {"WWW-Authenticate": 'Bearer realm="partners"'}
            return Problem(
                401, "send Authorization: Bearer with a credential of this service", headers=headers
            )
        if scope["method"] not in SAFE_METHODS and caller != "administrator":
            return Problem(403, "writing needs the administrator's credential")
        return None
