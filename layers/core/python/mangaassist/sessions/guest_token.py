"""Guest tokens: short-lived JSON Web Tokens that give an anonymous shopper an identity of their own.

Signed with HMAC-SHA-256 by a secret from Secrets Manager; ``sub`` is the owner of the sessions the guest opens.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jwt

from mangaassist.errors import InvalidToken

ALGORITHM = "HS256"
ISSUER = "mangaassist"
AUDIENCE = "mangaassist-chat"
SUBJECT_PREFIX = "guest-"
"""No guest can be named like a signed-in shopper, whoever signed the token."""
LEEWAY_SECONDS = 5
"""Clocks of the issuing and the checking function may differ by this much."""


@dataclass(frozen=True, slots=True)
class Guest:
    """Who a valid token speaks for, until when (epoch seconds)."""

    subject: str
    expires_at: int


def issue(secret: str, *, ttl_seconds: int, now: float | None = None) -> tuple[str, Guest]:
    """A new guest and the token that proves it."""
    issued_at = int(time.time() if now is None else now)
    guest = Guest(subject=f"{SUBJECT_PREFIX}{secrets.token_urlsafe(16)}", expires_at=issued_at + ttl_seconds)
    claims = {
        "sub": guest.subject,
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": issued_at,
        "exp": guest.expires_at,
    }
    return jwt.encode(claims, secret, algorithm=ALGORITHM), guest


def verify(token: str | None, accepted: Iterable[str]) -> Guest:
    """Who the token speaks for; it counts if any of the ``accepted`` secrets signed it.

    Raises:
        InvalidToken: it is missing, expired, forged, or meant for somebody else.
        DependencyError: the next accepted secret cannot be read.
    """
    if not token:
        raise InvalidToken("missing")
    for secret in accepted:
        try:
            claims = _claims(token, secret)
        except jwt.InvalidSignatureError:
            continue
        except jwt.ExpiredSignatureError:
            raise InvalidToken("expired") from None
        except jwt.InvalidTokenError as error:
            raise InvalidToken(type(error).__name__) from None
        subject = str(claims["sub"])
        if not subject.startswith(SUBJECT_PREFIX):
            raise InvalidToken("subject")
        return Guest(subject=subject, expires_at=int(claims["exp"]))
    raise InvalidToken("forged")


def _claims(token: str, secret: str) -> dict[str, Any]:
    return jwt.decode(
        token,
        secret,
        algorithms=[ALGORITHM],
        audience=AUDIENCE,
        issuer=ISSUER,
        leeway=LEEWAY_SECONDS,
        options={"require": ["sub", "exp", "iat"]},
    )
