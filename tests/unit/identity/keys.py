"""Keys and tokens as a user pool makes them, by the library that the product does without."""

from __future__ import annotations

import base64
import json
import time
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mangaassist.identity.rs256 import PublicKey
from mangaassist.identity.user_token import UserPool

POOL = UserPool("ap-northeast-1_Ab12Cd34e", "3n4b5urk1ft4fl3mg5e62d9ado")
ISSUER = "https://cognito-idp.ap-northeast-1.amazonaws.com/ap-northeast-1_Ab12Cd34e"
KEY_ID = "the pool's first key"


def private_key(name: str = KEY_ID) -> RSAPrivateKey:
    """One key per name, made once."""
    return _made(name)


@cache
def _made(name: str) -> RSAPrivateKey:
    return generate_private_key(public_exponent=65_537, key_size=2_048)


def jwk(name: str = KEY_ID, **changes: Any) -> dict[str, Any]:
    """The key's public half as the pool publishes it."""
    found = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(private_key(name).public_key()))
    return {
        "kty": "RSA",
        "n": found["n"],
        "e": found["e"],
        "kid": name,
        "alg": "RS256",
        "use": "sig",
        **changes,
    }


def public_pem(name: str = KEY_ID) -> bytes:
    """The public half as text, which everybody can have."""
    return private_key(name).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def claims(**changes: Any) -> dict[str, Any]:
    """What an access token says; ``None`` leaves a claim out."""
    now = int(time.time())
    made = {
        "sub": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
        "iss": ISSUER,
        "client_id": POOL.client_id,
        "token_use": "access",
        "scope": "openid",
        "auth_time": now,
        "iat": now,
        "exp": now + 3_600,
        **changes,
    }
    return {name: value for name, value in made.items() if value is not None}


def segment(content: Any) -> str:
    """One part of a token."""
    return base64url(json.dumps(content).encode())


def base64url(content: bytes) -> str:
    """As tokens write bytes."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def access_token(*, key: str = KEY_ID, headers: dict[str, Any] | None = None, **changes: Any) -> str:
    """A token signed by the key of that name, whatever it says."""
    header = {"alg": "RS256", **({"kid": key} if headers is None else headers)}
    message = f"{segment(header)}.{segment(claims(**changes))}"
    signature = private_key(key).sign(message.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{message}.{base64url(signature)}"


class Keys:
    """The pool's keys, in memory."""

    def __init__(self, *names: str) -> None:
        self.asked: list[str] = []
        self._keys = {name: PublicKey.from_jwk(jwk(name)) for name in names or (KEY_ID,)}

    def key(self, key_id: str) -> PublicKey | None:
        self.asked.append(key_id)
        return self._keys.get(key_id)
