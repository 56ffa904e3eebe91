"""Secrets, a sessions table and the published keys of a user pool, for the functions at the door."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from moto import mock_aws

from mangaassist import wiring as chat_wiring
from mangaassist.adapters import clients
from mangaassist.identity import wiring
from tests.unit.identity.keys import POOL, jwk

GUEST_SECRET = "the guest secret, long enough to sign with"
ORIGIN_SECRET = "the origin secret"


def forget() -> None:
    """As in a new execution environment."""
    for built in (
        wiring.callers,
        wiring.stored_secret,
        wiring.edge_origins,
        wiring._guest_secret,
        wiring._origin_secrets,
        chat_wiring.sessions,
        clients.client,
    ):
        built.cache_clear()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Moto, reached as functions reach AWS."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "POWERTOOLS_SERVICE_NAME": "door",
        "POWERTOOLS_METRICS_NAMESPACE": "MangaAssist",
        "ENVIRONMENT": "test",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ENDPOINT_URL", "ORIGIN_SECRET", "USER_POOL", "USER_POOL_CLIENT"):
        monkeypatch.delenv(name, raising=False)
    forget()
    with mock_aws():
        yield boto3.Session(region_name="us-east-1")
    forget()


@pytest.fixture
def secrets(aws: Any) -> Any:
    """A client of Secrets Manager."""
    return aws.client("secretsmanager")


@pytest.fixture
def guest_secret(secrets: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """ARN of the secret that guest tokens are signed with."""
    arn = secrets.create_secret(Name="guest", SecretString=GUEST_SECRET)["ARN"]
    monkeypatch.setenv("GUEST_TOKEN_SECRET", arn)
    return arn


@pytest.fixture
def origin_secret(secrets: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """ARN of the secret that the edge proves itself with."""
    arn = secrets.create_secret(Name="origin", SecretString=ORIGIN_SECRET)["ARN"]
    monkeypatch.setenv("ORIGIN_SECRET", arn)
    return arn


class KeyServer:
    """A user pool's published keys over HTTP."""

    def __init__(self) -> None:
        self.status = 200
        self.paths: list[str] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.paths.append(self.path)
                body = json.dumps({"keys": [jwk()]}).encode() if owner.status == 200 else b"Traceback"
                self.send_response(owner.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def user_pool(aws: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyServer]:
    """A pool whose shoppers may come in."""
    keys = KeyServer()
    thread = threading.Thread(target=keys.server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("USER_POOL", POOL.pool_id)
    monkeypatch.setenv("USER_POOL_CLIENT", POOL.client_id)
    monkeypatch.setenv("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", keys.url)
    yield keys
    keys.server.shutdown()
    keys.server.server_close()
    thread.join()


@pytest.fixture
def sessions_table(aws: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The sessions table."""
    aws.client("dynamodb").create_table(
        TableName="sessions",
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    monkeypatch.setenv("SESSIONS_TABLE", "sessions")
    return aws.resource("dynamodb").Table("sessions")
