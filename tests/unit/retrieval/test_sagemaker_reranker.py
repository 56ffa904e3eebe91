"""The endpoint's answers, good and bad, in the product's words."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from mangaassist.adapters.sagemaker_reranker import SageMakerReranker
from mangaassist.errors import DependencyError, DependencyThrottled, DependencyTimeout

TEXTS = ["Uzumaki", "うずまき", "Gyo"]


@dataclass
class FakeRuntime:
    """A sagemaker-runtime client that answers or raises ``reply``."""

    reply: Any
    calls: list[dict[str, Any]] = field(default_factory=list)

    def invoke_endpoint(self, **call: Any) -> dict[str, Any]:
        self.calls.append(call)
        if isinstance(self.reply, Exception):
            raise self.reply
        body = self.reply if isinstance(self.reply, bytes) else json.dumps(self.reply).encode()
        return {"Body": io.BytesIO(body)}


def scores(*pairs: tuple[int, float]) -> list[dict[str, float]]:
    return [{"index": place, "score": score} for place, score in pairs]


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "secret"}}, "InvokeEndpoint")


@pytest.mark.req("RET-3")
async def test_places_come_back_by_score_whatever_order_they_were_sent_in() -> None:
    runtime = FakeRuntime(scores((0, 0.1), (2, 0.9), (1, 0.5)))
    assert await SageMakerReranker(runtime, "reranker-endpoint").rank("spirals", TEXTS) == [2, 1, 0]
    (call,) = runtime.calls
    assert call["EndpointName"] == "reranker-endpoint"
    assert json.loads(call["Body"]) == {"query": "spirals", "texts": TEXTS, "truncate": True}


async def test_equal_scores_keep_the_order_of_search() -> None:
    runtime = FakeRuntime(scores((2, 0.5), (0, 0.5), (1, 0.5)))
    assert await SageMakerReranker(runtime, "e").rank("q", TEXTS) == [0, 1, 2]


@pytest.mark.parametrize(
    "reply",
    [
        b"<html>",
        {"error": "x"},
        [{"index": 0}],
        [{"index": "first", "score": 1}],
        scores((0, 0.5), (1, 0.4)),
        scores((0, 0.5), (1, 0.4), (7, 0.3)),
        scores((0, 0.5), (1, 0.4), (1, 0.3)),
        None,
    ],
)
async def test_garbage_is_a_dependency_error(reply: Any) -> None:
    with pytest.raises(DependencyError, match=r"reranker: (unreadable|incomplete) response"):
        await SageMakerReranker(FakeRuntime(reply), "e").rank("q", TEXTS)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refusal("ThrottlingException"), DependencyThrottled),
        (refusal("ModelError"), DependencyError),
        (ReadTimeoutError(endpoint_url="https://example.com"), DependencyTimeout),
    ],
)
async def test_failures_carry_the_code_and_never_the_message(
    error: Exception, kind: type[DependencyError]
) -> None:
    with pytest.raises(kind) as raised:
        await SageMakerReranker(FakeRuntime(error), "e").rank("q", TEXTS)
    assert "secret" not in str(raised.value)
