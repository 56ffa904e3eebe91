"""The functions at the door, from a handshake's headers to the session behind it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from lambdas.authorizer.handler import handler as authorize
from lambdas.connect.handler import handler as connect
from lambdas.disconnect.handler import handler as disconnect
from lambdas.guest_token.handler import handler as issue
from mangaassist.sessions import guest_token
from tests.functional.identity.conftest import GUEST_SECRET, ORIGIN_SECRET, KeyServer, forget
from tests.unit.identity.keys import KEY_ID, access_token

CONTEXT = SimpleNamespace(aws_request_id="request", function_name="door")
METHOD = "arn:aws:execute-api:us-east-1:123456789012:api/live/$connect"


def _handshake(token: str | None, **headers: str) -> dict[str, Any]:
    offered = {} if token is None else {"Sec-WebSocket-Protocol": f"mangaassist, {token}"}
    event = {
        "type": "REQUEST",
        "methodArn": METHOD,
        "headers": {**offered, **headers},
        "requestContext": {"requestId": "handshake", "connectionId": "c1"},
    }
    return authorize(event, CONTEXT)


def _effect(decision: dict[str, Any]) -> str:
    (statement,) = decision["policyDocument"]["Statement"]
    assert statement["Action"] == "execute-api:Invoke"
    assert statement["Resource"] == METHOD
    return statement["Effect"]


def _guest(secret: str = GUEST_SECRET) -> str:
    return guest_token.issue(secret, ttl_seconds=60)[0]


def _rotate(secrets: Any, arn: str, value: str) -> None:
    secrets.put_secret_value(SecretId=arn, SecretString=value)


def _failed_dependency(caplog: pytest.LogCaptureFixture) -> tuple[str, str]:
    """What the one error in the log says, which carries no stack trace."""
    (line,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert line.exc_info is None
    return line.__dict__["dependency"], line.__dict__["reason"]


# --- who comes in ---------------------------------------------------------------------------------


@pytest.mark.req("SEC-1")
def test_a_guest_and_a_signed_in_shopper_come_in(guest_secret: str, user_pool: KeyServer) -> None:
    guest = _handshake(_guest())
    shopper = _handshake(access_token(sub="1234"))
    assert _effect(guest) == _effect(shopper) == "Allow"
    assert guest["context"]["subject"].startswith("guest-")
    assert guest["context"]["kind"] == "guest"
    assert shopper["context"] == {"subject": "user-1234", "kind": "user"}
    assert user_pool.paths == ["/ap-northeast-1_Ab12Cd34e/.well-known/jwks.json"]


@pytest.mark.req("SEC-1")
@pytest.mark.parametrize(
    "token",
    [
        None,
        "not-a-token",
        _guest("a secret of somebody else, long enough"),
        access_token(exp=1_000_000),
        access_token(token_use="id"),
        access_token(client_id="another application"),
        access_token(iss="https://example.com"),
        access_token(headers={}),
        access_token(key="a key of somebody else", headers={"kid": KEY_ID}),
        access_token(key="a key that nobody publishes"),
    ],
)
def test_nobody_else_does(token: str | None, guest_secret: str, user_pool: KeyServer) -> None:
    decision = _handshake(token)
    assert _effect(decision) == "Deny"
    assert decision["context"] == {}


@pytest.mark.req("SEC-1")
def test_keys_out_of_reach_keep_shoppers_out_and_guests_in(
    guest_secret: str,
    user_pool: KeyServer,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    user_pool.status = 503
    assert _effect(_handshake(access_token())) == "Deny"
    assert _effect(_handshake(_guest())) == "Allow"
    assert _failed_dependency(caplog) == ("user pool keys", "status 503")
    assert "CallerUnchecked" in capsys.readouterr().out


@pytest.mark.req("SEC-1")
def test_a_secret_out_of_reach_lets_nobody_in(
    secrets: Any, guest_secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    secrets.delete_secret(SecretId=guest_secret, ForceDeleteWithoutRecovery=True)
    assert _effect(_handshake(_guest())) == "Deny"
    assert _failed_dependency(caplog) == ("secrets", "ResourceNotFoundException")


# --- where they come from -------------------------------------------------------------------------


@pytest.mark.req("SEC-5")
def test_only_what_came_through_the_edge_is_looked_at(guest_secret: str, origin_secret: str) -> None:
    assert _effect(_handshake(_guest(), **{"X-Origin-Secret": ORIGIN_SECRET})) == "Allow"
    assert _effect(_handshake(_guest())) == "Deny"
    assert _effect(_handshake(_guest(), **{"X-Origin-Secret": "guess"})) == "Deny"


@pytest.mark.req("SEC-5")
def test_guest_tokens_are_handed_out_behind_the_edge_alone(
    guest_secret: str, origin_secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = [issue({"headers": headers}, CONTEXT) for headers in ({}, {"x-origin-secret": "guess"})]
    for answer in refused:
        assert answer["statusCode"] == 403
        assert json.loads(answer["body"]) == {"message": "Forbidden"}
    assert "OriginRefused" in capsys.readouterr().out
    given = issue({"headers": {"x-origin-secret": ORIGIN_SECRET}}, CONTEXT)
    assert given["statusCode"] == 201
    assert given["headers"]["cache-control"] == "no-store"
    token = json.loads(given["body"])["token"]
    assert _effect(_handshake(token, **{"X-Origin-Secret": ORIGIN_SECRET})) == "Allow"


def test_without_an_edge_anybody_gets_a_guest_token(guest_secret: str) -> None:
    body = json.loads(issue({}, CONTEXT)["body"])
    assert guest_token.verify(body["token"], [GUEST_SECRET]).subject == body["subject"]
    assert body["expires_in_seconds"] == 3_600


def test_no_token_without_its_secret(secrets: Any, guest_secret: str) -> None:
    secrets.delete_secret(SecretId=guest_secret, ForceDeleteWithoutRecovery=True)
    answer = issue({}, CONTEXT)
    assert answer["statusCode"] == 503
    assert "Resource" not in answer["body"]


# --- when a secret changes ------------------------------------------------------------------------


@pytest.mark.req("SEC-6")
@pytest.mark.parametrize("warm", [False, True])
def test_rotating_the_guest_secret_signs_nobody_out(secrets: Any, guest_secret: str, warm: bool) -> None:
    before = _guest()
    if warm:
        assert _effect(_handshake(before)) == "Allow"
    _rotate(secrets, guest_secret, "the next guest secret, long enough to sign with")
    assert _effect(_handshake(before)) == "Allow"


@pytest.mark.req("SEC-6")
def test_the_secret_before_the_previous_one_counts_no_more(secrets: Any, guest_secret: str) -> None:
    before = _guest()
    for value in ("the second guest secret, long enough", "the third guest secret, long enough"):
        _rotate(secrets, guest_secret, value)
    assert _effect(_handshake(before)) == "Deny"
    assert _effect(_handshake(_guest("the third guest secret, long enough"))) == "Allow"


@pytest.mark.req("SEC-6")
def test_the_edge_may_send_the_previous_and_the_pending_secret(
    secrets: Any, guest_secret: str, origin_secret: str
) -> None:
    secrets.put_secret_value(
        SecretId=origin_secret,
        SecretString="pending",
        ClientRequestToken="11111111-1111-4111-8111-111111111111",
        VersionStages=["AWSPENDING"],
    )
    assert _effect(_handshake(_guest(), **{"X-Origin-Secret": "pending"})) == "Allow"
    _rotate(secrets, origin_secret, "next")
    forget()
    assert _effect(_handshake(_guest(), **{"X-Origin-Secret": ORIGIN_SECRET})) == "Allow"


# --- whose session it is --------------------------------------------------------------------------


def _connect(connection: str, decision: dict[str, Any], session: str | None = None) -> dict[str, Any]:
    query = {"protocol_version": "2"} | ({"session_id": session} if session else {})
    event = {
        "requestContext": {
            "connectionId": connection,
            "authorizer": {"principalId": decision["principalId"], **decision["context"]},
        },
        "queryStringParameters": query,
    }
    return connect(event, CONTEXT)


def _record(table: Any, connection: str) -> dict[str, Any]:
    return table.get_item(Key={"pk": f"CONNECTION#{connection}", "sk": "CONNECTION"})["Item"]


@pytest.mark.req("SEC-1")
def test_a_session_opens_for_the_subject_that_the_authorizer_named(
    guest_secret: str, user_pool: KeyServer, sessions_table: Any
) -> None:
    shopper, guest = _handshake(access_token(sub="1234")), _handshake(_guest())
    assert _connect("c1", shopper)["statusCode"] == 200
    mine = _record(sessions_table, "c1")
    assert mine["subject"] == "user-1234"
    _connect("c2", _handshake(access_token(sub="1234")), mine["session_id"])
    assert _record(sessions_table, "c2")["session_id"] == mine["session_id"]
    for connection, stranger in (("c3", guest), ("c4", _handshake(access_token(sub="5678")))):
        assert _connect(connection, stranger, mine["session_id"])["statusCode"] == 200
        other = _record(sessions_table, connection)
        assert other["session_id"] != mine["session_id"]
        assert not other["session_resumed"]


def test_connect_names_the_protocol_it_took(guest_secret: str, sessions_table: Any) -> None:
    answer = _connect("c1", _handshake(_guest()))
    assert answer["headers"] == {"Sec-WebSocket-Protocol": "mangaassist"}


def test_connect_refuses_a_version_it_does_not_speak(guest_secret: str, sessions_table: Any) -> None:
    event = {
        "requestContext": {"connectionId": "c1", "authorizer": {"subject": "guest-1"}},
        "queryStringParameters": {"protocol_version": "9"},
    }
    answer = connect(event, CONTEXT)
    assert answer["statusCode"] == 400
    assert "1, 2" in json.loads(answer["body"])["message"]
    assert "Item" not in sessions_table.get_item(Key={"pk": "CONNECTION#c1", "sk": "CONNECTION"})


def test_connect_without_its_store_says_so_and_no_more(
    guest_secret: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SESSIONS_TABLE", "no-such-table")
    answer = _connect("c1", _handshake(_guest()))
    assert answer["statusCode"] == 503
    assert "no-such-table" not in answer["body"]
    (line,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert line.exc_info is None


def test_disconnect_forgets_the_connection_and_keeps_the_session(
    guest_secret: str, sessions_table: Any
) -> None:
    _connect("c1", _handshake(_guest()))
    session = _record(sessions_table, "c1")["session_id"]
    event = {"requestContext": {"connectionId": "c1", "disconnectStatusCode": 1001}}
    assert disconnect(event, CONTEXT) == {"statusCode": 200}
    assert "Item" not in sessions_table.get_item(Key={"pk": "CONNECTION#c1", "sk": "CONNECTION"})
    assert "Item" in sessions_table.get_item(Key={"pk": f"SESSION#{session}", "sk": "SESSION"})
