from __future__ import annotations

import asyncio
import io
import json
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from mangaassist.adapters.bedrock_embedding import (
    MAXIMUM_CHARACTERS,
    BedrockDocumentEmbedder,
    BedrockEmbedder,
)
from mangaassist.errors import DependencyError, DependencyThrottled, DependencyTimeout
from mangaassist.generation.policy import Embedding, ModelPolicy, built_in_policy

EMBEDDING = Embedding(model_id="amazon.titan-embed-text-v2:0", dimensions=256)


class FakeBedrock:
    """Answers with the length of the text in every dimension."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.failure: Exception | None = None
        self.answer: bytes | None = None
        self.meeting: threading.Barrier | None = None

    def invoke_model(self, *, modelId: str, body: str, **_: Any) -> dict[str, Any]:
        asked = json.loads(body)
        self.calls.append({"modelId": modelId, **asked})
        if self.meeting is not None:
            self.meeting.wait(timeout=10)
        if self.failure is not None:
            raise self.failure
        vector = [float(len(asked["inputText"]))] * asked["dimensions"]
        return {"body": io.BytesIO(self.answer or json.dumps({"embedding": vector}).encode())}


class Policies:
    async def current(self) -> ModelPolicy:
        return built_in_policy()


@pytest.fixture
def bedrock() -> FakeBedrock:
    return FakeBedrock()


@pytest.mark.req("RET-1", "GEN-1")
async def test_a_question_is_embedded_with_the_model_of_the_policy(bedrock: FakeBedrock) -> None:
    vector = await BedrockEmbedder(bedrock, Policies()).embed("怖い漫画")
    assert vector == [4.0] * 1024
    assert bedrock.calls == [
        {
            "modelId": built_in_policy().embedding.model_id,
            "inputText": "怖い漫画",
            "dimensions": 1024,
            "normalize": True,
        }
    ]


async def test_vectors_come_in_the_order_of_the_texts(bedrock: FakeBedrock) -> None:
    vectors = await BedrockDocumentEmbedder(bedrock, concurrency=3).embed_all(
        ["a" * n for n in range(20)], EMBEDDING
    )
    assert [vector[0] for vector in vectors] == list(range(20))
    assert {call["modelId"] for call in bedrock.calls} == {EMBEDDING.model_id}


async def test_calls_are_made_side_by_side(bedrock: FakeBedrock) -> None:
    # Nobody passes the barrier alone: only three calls in flight at once can finish.
    bedrock.meeting = threading.Barrier(3)
    assert len(await BedrockDocumentEmbedder(bedrock, concurrency=3).embed_all(["a"] * 6, EMBEDDING)) == 6


async def test_nothing_to_embed_calls_nothing(bedrock: FakeBedrock) -> None:
    assert await BedrockDocumentEmbedder(bedrock, concurrency=3).embed_all([], EMBEDDING) == []
    assert bedrock.calls == []


async def test_a_text_over_the_models_limit_is_cut(bedrock: FakeBedrock) -> None:
    await BedrockDocumentEmbedder(bedrock, concurrency=1).embed_all(
        ["x" * (MAXIMUM_CHARACTERS + 1)], EMBEDDING
    )
    assert len(bedrock.calls[0]["inputText"]) == MAXIMUM_CHARACTERS


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (ClientError({"Error": {"Code": "ThrottlingException"}}, "InvokeModel"), DependencyThrottled),
        (ClientError({"Error": {"Code": "ValidationException"}}, "InvokeModel"), DependencyError),
        (ReadTimeoutError(endpoint_url="http://x"), DependencyTimeout),
    ],
)
async def test_failures_speak_our_language(
    bedrock: FakeBedrock, failure: Exception, kind: type[DependencyError]
) -> None:
    bedrock.failure = failure
    with pytest.raises(kind):
        await BedrockEmbedder(bedrock, Policies()).embed("text")
    with pytest.raises(kind):
        await BedrockDocumentEmbedder(bedrock, concurrency=2).embed_all(["a", "b", "c"], EMBEDDING)


@pytest.mark.parametrize("answer", [b"garbage", b"[]", b"{}", b'{"embedding":null}', b'{"embedding":[1.0]}'])
async def test_an_unreadable_answer_is_a_failure_of_the_service(bedrock: FakeBedrock, answer: bytes) -> None:
    bedrock.answer = answer
    with pytest.raises(DependencyError):
        await BedrockEmbedder(bedrock, Policies()).embed("text")


async def test_the_event_loop_runs_on_while_the_model_thinks(bedrock: FakeBedrock) -> None:
    bedrock.meeting = threading.Barrier(2)
    call = asyncio.create_task(BedrockEmbedder(bedrock, Policies()).embed("text"))
    await asyncio.to_thread(bedrock.meeting.wait, 10)
    assert len(await call) == 1024
