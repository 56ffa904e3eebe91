"""The model adapter against a server on a local socket: what a scripted client cannot show, hangs and broken streams."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
from binascii import crc32
from collections.abc import Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager, suppress
from typing import Any
from urllib.parse import unquote

import boto3
import pytest
from botocore.config import Config

from mangaassist.adapters.bedrock_models import BedrockLanguageModel
from mangaassist.errors import DependencyError, DependencyThrottled, DependencyTimeout
from mangaassist.ports import ChatMessage, ModelEvent, ModelRequest, StreamEnd, TextChunk

PATIENCE = 30.0
HEADERS = b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\ntransfer-encoding: chunked\r\n\r\n"


class Peer:
    """A server with one guest."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server
        self.asked = threading.Event()
        self.left = threading.Event()
        self.body: dict[str, Any] = {}
        self.path = ""

    def serve(self, behave: Callable[[Peer], None]) -> None:
        """Take one request in and do with it what the test says."""
        self._connection, _ = self._server.accept()
        with self._connection, self._connection.makefile("rb") as request:
            length = 0
            self.path = request.readline().decode().split()[1]
            while (line := request.readline().strip().lower()) != b"":
                if line.startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            self.body = json.loads(request.read(length))
            self.asked.set()
            behave(self)

    def send(self, data: bytes) -> None:
        """Raw bytes."""
        self._connection.sendall(data)

    def event(self, kind: str, payload: dict[str, Any], *, message_type: str = "event") -> None:
        """One event of the stream as an HTTP chunk."""
        name = ":event-type" if message_type == "event" else ":exception-type"
        headers = b"".join(
            struct.pack("!B", len(key))
            + key.encode()
            + b"\x07"
            + struct.pack("!H", len(value))
            + value.encode()
            for key, value in {
                ":message-type": message_type,
                name: kind,
                ":content-type": "application/json",
            }.items()
        )
        body = json.dumps(payload).encode()
        prelude = struct.pack("!II", 16 + len(headers) + len(body), len(headers))
        message = prelude + struct.pack("!I", crc32(prelude)) + headers + body
        message += struct.pack("!I", crc32(message))
        self.send(b"%x\r\n%s\r\n" % (len(message), message))

    def wait_until_left(self) -> None:
        """Until the client closes its side."""
        with suppress(OSError):
            while self._connection.recv(65_536):
                pass
        self.left.set()


