"""A real model behind the runtime: forwarded to an OpenAI-compatible server, chunk by chunk."""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError

from tests.functional.models.conftest import (
    LEAKS_OF_THE_SDK,
    STRONG,
    Runtime,
    Start,
    ask,
    free_port,
    sdk_client,
)

pytestmark = pytest.mark.filterwarnings(LEAKS_OF_THE_SDK)

MODEL = "qwen3:4b"
PATIENCE_SECONDS = 20


class FakeServer:
    """Says what the test puts into ``script``: bytes to send, or ``None`` to break off; remembers what it was asked."""

    def __init__(self) -> None:
        self.script: queue.Queue[bytes | None] = queue.Queue()
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.refusal: tuple[int, bytes] | None = None
        self.client_left = threading.Event()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                fake.keys.append(self.headers.get("authorization"))
                fake.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                assert self.path == "/v1/chat/completions"
                if fake.refusal is not None:
                    status, body = fake.refusal
                    self.send_response(status)
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                    return
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.end_headers()
                threading.Thread(target=self._watch, daemon=True).start()
                while (part := fake.script.get(timeout=PATIENCE_SECONDS)) is not None:
                    self.wfile.write(part)
                    self.wfile.flush()
                self.close_connection = True

            def _watch(self) -> None:
                """A client sends nothing more; the end of its bytes is the end of the client."""
                try:
                    if self.connection.recv(1, socket.MSG_PEEK) == b"":
                        fake.client_left.set()
                except OSError:
                    fake.client_left.set()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def say(self, *texts: str) -> None:
        for text in texts:
            self.send({"model": MODEL, "choices": [{"delta": {"content": text}}]})

    def send(self, document: dict[str, Any]) -> None:
        self.script.put(f"data: {json.dumps(document, ensure_ascii=False)}\n\n".encode())

    def finish(self, reason: str = "stop") -> None:
        self.send({"model": MODEL, "choices": [{"delta": {}, "finish_reason": reason}]})
        self.send({"model": MODEL, "choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7}})
        self.script.put(b"data: [DONE]\n\n")
        self.script.put(None)

    def forget(self) -> None:
        self.script = queue.Queue()
        self.asked.clear()
        self.refusal = None
        self.client_left.clear()

    def close(self) -> None:
        self.script.put(None)
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def _server() -> Iterator[FakeServer]:
    fake = FakeServer()
    yield fake
    fake.close()


@pytest.fixture
def server(_server: FakeServer) -> FakeServer:
    _server.forget()
    return _server


@pytest.fixture(scope="module")
def _forwarding(start_runtime: Start, _server: FakeServer) -> Iterator[Runtime]:
    variables = {"TWIN_LLM_URL": _server.url, "TWIN_LLM_MODEL": MODEL, "TWIN_LLM_KEY": "secret-key"}
    with start_runtime(**variables) as runtime:
        yield runtime


@pytest.fixture
def forwarding(_forwarding: Runtime) -> Runtime:
    _forwarding.reset()
    return _forwarding


@pytest.fixture
def model(forwarding: Runtime) -> Iterator[Any]:
    with sdk_client(forwarding, "bedrock-runtime") as client:
        yield client


def converse(model: Any, **arguments: Any) -> Any:
    return model.converse_stream(modelId=STRONG, messages=ask("Hello"), **arguments)["stream"]


def test_chunks_pass_as_they_come_and_the_real_model_is_named(server: FakeServer, model: Any) -> None:
    server.say("う")
    stream = iter(converse(model, system=[{"text": "Be kind."}], inferenceConfig={"maxTokens": 99}))
    assert "messageStart" in next(stream)
    # The server has not said the second word yet when the first is read.
    assert next(stream)["contentBlockDelta"]["delta"]["text"] == "う"
    server.say("ずまき [1]")
    assert next(stream)["contentBlockDelta"]["delta"]["text"] == "ずまき [1]"
    server.finish()
    rest = list(stream)

    assert rest[-2]["messageStop"]["stopReason"] == "end_turn"
    assert rest[-1]["metadata"]["usage"] == {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18}
    assert rest[-1]["metadata"]["trace"]["promptRouter"]["invokedModelId"] == MODEL
    (asked,) = server.asked
    assert asked["model"] == MODEL
    assert asked["stream"] is True
    assert asked["max_tokens"] == 99
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]
    assert server.keys[-1] == "Bearer secret-key"


def test_a_whole_answer_is_gathered(server: FakeServer, model: Any) -> None:
    server.say("Hel", "lo")
    server.finish("length")
    answer = model.converse(modelId=STRONG, messages=ask("Hello"))
    assert answer["output"]["message"]["content"] == [{"text": "Hello"}]
    assert answer["stopReason"] == "max_tokens"


def test_thinking_is_a_block_of_its_own(server: FakeServer, model: Any) -> None:
    server.send({"choices": [{"delta": {"reasoning_content": "Hmm."}}]})
    server.say("Hello")
    server.finish()
    events = list(converse(model))
    deltas = [event["contentBlockDelta"] for event in events if "contentBlockDelta" in event]
    assert deltas == [
        {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "Hmm."}}},
        {"contentBlockIndex": 1, "delta": {"text": "Hello"}},
    ]
    assert [e["contentBlockStop"]["contentBlockIndex"] for e in events if "contentBlockStop" in e] == [0, 1]


@pytest.mark.req("STR-4")
def test_the_server_is_left_when_the_client_leaves(
    server: FakeServer, forwarding: Runtime, model: Any
) -> None:
    server.say("one")
    stream = converse(model)
    events = iter(stream)
    next(events)
    next(events)
    stream.close()
    assert server.client_left.wait(PATIENCE_SECONDS)
    (ended,) = forwarding.streams()
    assert (ended["state"], ended["chunks_sent"]) == ("client_gone", 1)
    server.script.put(None)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "ValidationException"),
        (401, "AccessDeniedException"),
        (404, "ResourceNotFoundException"),
        (429, "ThrottlingException"),
        (503, "ServiceUnavailableException"),
        (500, "ModelErrorException"),
    ],
)
def test_refusals_become_bedrocks(server: FakeServer, model: Any, status: int, code: str) -> None:
    server.refusal = (status, json.dumps({"error": {"message": "no such model"}}).encode())
    with pytest.raises(ClientError) as refused:
        converse(model)
    assert refused.value.response["Error"]["Code"] == code
    assert f"answered {status}: no such model" in refused.value.response["Error"]["Message"]


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b"data: {broken\n\n"],
        [b'data: {"error": {"message": "out of memory"}}\n\n'],
    ],
)
def test_a_stream_that_breaks_is_a_model_stream_error(
    server: FakeServer, forwarding: Runtime, model: Any, parts: list[bytes]
) -> None:
    server.say("one")
    for part in parts:
        server.script.put(part)
    server.script.put(None)
    with pytest.raises(EventStreamError, match="modelStreamErrorException"):
        list(converse(model))
    assert forwarding.streams()[0]["state"] == "failed"


def test_no_server_is_a_service_that_is_unavailable(start_runtime: Start) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    with (
        start_runtime(TWIN_LLM_URL=url, TWIN_LLM_MODEL=MODEL) as runtime,
        sdk_client(runtime, "bedrock-runtime") as client,
        pytest.raises(ClientError, match="start it, or unset TWIN_LLM_URL") as refused,
    ):
        converse(client)
    assert refused.value.response["Error"]["Code"] == "ServiceUnavailableException"
