"""``$connect`` and ``$disconnect``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambdas.connect import handler as connect
from lambdas.disconnect import handler as disconnect
from mangaassist import wiring
from mangaassist.errors import DependencyError
from mangaassist.sessions.records import Connection
from mangaassist.versions import SUBPROTOCOL
from tests.unit.handlers.conftest import Emitted


class Sessions:
    """Remembers what it was told; ``error`` makes it fail."""

    def __init__(self) -> None:
        self.opened: list[dict[str, Any]] = []
        self.closed: list[str] = []
        self.error: DependencyError | None = None

    def open_connection(self, **facts: Any) -> Connection:
        if self.error:
            raise self.error
        self.opened.append(facts)
        resumed = facts["resume_session_id"] is not None
        return Connection(
            connection_id=facts["connection_id"],
            session_id=facts["resume_session_id"] or facts["new_session_id"],
            subject=facts["subject"],
            protocol_version=facts["protocol_version"],
            session_resumed=resumed,
            expires_at=4_000_000_000,
        )

    def close_connection(self, connection_id: str) -> None:
        self.closed.append(connection_id)


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> Sessions:
    made = Sessions()
    monkeypatch.setattr(wiring, "sessions", lambda: made)
    return made


def handshake(**query: str) -> dict[str, Any]:
    return {
        "requestContext": {"connectionId": "c-1", "authorizer": {"subject": "guest-1"}},
        "queryStringParameters": query or None,
    }


def test_a_connection_is_recorded_for_the_subject_that_the_authorizer_named(
    sessions: Sessions, context: Any, emitted: Emitted
) -> None:
    reply = connect.handler(handshake(), context)
    assert reply == {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": SUBPROTOCOL}}
    (opened,) = sessions.opened
    assert (opened["connection_id"], opened["subject"], opened["resume_session_id"]) == (
        "c-1",
        "guest-1",
        None,
    )
    assert emitted()["ConnectionOpened"]["protocol_version"] == str(opened["protocol_version"])


def test_every_new_session_has_an_id_nobody_can_guess(sessions: Sessions, context: Any) -> None:
    for _ in range(3):
        connect.handler(handshake(), context)
    ids = {opened["new_session_id"] for opened in sessions.opened}
    assert len(ids) == 3
    assert all(len(one) >= 20 for one in ids)


def test_a_session_to_resume_is_asked_for_and_not_taken(sessions: Sessions, context: Any) -> None:
    connect.handler(handshake(session_id="s-old", protocol_version="1"), context)
    (opened,) = sessions.opened
    assert (opened["resume_session_id"], opened["protocol_version"]) == ("s-old", 1)
    assert opened["new_session_id"] != "s-old"


@pytest.mark.parametrize("session_id", ["", "x" * 2_100, "SESSION#1", "日本", "a b"])
def test_an_id_we_never_made_starts_a_new_session(sessions: Sessions, context: Any, session_id: str) -> None:
    assert connect.handler(handshake(session_id=session_id), context)["statusCode"] == 200
    assert sessions.opened[0]["resume_session_id"] is None


@pytest.mark.parametrize("version", ["0", "99", "two", "１"])
def test_a_version_we_do_not_speak_is_refused_with_those_we_do(
    sessions: Sessions, context: Any, emitted: Emitted, version: str
) -> None:
    reply = connect.handler(handshake(protocol_version=version), context)
    assert reply["statusCode"] == 400
    assert json.loads(reply["body"]) == {
        "message": "Unsupported protocol_version; this server speaks 1, 2, 3."
    }
    assert sessions.opened == []
    assert emitted()["ConnectionRefused"]["reason"] == "unsupported_version"


def test_a_store_that_is_down_is_told_as_such(sessions: Sessions, context: Any) -> None:
    sessions.error = DependencyError("sessions", "InternalServerError")
    reply = connect.handler(handshake(), context)
    assert reply["statusCode"] == 503
    assert "InternalServerError" not in reply["body"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [(1000, "client"), (1001, "client"), (None, "client"), (1006, "timeout"), (1011, "server")],
)
def test_a_connection_that_ended_is_forgotten(
    sessions: Sessions, context: Any, emitted: Emitted, code: int | None, reason: str
) -> None:
    event = {"requestContext": {"connectionId": "c-1", "disconnectStatusCode": code}}
    assert disconnect.handler(event, context) == {"statusCode": 200}
    assert sessions.closed == ["c-1"]
    assert emitted()["StreamDisconnectCount"]["disconnect_reason"] == reason


def test_disconnecting_twice_is_no_error(sessions: Sessions, context: Any) -> None:
    event = {"requestContext": {"connectionId": "c-1"}}
    assert [disconnect.handler(event, context)["statusCode"] for _ in range(2)] == [200, 200]
