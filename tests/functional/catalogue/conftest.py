"""Where an ingest run happens: moto's S3 and DynamoDB, the twin's search service, and a model that embeds by hash."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import uvicorn
from hypothesis import HealthCheck, settings
from moto import mock_aws
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from mangaassist.adapters import clients
from mangaassist.catalogue import wiring
from tools.twin.search.app import create_app
from tools.twin.search.settings import SearchSettings

BUCKET, TABLE = "feed-bucket", "catalogue"

# A busy machine is no counterexample: examples are judged by their outcome, never by the clock.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@dataclass(frozen=True, slots=True)
class Stores:
    """Bucket and table of one test."""

    s3: Any
    dynamodb: Any

    def upload(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def item(self, pk: str, sk: str) -> dict[str, Any] | None:
        found = self.dynamodb.get_item(TableName=TABLE, Key={"pk": {"S": pk}, "sk": {"S": sk}})
        return found.get("Item")


@dataclass(frozen=True, slots=True)
class Services:
    """The services of our own beside them, and the texts that were embedded."""

    search_endpoint: str
    embedded: list[str]


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        s3, dynamodb = boto3.client("s3"), boto3.client("dynamodb")
        s3.create_bucket(Bucket=BUCKET)
        dynamodb.create_table(
            TableName=TABLE,
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
        yield Stores(s3, dynamodb)


@pytest.fixture
def serve() -> Iterator[Callable[[Any], str]]:
    """Serves applications on free ports until the test is over."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: Any) -> str:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        # Listening before the server runs: a request that comes too early waits in the backlog instead of failing.
        listener.listen()
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join()


@pytest.fixture
def services(
    serve: Callable[[Any], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    search_settings: SearchSettings,
) -> Iterator[Services]:
    """Search and model, and the environment of a function that uses them."""
    embedded: list[str] = []
    search_endpoint = serve(create_app(tmp_path / "search", search_settings))
    model_endpoint = serve(embedding_model(embedded))
    for name, value in {
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": model_endpoint,
        # Nothing there: the run starts with the built-in policy.
        "AWS_ENDPOINT_URL_APPCONFIGDATA": model_endpoint,
        "POWERTOOLS_METRICS_NAMESPACE": "MangaAssist",
        "POWERTOOLS_SERVICE_NAME": "ingest",
        "CATALOGUE_TABLE": TABLE,
        "SEARCH_ENDPOINT": search_endpoint,
        "POLICY_APPLICATION": "a",
        "POLICY_ENVIRONMENT": "e",
        "POLICY_PROFILE": "p",
    }.items():
        monkeypatch.setenv(name, value)
    forget_clients()
    yield Services(search_endpoint, embedded)
    forget_clients()


@pytest.fixture
def search_settings() -> SearchSettings:
    """How the search service behaves; a test module may say otherwise."""
    return SearchSettings(visibility_delay_seconds=0.1)


def embedding_model(embedded: list[str]) -> Starlette:
    """Titan's wire protocol; a text's vector follows from its hash."""

    async def invoke(request: Request) -> JSONResponse:
        asked = json.loads(await request.body())
        embedded.append(asked["inputText"])
        digest = hashlib.sha256(asked["inputText"].encode()).digest()
        vector = [(digest[place % 32] - 127.5) / 128 for place in range(asked["dimensions"])]
        return JSONResponse({"embedding": vector, "inputTextTokenCount": 1})

    return Starlette(routes=[Route("/model/{model}/invoke", invoke, methods=["POST"])])


def forget_clients() -> None:
    clients.client.cache_clear()
    wiring.policies.cache_clear()
    wiring.search.cache_clear()
