"""The classifier's endpoint: the likeliest label, whatever the order of its answer."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from mangaassist.adapters.sagemaker_intents import SageMakerIntents
from mangaassist.errors import DependencyError, DependencyThrottled
from mangaassist.ports import IntentScore


async def classified(stubbed: Any, answer: bytes) -> IntentScore:
    client, stub = stubbed("sagemaker-runtime")
    stub.add_response(
        "invoke_endpoint",
        {"Body": io.BytesIO(answer)},
        {
            "EndpointName": "intents",
            "ContentType": "application/json",
            "Accept": "application/json",
            "Body": json.dumps({"inputs": "怖い漫画"}).encode(),
        },
    )
    return await SageMakerIntents(client, "intents").classify("怖い漫画")


@pytest.mark.req("INT-1")
async def test_the_likeliest_label_is_taken(stubbed: Any) -> None:
    scores = [{"label": "chitchat", "score": 0.1}, {"label": "recommendation", "score": 0.8}]
    assert await classified(stubbed, json.dumps(scores).encode()) == IntentScore("recommendation", 0.8)


@pytest.mark.parametrize(
    "answer", [b"", b"[]", b"{}", b'{"label": "x"}', b'[{"label": "x"}]', b"null", b"[1]"]
)
async def test_an_unreadable_answer_is_a_failure(stubbed: Any, answer: bytes) -> None:
    with pytest.raises(DependencyError, match="unreadable response"):
        await classified(stubbed, answer)


async def test_a_throttled_endpoint_is_a_throttle(stubbed: Any) -> None:
    client, stub = stubbed("sagemaker-runtime")
    stub.add_client_error("invoke_endpoint", "ThrottlingException", http_status_code=400)
    with pytest.raises(DependencyThrottled):
        await SageMakerIntents(client, "intents").classify("x")
