"""Only the pool's own access tokens for this application count."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest

from mangaassist.errors import DependencyError, InvalidToken
from mangaassist.identity.callers import Caller, Callers
from mangaassist.identity.user_token import verify
from mangaassist.sessions import guest_token
from tests.unit.identity.keys import (
    KEY_ID,
    POOL,
    Keys,
    access_token,
    base64url,
    claims,
    jwk,
    private_key,
    public_pem,
    segment,
)

SECRET = "a test secret that is long enough to sign with"


def _signed_with(secret: bytes, header: dict[str, Any], **changes: Any) -> str:
    """An HMAC token, which PyJWT would refuse to make with a public key."""
    message = f"{segment(header)}.{segment(claims(**changes))}"
    signature = hmac.new(secret, message.encode(), hashlib.sha256).digest()
    return f"{message}.{base64url(signature)}"


def _callers() -> Callers:
    return Callers(guest_secrets=lambda: [SECRET], pool=POOL, keys=Keys())


@pytest.mark.req("SEC-1")
def test_an_access_token_names_its_shopper() -> None:
    expires_at = int(time.time()) + 600
    caller = _callers().caller(access_token(sub="1234", exp=expires_at))
    assert caller == Caller("user-1234", "user", expires_at)


@pytest.mark.req("SEC-1")
@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("issuer", {"iss": "https://cognito-idp.ap-northeast-1.amazonaws.com/ap-northeast-1_Other"}),
        ("issuer", {"iss": None}),
        ("client", {"client_id": "another application of the same pool"}),
        ("client", {"client_id": None, "aud": POOL.client_id}),
        ("token_use", {"token_use": "id", "aud": POOL.client_id}),
        ("token_use", {"token_use": None}),
        ("expired", {"exp": 1_000_000}),
        ("malformed", {"exp": None}),
        ("malformed", {"exp": "9999999999"}),
        ("malformed", {"exp": True}),
        ("malformed", {"sub": ""}),
        ("malformed", {"sub": 7}),
        ("not yet valid", {"iat": 9_999_999_998, "exp": 9_999_999_999}),
    ],
)
def test_what_is_meant_for_somebody_else_is_refused(reason: str, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken) as refused:
        _callers().caller(access_token(**changes))
    assert refused.value.reason == reason


@pytest.mark.req("SEC-1")
def test_a_token_that_another_key_signed_is_refused() -> None:
    forged = access_token(key="a key of somebody else", headers={"kid": KEY_ID})
    with pytest.raises(InvalidToken, match="InvalidSignatureError"):
        _callers().caller(forged)
    head, _, signature = access_token().split(".")
    with pytest.raises(InvalidToken, match="InvalidSignatureError"):
        _callers().caller(f"{head}.{segment(claims(sub='somebody else'))}.{signature}")


@pytest.mark.req("SEC-1")
def test_the_key_must_be_named_and_known() -> None:
    with pytest.raises(InvalidToken, match="no key id"):
        _callers().caller(access_token(headers={}))
    with pytest.raises(InvalidToken, match="unknown key"):
        _callers().caller(access_token(key="a key that the pool does not publish"))


@pytest.mark.req("SEC-1")
@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "kid": KEY_ID},
        {"alg": "None", "kid": KEY_ID},
        {"alg": "RS512", "kid": KEY_ID},
        {"alg": "HS512", "kid": KEY_ID},
        {"alg": ["RS256"], "kid": KEY_ID},
        {"kid": KEY_ID},
        # A token that brings its own key, or says where it is, is checked by ours all the same.
        {"alg": "RS256", "kid": KEY_ID, "jwk": jwk("a key of somebody else")},
        {"alg": "RS256", "kid": KEY_ID, "jku": "https://example.com/keys"},
    ],
)
def test_the_token_does_not_choose_how_it_is_checked(header: dict[str, Any]) -> None:
    for secret in (b"", SECRET.encode(), public_pem()):
        with pytest.raises(InvalidToken):
            _callers().caller(_signed_with(secret, header))
    with pytest.raises(InvalidToken):
        _callers().caller(f"{segment(header)}.{segment(claims())}.")


@pytest.mark.req("SEC-1")
@pytest.mark.parametrize("form", ["pem", "number", "json"])
def test_a_public_key_is_no_secret(form: str) -> None:
    """The attack by confusion: an HMAC token signed with the published key, in each form it may have been stored in."""
    secret = {
        "pem": public_pem(),
        "number": private_key().public_key().public_numbers().n.to_bytes(256, "big"),
        "json": json.dumps(jwk()).encode(),
    }[form]
    token = _signed_with(secret, {"alg": "HS256", "typ": "JWT", "kid": KEY_ID})
    with pytest.raises(InvalidToken):
        _callers().caller(token)
    with pytest.raises(InvalidToken):
        verify(token, pool=POOL, keys=Keys())


@pytest.mark.req("SEC-1")
def test_the_two_kinds_of_caller_do_not_mix() -> None:
    callers = _callers()
    guest, _ = guest_token.issue(SECRET, ttl_seconds=60)
    assert callers.caller(guest).kind == "guest"
    with pytest.raises(InvalidToken):
        verify(guest, pool=POOL, keys=Keys())
    now = int(time.time())
    in_disguise = jwt.encode(
        {"sub": "user-1234", "iss": "mangaassist", "aud": "mangaassist-chat", "iat": now, "exp": now + 60},
        SECRET,
        algorithm="HS256",
    )
    with pytest.raises(InvalidToken, match="subject"):
        callers.caller(in_disguise)


@pytest.mark.req("SEC-1")
def test_without_a_pool_only_guests_come_in() -> None:
    guests_only = Callers(guest_secrets=lambda: [SECRET])
    assert guests_only.caller(guest_token.issue(SECRET, ttl_seconds=60)[0]).kind == "guest"
    with pytest.raises(InvalidToken, match="algorithm"):
        guests_only.caller(access_token())


@pytest.mark.parametrize("token", [None, "", "abc", "a.b.c", "..", "\x00", "é.è.à", "." * 5_000])
def test_what_is_no_token_is_refused(token: str | None) -> None:
    with pytest.raises(InvalidToken) as refused:
        _callers().caller(token)
    assert not token or token not in str(refused.value)


def test_keys_out_of_reach_are_no_bad_token() -> None:
    class Away:
        def key(self, key_id: str) -> None:
            raise DependencyError("user pool keys", "status 503")

    with pytest.raises(DependencyError):
        verify(access_token(), pool=POOL, keys=Away())
