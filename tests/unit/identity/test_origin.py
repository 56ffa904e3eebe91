"""Only what came through the edge passes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mangaassist.errors import WrongOrigin
from mangaassist.identity import origin


@pytest.mark.req("SEC-5")
@pytest.mark.parametrize("name", ["x-origin-secret", "X-Origin-Secret"])
@pytest.mark.parametrize("value", ["new", "old"])
def test_any_accepted_secret_opens(name: str, value: str) -> None:
    origin.check({"host": "chat", name: value}, ["new", "old"])


@pytest.mark.req("SEC-5")
@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        (None, "absent"),
        ({}, "absent"),
        ({"x-origin-secret": ""}, "absent"),
        ({"x-origin-secret": "guess"}, "unknown"),
        ({"x-origin-secret": "new,old"}, "unknown"),
        ({"x-origin-secret": "日本"}, "unknown"),
    ],
)
def test_nothing_else_does(headers: dict[str, str] | None, reason: str) -> None:
    with pytest.raises(WrongOrigin) as refused:
        origin.check(headers, ["new", "old"])
    assert refused.value.reason == reason
    assert "guess" not in str(refused.value)


def test_secrets_are_not_read_for_a_request_without_any() -> None:
    def unread() -> Iterator[str]:
        raise AssertionError("read")
        yield ""

    with pytest.raises(WrongOrigin):
        origin.check({}, unread())
