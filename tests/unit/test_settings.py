"""A function's environment is read once, and a hole in it is named."""

from __future__ import annotations

import pytest

from mangaassist.settings import GuestTokenSettings, MissingSetting, SessionSettings


def test_settings_are_read_with_their_defaults() -> None:
    settings = SessionSettings.load({"SESSIONS_TABLE": "t", "ENVIRONMENT": "prod", "OTHER": "x"})
    assert settings == SessionSettings(sessions_table="t", environment="prod", session_ttl_seconds=86_400)


def test_what_is_missing_or_wrong_is_named() -> None:
    with pytest.raises(MissingSetting, match="SESSIONS_TABLE is not set"):
        SessionSettings.load({})
    with pytest.raises(MissingSetting, match="GUEST_TOKEN_TTL_SECONDS is not a whole number"):
        GuestTokenSettings.load({"GUEST_TOKEN_SECRET": "arn", "GUEST_TOKEN_TTL_SECONDS": "soon"})
