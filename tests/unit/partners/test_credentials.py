"""Credentials: what the service refuses to start with, and who may do what."""

from __future__ import annotations

import pytest

from services.partners.security import BadCredentials, Credentials

READER, ADMINISTRATOR = "reader-0123456789", "admin-0123456789"


@pytest.mark.parametrize(
    ("reader", "administrator", "told"),
    [
        ("", ADMINISTRATOR, "PARTNERS_CREDENTIAL is not set"),
        (READER, "", "PARTNERS_ADMIN_CREDENTIAL is not set"),
        ("short", ADMINISTRATOR, "at least 16"),
        (READER, "with space 0123456789", "PARTNERS_ADMIN_CREDENTIAL must be"),
        ("日本語日本語日本語日本語日本語", ADMINISTRATOR, "PARTNERS_CREDENTIAL must be"),
        (READER, READER, "whoever may read could write"),
    ],
)
def test_it_does_not_start_with(reader: str, administrator: str, told: str) -> None:
    with pytest.raises(BadCredentials, match=told) as refused:
        Credentials(reader, administrator)
    assert not reader or reader not in str(refused.value)


def test_who_it_is() -> None:
    credentials = Credentials(READER, ADMINISTRATOR)
    assert credentials.caller(READER) == "reader"
    assert credentials.caller(ADMINISTRATOR) == "administrator"
    for wrong in ("", READER[:-1], READER + "0", "日本"):
        assert credentials.caller(wrong) is None


def test_a_printed_one_shows_no_secret() -> None:
    assert READER not in repr(Credentials(READER, ADMINISTRATOR))
