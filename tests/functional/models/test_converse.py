"""Converse and ConverseStream as an unmodified SDK sees them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError

from tests.functional.models.conftest import ECONOMY, LEAKS_OF_THE_SDK, STRONG, TITAN, Runtime, ask
from tools.twin.models import tokens
from tools.twin.models.composer import NAME

pytestmark = pytest.mark.filterwarnings(LEAKS_OF_THE_SDK)

QUESTION = "Recommend horror manga like Junji Ito"
QUESTION_JA = "伊藤潤二みたいなホラー漫画のおすすめは？"


def deltas(stream: Any) -> Iterator[str]:
    for event in stream:
        if "contentBlockDelta" in event:
            yield event["contentBlockDelta"]["delta"]["text"]


def test_a_stream_has_bedrocks_events_in_bedrocks_order(bedrock: Any) -> None:
    events = list(bedrock.converse_stream(modelId=STRONG, messages=ask(QUESTION))["stream"])

    kinds = [next(iter(event)) for event in events]
    inner = kinds[1:-3]
    assert kinds[0] == "messageStart"
    assert inner == ["contentBlockDelta"] * len(inner)
    assert kinds[-3:] == ["contentBlockStop", "messageStop", "metadata"]
    text = "".join(
        event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event
    )
    metadata = events[-1]["metadata"]
    assert "Uzumaki" in text
    assert "[1]" in text
    assert events[-2]["messageStop"]["stopReason"] == "end_turn"
    assert metadata["usage"]["outputTokens"] == tokens.count(text)
    assert (
        metadata["usage"]["totalTokens"]
        == metadata["usage"]["inputTokens"] + metadata["usage"]["outputTokens"]
    )
    assert metadata["metrics"]["latencyMs"] >= 0
    assert metadata["trace"]["promptRouter"]["invokedModelId"] == NAME


@pytest.mark.req("STR-2")
def test_each_chunk_arrives_before_the_next_is_made(runtime: Runtime, bedrock: Any) -> None:
    # Given a model that may say one chunk at a time
    runtime.gate()
    runtime.release(1)
    chunks = deltas(bedrock.converse_stream(modelId=STRONG, messages=ask(QUESTION))["stream"])

    # When the first is read, then the second exists nowhere yet
    first = next(chunks)
    (running,) = runtime.control.get("/_twin/streams").json()["streams"]
    assert (running["state"], running["chunks_sent"]) == ("running", 1)

    # And each release brings exactly the next
    runtime.release(1)
    second = next(chunks)
    (running,) = runtime.control.get("/_twin/streams").json()["streams"]
    assert (running["state"], running["chunks_sent"]) == ("running", 2)
    runtime.release(500)
    assert f"{first}{second}{''.join(chunks)}".startswith(f"{first}{second}")
    assert runtime.streams()[0]["state"] == "completed"


@pytest.mark.req("STR-2")
@pytest.mark.parametrize(("question", "language"), [(QUESTION, "en"), (QUESTION_JA, "ja")])
def test_chunks_are_one_to_five_tokens_and_join_to_the_whole_answer(
    bedrock: Any, question: str, language: str
) -> None:
    messages = ask(question, language)
    chunks = list(deltas(bedrock.converse_stream(modelId=STRONG, messages=messages)["stream"]))
    whole = bedrock.converse(modelId=STRONG, messages=messages)

    assert len(chunks) > 5
    assert all(1 <= tokens.count(chunk) <= 5 for chunk in chunks)
    assert "".join(chunks) == whole["output"]["message"]["content"][0]["text"]
    assert whole["stopReason"] == "end_turn"
    assert whole["trace"]["promptRouter"]["invokedModelId"] == NAME


def test_japanese_is_answered_in_japanese_from_the_same_facts(bedrock: Any) -> None:
    text = "".join(
        deltas(bedrock.converse_stream(modelId=ECONOMY, messages=ask(QUESTION_JA, "ja"))["stream"])
    )
    assert "『うずまき』（伊藤潤二）[1]" in text
    assert "ホラー" in text


def test_max_tokens_cuts_the_answer(bedrock: Any) -> None:
    answer = bedrock.converse(
        modelId=STRONG, messages=ask(QUESTION), inferenceConfig={"maxTokens": 7, "temperature": 0.2}
    )
    assert answer["stopReason"] == "max_tokens"
    assert answer["usage"]["outputTokens"] == 7
    assert tokens.count(answer["output"]["message"]["content"][0]["text"]) == 7


def test_a_stop_sequence_ends_the_answer(bedrock: Any) -> None:
    whole = bedrock.converse(modelId=STRONG, messages=ask(QUESTION))["output"]["message"]["content"][0][
        "text"
    ]
    answer = bedrock.converse(
        modelId=STRONG, messages=ask(QUESTION), inferenceConfig={"stopSequences": ["[1]"]}
    )
    assert answer["stopReason"] == "stop_sequence"
    assert answer["output"]["message"]["content"][0]["text"] == whole.split("[1]")[0]


@pytest.mark.req("STR-4")
@pytest.mark.parametrize("chunks_read", [0, 1, 4])
def test_work_stops_when_the_client_leaves(runtime: Runtime, bedrock: Any, chunks_read: int) -> None:
    # Given a client that has read some chunks of a stream that waits for its next
    runtime.gate()
    runtime.release(chunks_read + 1)
    stream = bedrock.converse_stream(modelId=STRONG, messages=ask(QUESTION))["stream"]
    chunks = deltas(stream)
    for _ in range(chunks_read):
        next(chunks)

    # When it leaves
    stream.close()

    # Then not one chunk more is made, though nothing else would have stopped it
    (ended,) = runtime.streams()
    assert ended["state"] == "client_gone"
    assert ended["chunks_sent"] <= chunks_read + 1
    assert ended["ended"] >= ended["started"]


def test_ten_streams_at_once_are_whole(runtime: Runtime, bedrock: Any) -> None:
    runtime.gate()

    def read(question: str) -> str:
        return "".join(deltas(bedrock.converse_stream(modelId=STRONG, messages=ask(question))["stream"]))

    questions = [f"{QUESTION}, please {'again ' * number}" for number in range(10)]
    alone: list[str] = []
    runtime.release(10_000)
    with ThreadPoolExecutor(10) as threads:
        together = list(threads.map(read, questions))
    alone = [read(question) for question in questions]
    assert together == alone
    assert [stream["state"] for stream in runtime.streams()] == ["completed"] * 20


# --- refusals -------------------------------------------------------------------------------------

USER = {"role": "user", "content": [{"text": "Hello"}]}
ASSISTANT = {"role": "assistant", "content": [{"text": "Hello"}]}


@pytest.mark.parametrize(
    ("model", "messages", "limits", "code", "words"),
    [
        ("anthropic.claude-none", [USER], {}, "ValidationException", "model identifier is invalid"),
        (STRONG.removeprefix("global."), [USER], {}, "ValidationException", "inference profile"),
        (f"jp.{STRONG.removeprefix('global.')}", [USER], {}, "ValidationException", "identifier is invalid"),
        (TITAN, [USER], {}, "ValidationException", "supported text or chat model"),
        (STRONG, [], {}, "ValidationException", "start with a user message"),
        (STRONG, [ASSISTANT, USER], {}, "ValidationException", "start with a user message"),
        (STRONG, [USER, USER], {}, "ValidationException", "alternate between user and assistant"),
        (STRONG, [USER, ASSISTANT], {}, "ValidationException", "end with a user message"),
        (STRONG, [{"role": "user", "content": []}], {}, "ValidationException", "is empty"),
        (STRONG, [{"role": "user", "content": [{"text": " "}]}], {}, "ValidationException", "is blank"),
        (STRONG, [USER], {"maxTokens": 1_000_000}, "ValidationException", "exceeds the model limit"),
        (
            STRONG,
            [{"role": "user", "content": [{"text": "愛" * 200_001}]}],
            {},
            "ValidationException",
            "too long",
        ),
    ],
)
@pytest.mark.parametrize("operation", ["converse", "converse_stream"])
def test_refuses_what_bedrock_refuses(
    bedrock: Any, operation: str, model: str, messages: Any, limits: Any, code: str, words: str
) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(bedrock, operation)(modelId=model, messages=messages, inferenceConfig=limits)
    assert refused.value.response["Error"]["Code"] == code
    assert words in refused.value.response["Error"]["Message"]
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize(
    "body",
    [b"", b"not json", b"[]", b'{"messages": 7}', b'{"messages": [7]}', b'{"messages": [{"role": "user"}]}',
     b'{"messages": [{"role": "system", "content": [{"text": "x"}]}]}',
     b'{"messages": [{"role": "user", "content": [{"image": {}}]}]}',
     b'{"messages": [{"role": "user", "content": [{"text": "x"}]}], "inferenceConfig": {"maxTokens": 0}}',
     b'{"messages": [{"role": "user", "content": [{"text": "x"}]}], "inferenceConfig": {"maxTokens": true}}',
     b'{"messages": [{"role": "user", "content": [{"text": "x"}]}], "inferenceConfig": {"topP": 3}}',
     b'{"messages": [{"role": "user", "content": [{"text": "x"}]}], "toolConfig": {"tools": [{}]}}'],
)  # fmt: skip
def test_malformed_bodies_are_the_clients_fault(runtime: Runtime, body: bytes) -> None:
    answer = runtime.control.post(
        f"/model/{STRONG}/converse-stream", content=body, headers={"authorization": "Bearer test"}
    )
    assert answer.status_code == 400
    assert answer.headers["x-amzn-errortype"].split(":")[0] in (
        "ValidationException",
        "SerializationException",
    )
    assert answer.json()["message"]


def test_an_unsigned_request_is_refused(runtime: Runtime) -> None:
    answer = runtime.control.post(f"/model/{STRONG}/converse", json={"messages": ask(QUESTION)})
    assert answer.status_code == 403
    assert answer.headers["x-amzn-errortype"].startswith("MissingAuthenticationTokenException")


def test_an_arn_names_the_same_model(runtime: Runtime, bedrock: Any) -> None:
    arn = f"arn:aws:bedrock:us-east-1:000000000000:inference-profile/{STRONG}"
    bedrock.converse(modelId=arn, messages=ask(QUESTION))
    assert runtime.streams()[0]["model"] == STRONG


# --- failures on order ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ThrottlingException", 429),
        ("AccessDeniedException", 403),
        ("ResourceNotFoundException", 404),
        ("ModelTimeoutException", 408),
        ("ModelErrorException", 424),
        ("ServiceUnavailableException", 503),
        ("InternalServerException", 500),
    ],
)
@pytest.mark.parametrize("operation", ["converse", "converse_stream"])
def test_failures_before_the_stream(
    runtime: Runtime, bedrock: Any, operation: str, code: str, status: int
) -> None:
    runtime.control.post("/_twin/failures", json={"code": code}).raise_for_status()
    call = getattr(bedrock, operation)

    with pytest.raises(ClientError) as failed:
        call(modelId=STRONG, messages=ask(QUESTION))
    assert failed.value.response["Error"]["Code"] == code
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert [stream["state"] for stream in runtime.streams()] == ["failed"]

    call(modelId=STRONG, messages=ask(QUESTION))  # the next one is well


@pytest.mark.req("RES-6")
@pytest.mark.parametrize(
    "code",
    [
        "throttlingException",
        "modelStreamErrorException",
        "internalServerException",
        "serviceUnavailableException",
        "validationException",
    ],
)
def test_failures_within_the_stream(runtime: Runtime, bedrock: Any, code: str) -> None:
    failure = {"code": code, "after_chunks": 3, "model": "sonnet"}
    runtime.control.post("/_twin/failures", json=failure).raise_for_status()
    received: list[str] = []
    with pytest.raises(EventStreamError) as failed:
        received += deltas(bedrock.converse_stream(modelId=STRONG, messages=ask(QUESTION))["stream"])
    assert failed.value.response["Error"]["Code"] == code
    (ended,) = runtime.streams()
    assert (ended["state"], ended["chunks_sent"]) == ("failed", 3)


def test_a_failure_waits_for_its_model(runtime: Runtime, bedrock: Any) -> None:
    runtime.control.post("/_twin/failures", json={"code": "ThrottlingException", "model": "sonnet"})
    bedrock.converse(modelId=ECONOMY, messages=ask(QUESTION))
    with pytest.raises(ClientError, match="ThrottlingException"):
        bedrock.converse(modelId=STRONG, messages=ask(QUESTION))


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/_twin/failures", {"code": "NoSuchException"}, "a failure has a code"),
        ("/_twin/failures", {"code": "ThrottlingException", "times": 0}, "times is a whole number"),
        ("/_twin/failures", {"code": "ThrottlingException", "x": 0}, "unknown field 'x'"),
        ("/_twin/pace/release", {"chunks": 1}, "not gated"),
        ("/_twin/pace/release", {"chunks": 0}, "whole number from 1"),
    ],
)
def test_controls_say_what_to_change(runtime: Runtime, path: str, body: Any, words: str) -> None:
    answer = runtime.control.post(path, json=body)
    assert answer.status_code == 400
    assert words in answer.json()["message"]


@pytest.mark.parametrize("body", [{"first_token_ms": -1}, {"tokens_per_second": 0}, {"speed": 1}])
def test_a_wrong_pace_is_refused(runtime: Runtime, body: Any) -> None:
    assert runtime.control.put("/_twin/pace", json=body).status_code == 400
    assert runtime.control.get("/_twin/pace").json()["is_gated"] is False
