"""Access tokens of the Cognito user pool: JSON Web Tokens that a signed-in shopper's browser presents."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

import jwt
from jwt.algorithms import Algorithm

from mangaassist.errors import InvalidToken
from mangaassist.identity.callers import Caller
from mangaassist.identity.rs256 import PublicKey

ALGORITHM: Final = "RS256"
LEEWAY_SECONDS: Final = 5
SUBJECT_PREFIX: Final = "user-"
"""Keeps a shopper's sessions apart from any guest's."""


@dataclass(frozen=True, slots=True)
class UserPool:
    """The pool whose tokens count, and the one application in it that they must be for."""

    pool_id: str
    client_id: str

    @property
    def issuer(self) -> str:
        """As Cognito writes it; a pool's id starts with its region."""
        return f"https://cognito-idp.{self.pool_id.split('_', 1)[0]}.amazonaws.com/{self.pool_id}"


class SigningKeys(Protocol):
    """The pool's published keys."""

    def key(self, key_id: str) -> PublicKey | None:
        """The key of this id; ``None`` when the pool has none of it.

        Raises:
            DependencyError: the keys cannot be read.
        """
        ...


class _Rs256(Algorithm):
    """What PyJWT asks of an algorithm, for checking only."""

    def prepare_key(self, key: Any) -> PublicKey:
        if not isinstance(key, PublicKey):
            raise jwt.InvalidKeyError("not an RSA public key")
        return key

    def verify(self, msg: bytes, key: Any, sig: bytes) -> bool:
        return self.prepare_key(key).signed(msg, sig)

    def sign(self, msg: bytes, key: Any) -> bytes:
        raise NotImplementedError

    @staticmethod
    def to_jwk(key_obj: Any, as_dict: bool = False) -> Any:
        raise NotImplementedError

    @staticmethod
    def from_jwk(jwk: Any) -> Any:
        raise NotImplementedError


_signatures = jwt.PyJWS(algorithms=[])
_signatures.register_algorithm(ALGORITHM, _Rs256())


def verify(token: str, *, pool: UserPool, keys: SigningKeys, now: float | None = None) -> Caller:
    """The shopper this token speaks for.

    Raises:
        InvalidToken: it is expired, forged, of another pool or application, or not an access token.
        DependencyError: the pool's keys cannot be read.
    """
    try:
        key_id = _signatures.get_unverified_header(token).get("kid")
        if not isinstance(key_id, str):
            raise InvalidToken("no key id")
        key = keys.key(key_id)
        if key is None:
            raise InvalidToken("unknown key")
        payload = _signatures.decode(token, cast(Any, key), algorithms=[ALGORITHM])
        claims: Any = json.loads(payload)
    except jwt.InvalidTokenError as error:
        raise InvalidToken(type(error).__name__) from None
    except ValueError:
        raise InvalidToken("malformed") from None
    if not isinstance(claims, dict):
        raise InvalidToken("malformed")
    return _caller(cast("dict[str, Any]", claims), pool, time.time() if now is None else now)


def _caller(claims: dict[str, Any], pool: UserPool, now: float) -> Caller:
    expires_at, issued_at, subject = claims.get("exp"), claims.get("iat"), claims.get("sub")
    if claims.get("iss") != pool.issuer:
        raise InvalidToken("issuer")
    # An id token tells the page who somebody is; only an access token is meant for us. It names its client, not an audience.
    if claims.get("token_use") != "access":
        raise InvalidToken("token_use")
    if claims.get("client_id") != pool.client_id:
        raise InvalidToken("client")
    if (
        type(expires_at) is not int
        or type(issued_at) is not int
        or not isinstance(subject, str)
        or not subject
    ):
        raise InvalidToken("malformed")
    if expires_at <= now - LEEWAY_SECONDS:
        raise InvalidToken("expired")
    if issued_at > now + LEEWAY_SECONDS:
        raise InvalidToken("not yet valid")
    return Caller(SUBJECT_PREFIX + subject, "user", expires_at)
