"""Page tokens: they come back as they went, belong to one list, and garbage is told apart."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.partners import paging
from services.partners.paging import BadPageToken, Position, decode, encode

POSITION = Position(datetime(2026, 11, 2, 9, 30, tzinfo=UTC), "order-0001-01")


@given(
    some.datetimes(timezones=some.just(UTC)),
    some.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
    some.lists(some.text(), max_size=3),
)
def test_a_token_comes_back_as_it_went(at: datetime, key: str, of_list: list[str]) -> None:
    assert decode(of_list, encode(of_list, Position(at, key))) == Position(at, key)


def test_no_token_is_the_first_page() -> None:
    assert decode(("orders", "customer-0001"), "") is None


def test_a_token_of_another_list_is_refused() -> None:
    token = encode(("orders", "customer-0001"), POSITION)
    with pytest.raises(BadPageToken):
        decode(("orders", "customer-0002"), token)


@given(some.text(min_size=1))
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(BadPageToken):
        decode(("orders",), text)


@given(some.data())
def test_a_changed_token_is_refused(data: some.DataObject) -> None:
    token = encode(("orders",), POSITION)
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    place = data.draw(some.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(some.integers(1, 255))
    with pytest.raises(BadPageToken):
        decode(("orders",), base64.urlsafe_b64encode(bytes(raw)).decode())


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{}",
        "null",
        '["yesterday", "a"]',
        '[1, "a"]',
        '["0001-01-01T00:00:00+14:00", "a"]',
        "{",
        # What a database would choke on.
        *(f'["2026-11-02T09:30:00+00:00", {key}]' for key in ('"\\ud800"', '"\\u0000"', '""', "7", "null")),
    ],
)
def test_a_forged_token_with_a_right_digest_is_refused_too(content: str) -> None:
    forged = paging._digest(("orders",), content.encode()) + content.encode()
    with pytest.raises(BadPageToken):
        decode(("orders",), base64.urlsafe_b64encode(forged).decode())


def test_a_token_says_nothing_readable_of_its_list() -> None:
    token = encode(("orders", "customer-0001"), POSITION)
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert b"customer-0001" not in raw
    assert json.loads(raw[paging._DIGEST_BYTES :]) == [POSITION.at.isoformat(), POSITION.key]
