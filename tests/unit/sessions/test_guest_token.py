"""A guest token proves one guest, for a while."""

from __future__ import annotations

import jwt
import pytest

from mangaassist.errors import InvalidToken
from mangaassist.sessions import guest_token

SECRET = "a test secret that is long enough to sign with"


@pytest.mark.req("SEC-1")
def test_a_token_names_its_guest() -> None:
    token, guest = guest_token.issue(SECRET, ttl_seconds=60)
    assert guest_token.verify(token, [SECRET]) == guest
    assert guest_token.issue(SECRET, ttl_seconds=60)[1].subject != guest.subject


@pytest.mark.req("SEC-1")
def test_what_is_not_ours_is_refused() -> None:
    expired, _ = guest_token.issue(SECRET, ttl_seconds=60, now=1_000_000)
    forged, _ = guest_token.issue("another secret that is long enough too", ttl_seconds=60)
    unsigned = jwt.encode({"sub": "x", "exp": 9_999_999_999, "iat": 0}, "", algorithm="none")
    elsewhere = jwt.encode(
        {"sub": "x", "exp": 9_999_999_999, "iat": 0, "aud": "elsewhere", "iss": "mangaassist"},
        SECRET,
        algorithm="HS256",
    )
    eternal = jwt.encode(
        {"sub": "x", "iat": 0, "aud": "mangaassist-chat", "iss": "mangaassist"}, SECRET, algorithm="HS256"
    )
    for token in (None, "", "abc", expired, forged, unsigned, elsewhere, eternal):
        with pytest.raises(InvalidToken) as refused:
            guest_token.verify(token, [SECRET])
        assert not token or token not in str(refused.value)
    with pytest.raises(InvalidToken, match="expired"):
        guest_token.verify(expired, [SECRET])


@pytest.mark.req("SEC-6")
def test_every_accepted_secret_counts_and_none_else() -> None:
    previous = "the secret before that, long enough to sign with"
    token, guest = guest_token.issue(previous, ttl_seconds=60)
    assert guest_token.verify(token, [SECRET, previous]) == guest
    for accepted in ([], [SECRET]):
        with pytest.raises(InvalidToken, match="forged"):
            guest_token.verify(token, accepted)


def test_an_expired_token_is_not_tried_with_every_secret() -> None:
    expired, _ = guest_token.issue(SECRET, ttl_seconds=60, now=1_000_000)
    remaining = iter([SECRET, "never read"])
    with pytest.raises(InvalidToken, match="expired"):
        guest_token.verify(expired, remaining)
    assert next(remaining) == "never read"