@contextmanager
def serving(
    behave: Callable[[Peer], None],
    *,
    read_timeout: float = PATIENCE,
    profiles: Mapping[str, str] | None = None,
) -> Iterator[tuple[BedrockLanguageModel, Peer]]:
    """An adapter in front of a server that behaves like this."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = boto3.client(
            "bedrock-runtime",
            endpoint_url=f"http://127.0.0.1:{server.getsockname()[1]}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=read_timeout),
        )
        peer = Peer(server)
        thread = threading.Thread(target=peer.serve, args=(behave,), daemon=True)
        thread.start()
        try:
            yield BedrockLanguageModel(client, profiles), peer
        finally:
            thread.join(PATIENCE)
            for reader in threading.enumerate():
                if reader.name == "bedrock-stream":
                    reader.join(PATIENCE)
            client.close()


def request(timeout_ms: int = int(PATIENCE * 1000), **changes: Any) -> ModelRequest:
    return ModelRequest(
        model_id="some.model",
        system="Be kind.",
        messages=(ChatMessage("user", "Horror?"),),
        max_tokens=100,
        timeout_ms=timeout_ms,
        **changes,
    )


async def everything(model: BedrockLanguageModel, asked: ModelRequest) -> list[ModelEvent]:
    async with aclosing(model.stream(asked)) as events:
        return [event async for event in events]


def answer(peer: Peer, *, whole: bool = True) -> None:
    peer.send(HEADERS)
    peer.event("messageStart", {"role": "assistant"})
    peer.event("contentBlockDelta", {"delta": {"reasoningContent": {"text": "hm"}}, "contentBlockIndex": 0})
    peer.event("contentBlockDelta", {"delta": {"text": "うずまき"}, "contentBlockIndex": 1})
    if whole:
        peer.event("messageStop", {"stopReason": "end_turn"})
        peer.event("metadata", {"usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10}})
    peer.send(b"0\r\n\r\n")


async def test_text_and_usage_come_through_and_reasoning_does_not() -> None:
    with serving(answer) as (model, peer):
        events = await everything(model, request(parameters={"effort": "low", "top_k": 3}))
    assert events == [TextChunk("うずまき"), StreamEnd("end_turn", input_tokens=7, output_tokens=3)]
    assert peer.body["system"] == [{"text": "Be kind."}]
    assert peer.body["messages"] == [{"role": "user", "content": [{"text": "Horror?"}]}]
    assert peer.body["inferenceConfig"] == {"maxTokens": 100}
    assert peer.body["outputConfig"] == {"effort": "low"}
    assert peer.body["additionalModelRequestFields"] == {"top_k": 3}


async def test_a_model_with_a_profile_of_our_own_is_called_through_it() -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3"
    with serving(answer, profiles={"some.model": arn}) as (model, peer):
        await everything(model, request())
    assert unquote(peer.path) == f"/model/{arn}/converse-stream"
    with serving(answer, profiles={"other.model": arn}) as (model, peer):
        await everything(model, request())
    assert peer.path == "/model/some.model/converse-stream"


def test_a_model_that_never_answers_is_left_while_it_still_holds_the_connection() -> None:
    end = threading.Event()

    def behave(peer: Peer) -> None:
        end.wait(PATIENCE)

    with serving(behave) as (model, peer):
        with pytest.raises(DependencyTimeout, match="first event"):
            # The loop closes too: it does not wait for the thread, which still reads.
            asyncio.run(everything(model, request(timeout_ms=500)))
        assert peer.asked.wait(PATIENCE)
        assert not end.is_set()
        assert any(thread.name == "bedrock-stream" for thread in threading.enumerate())
        end.set()


def test_headers_without_a_first_event_are_no_answer() -> None:
    def behave(peer: Peer) -> None:
        peer.send(HEADERS)
        peer.wait_until_left()

    with serving(behave) as (model, peer):
        with pytest.raises(DependencyTimeout):
            asyncio.run(everything(model, request(timeout_ms=500)))
        assert peer.left.wait(PATIENCE)


async def test_after_the_first_event_the_models_pace_is_the_callers_concern() -> None:
    go_on = threading.Event()

    def behave(peer: Peer) -> None:
        peer.send(HEADERS)
        peer.event("contentBlockDelta", {"delta": {"text": "a"}, "contentBlockIndex": 0})
        go_on.wait(PATIENCE)
        peer.event("messageStop", {"stopReason": "end_turn"})
        peer.send(b"0\r\n\r\n")

    with serving(behave) as (model, _):
        async with aclosing(model.stream(request(timeout_ms=5_000))) as events:
            assert await anext(events) == TextChunk("a")
            waiting = asyncio.ensure_future(anext(events))
            assert (await asyncio.wait([waiting], timeout=0))[1] == {waiting}
            go_on.set()
            assert await waiting == StreamEnd("end_turn")


async def test_leaving_midway_hangs_up() -> None:
    def behave(peer: Peer) -> None:
        peer.send(HEADERS)
        peer.event("contentBlockDelta", {"delta": {"text": "a"}, "contentBlockIndex": 0})
        peer.wait_until_left()

    with serving(behave) as (model, peer):
        async with aclosing(model.stream(request())) as events:
            assert await anext(events) == TextChunk("a")
        assert await asyncio.to_thread(peer.left.wait, PATIENCE)


async def test_an_answer_cut_short_is_a_failure() -> None:
    with (
        serving(lambda peer: answer(peer, whole=False)) as (model, _),
        pytest.raises(DependencyError, match="ConnectionError"),
    ):
        await everything(model, request())


@pytest.mark.parametrize(
    ("kind", "error"),
    [("throttlingException", DependencyThrottled), ("modelStreamErrorException", DependencyError)],
)
async def test_a_failure_inside_the_stream_has_its_kind(kind: str, error: type[DependencyError]) -> None:
    def behave(peer: Peer) -> None:
        peer.send(HEADERS)
        peer.event(kind, {"message": "a secret"}, message_type="exception")
        peer.send(b"0\r\n\r\n")

    with serving(behave) as (model, _), pytest.raises(error) as failed:
        await everything(model, request())
    assert type(failed.value) is error
    assert failed.value.reason == kind


async def test_a_throttle_before_the_stream_is_one() -> None:
    body = b'{"message":"slow down"}'
    head = b"HTTP/1.1 429 x\r\nx-amzn-errortype: ThrottlingException\r\ncontent-length: %d\r\n\r\n"

    with (
        serving(lambda peer: peer.send(head % len(body) + body)) as (model, _),
        pytest.raises(DependencyThrottled, match="ThrottlingException"),
    ):
        await everything(model, request())


async def test_silence_in_the_client_is_a_time_out() -> None:
    with (
        serving(Peer.wait_until_left, read_timeout=0.5) as (model, _),
        pytest.raises(DependencyTimeout, match="ReadTimeoutError"),
    ):
        await everything(model, request())
