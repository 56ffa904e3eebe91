"""The pool's keys are kept for a while, read again in time, and never asked for in a hurry."""

from __future__ import annotations

import json

import pytest

from mangaassist.adapters.user_pool_keys import (
    FRESH_SECONDS,
    RETRY_SECONDS,
    STALE_SECONDS,
    UserPoolKeys,
    address,
)
from mangaassist.errors import DependencyError
from tests.unit.identity.keys import ISSUER, KEY_ID, POOL, jwk

NEXT = "the pool's next key"


class Pool:
    """What the address answers, and how often it was asked."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.now = 0.0
        self.asked = 0
        self.away = False
        self.document: bytes | None = None
        self.keys = UserPoolKeys("https://keys", fetch=self.fetch, clock=lambda: self.now)

    def fetch(self, url: str) -> bytes:
        assert url == "https://keys"
        self.asked += 1
        if self.away:
            raise DependencyError("user pool keys", "status 503")
        return self.document or json.dumps({"keys": [jwk(name) for name in self.names]}).encode()


def test_keys_are_read_once_an_hour() -> None:
    pool = Pool(KEY_ID)
    assert pool.keys.key(KEY_ID) == pool.keys.key(KEY_ID)
    assert pool.asked == 1
    pool.now += FRESH_SECONDS + 1
    pool.keys.key(KEY_ID)
    assert pool.asked == 2


def test_a_new_key_is_found_before_the_hour_is_over() -> None:
    pool = Pool(KEY_ID)
    pool.keys.key(KEY_ID)
    pool.names = (KEY_ID, NEXT)
    assert pool.keys.key(NEXT) is None
    assert pool.asked == 1, "not within the pause"
    pool.now += RETRY_SECONDS + 1
    assert pool.keys.key(NEXT) is not None


def test_made_up_key_ids_do_not_flood_the_pool() -> None:
    pool = Pool(KEY_ID)
    for number in range(100):
        assert pool.keys.key(f"made up {number}") is None
    assert pool.asked == 1


def test_a_withdrawn_key_stops_counting() -> None:
    pool = Pool(KEY_ID, NEXT)
    assert pool.keys.key(KEY_ID)
    pool.names = (NEXT,)
    pool.now += FRESH_SECONDS + 1
    assert pool.keys.key(KEY_ID) is None


def test_known_keys_outlive_an_outage_for_a_day() -> None:
    pool = Pool(KEY_ID)
    pool.keys.key(KEY_ID)
    pool.away = True
    pool.now += FRESH_SECONDS + 1
    assert pool.keys.key(KEY_ID) is not None
    assert pool.keys.key(KEY_ID) is not None
    assert pool.asked == 2, "an outage is not asked about with every handshake"
    pool.now = STALE_SECONDS + 1
    for _ in range(2):
        with pytest.raises(DependencyError):
            pool.keys.key(KEY_ID)


def test_an_unknown_key_during_an_outage_is_an_outage() -> None:
    pool = Pool(KEY_ID)
    pool.away = True
    for _ in range(2):
        with pytest.raises(DependencyError):
            pool.keys.key(KEY_ID)
    pool.away = False
    pool.now += RETRY_SECONDS + 1
    assert pool.keys.key(KEY_ID)


@pytest.mark.parametrize(
    "document",
    [
        b"<html>",
        b"[]",
        b"{}",
        b'{"keys": []}',
        b'{"keys": {}}',
        b'{"keys": [{"kty": "EC", "kid": "1"}]}',
        b'{"keys": [7]}',
    ],
)
def test_what_is_no_key_set_counts_as_an_outage(document: bytes) -> None:
    pool = Pool()
    pool.document = document
    with pytest.raises(DependencyError):
        pool.keys.key(KEY_ID)


def test_a_key_of_another_kind_does_not_hide_the_others() -> None:
    pool = Pool()
    pool.document = json.dumps({"keys": [{"kty": "EC", "kid": "1"}, jwk()]}).encode()
    assert pool.keys.key(KEY_ID)


def test_the_address_follows_the_endpoint_of_the_sdk() -> None:
    assert address(POOL, {}) == f"{ISSUER}/.well-known/jwks.json"
    local = f"http://127.0.0.1:4566/{POOL.pool_id}/.well-known/jwks.json"
    assert address(POOL, {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566/"}) == local
    elsewhere = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": "http://127.0.0.1:4566",
    }
    assert address(POOL, elsewhere) == local
