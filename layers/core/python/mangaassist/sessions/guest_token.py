"""Guest tokens: short-lived JSON Web Tokens that give an anonymous shopper an identity of their own.

Signed with HMAC-SHA-256 by a secret from Secrets Manager; ``sub`` is the owner of the sessions the guest opens.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

import jwt

from mangaassist.errors import InvalidToken

ALGORITHM = "HS256"
ISSUER = "mangaassist"
AUDIENCE = "mangaassist-chat"
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
    guest = Guest(subject=f"guest-{secrets.token_urlsafe(16)}", expires_at=issued_at + ttl_seconds)
    claims = {
        "sub": guest.subject,
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": issued_at,
        "exp": guest.expires_at,
    }
    return jwt.encode(claims, secret, algorithm=ALGORITHM), guest


def verify(token: str | None, secret: str) -> Guest:
    """Who the token speaks for.

    Raises:
        InvalidToken: it is missing, expired, forged, or meant for somebody else.
    """
    if not token:
        raise InvalidToken("missing")
    try:
        claims = jwt.decode(
            token,
            secret,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            leeway=LEEWAY_SECONDS,
            options={"require": ["sub", "exp", "iat"]},
        )
    except jwt.ExpiredSignatureError:
        raise InvalidToken("expired") from None
    except jwt.InvalidTokenError as error:
        raise InvalidToken(type(error).__name__) from None
    return Guest(subject=str(claims["sub"]), expires_at=int(claims["exp"]))
