"""The SageMaker endpoints: intent classifier and reranker."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

INTENT = "mangaassist-local-intent"
RERANKER = "mangaassist-local-reranker"
LABELS = {
    "recommendation", "product_question", "order_status", "return_request", "promotion", "faq", "chitchat",
    "escalation", "out_of_scope",
}  # fmt: skip


def invoke(sagemaker: Any, endpoint: str, document: Any) -> Any:
    answer = sagemaker.invoke_endpoint(
        EndpointName=endpoint, ContentType="application/json", Body=json.dumps(document).encode()
    )
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    return json.loads(answer["Body"].read())


@pytest.mark.req("INT-3")
@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Where is my parcel? It should have been delivered yesterday", "order_status"),
        ("荷物はいつ届きますか", "order_status"),
        ("please let me talk to a human agent", "escalation"),
        ("recommend me a good mystery series", "recommendation"),
        ("ミステリー漫画のおすすめを教えて", "recommendation"),
        ("I want a refund for a damaged book", "return_request"),
        ("what's the weather like in Paris", "out_of_scope"),
    ],
)
def test_intents_come_sorted_with_probabilities(sagemaker: Any, text: str, label: str) -> None:
    scores = invoke(sagemaker, INTENT, {"inputs": text})
    assert {score["label"] for score in scores} == LABELS
    assert sum(score["score"] for score in scores) == pytest.approx(1, abs=1e-4)
    assert scores == sorted(scores, key=lambda score: -score["score"])
    assert scores[0]["label"] == label


def test_a_batch_answers_each(sagemaker: Any) -> None:
    one, other = invoke(sagemaker, INTENT, {"inputs": ["thank you", "セールはいつですか"]})
    assert (one[0]["label"], other[0]["label"]) == ("chitchat", "promotion")


@pytest.mark.req("RET-3")
@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("How many volumes does Mushishi have?", 2),
        ("漂流教室の作者は？", 1),
        ("manga by Junji Ito", 0),
        ("楳図かずおの漫画", 1),
    ],
)
def test_the_reranker_puts_the_named_first(sagemaker: Any, query: str, best: int) -> None:
    texts = [
        "Uzumaki / うずまき\nJunji Ito / 伊藤潤二\nHorror ホラー, Mystery ミステリー\nSeinen 青年",
        "The Drifting Classroom / Hyouryuu Kyoushitsu / 漂流教室\nKazuo Umezz / 楳図かずお\nHorror ホラー\nShounen 少年",
        "Mushishi / 蟲師\nYuki Urushibara / 漆原友紀\nMystery ミステリー, Supernatural 超常\nSeinen 青年",
    ]
    ranked = invoke(sagemaker, RERANKER, {"query": query, "texts": texts})
    assert sorted(entry["index"] for entry in ranked) == [0, 1, 2]
    assert [entry["score"] for entry in ranked] == sorted((e["score"] for e in ranked), reverse=True)
    assert all(0 <= entry["score"] <= 1 for entry in ranked)
    assert ranked[0]["index"] == best


def test_texts_come_back_when_asked_for(sagemaker: Any) -> None:
    ranked = invoke(sagemaker, RERANKER, {"query": "horror", "texts": ["a", "b"], "return_text": True})
    assert {entry["text"] for entry in ranked} == {"a", "b"}


def test_an_unknown_endpoint_is_refused_as_sagemaker_does(sagemaker: Any) -> None:
    with pytest.raises(ClientError) as refused:
        invoke(sagemaker, "mangaassist-local-judge", {"inputs": "x"})
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    assert "Endpoint mangaassist-local-judge of account 000000000000 not found." in str(refused.value)


@pytest.mark.parametrize(
    ("endpoint", "body", "status"),
    [
        (INTENT, b"not json", 400),
        (INTENT, b"[]", 400),
        (INTENT, b'{"inputs": 7}', 400),
        (INTENT, b'{"inputs": []}', 400),
        (RERANKER, b"{}", 422),
        (RERANKER, b'{"query": "x"}', 422),
        (RERANKER, b'{"query": "x", "texts": []}', 422),
        (RERANKER, b'{"query": " ", "texts": ["x"]}', 422),
        (RERANKER, json.dumps({"query": "x", "texts": ["y"] * 33}).encode(), 413),
    ],
)
def test_the_containers_refusals_are_model_errors(
    sagemaker: Any, endpoint: str, body: bytes, status: int
) -> None:
    with pytest.raises(ClientError) as refused:
        sagemaker.invoke_endpoint(EndpointName=endpoint, Body=body)
    assert refused.value.response["Error"]["Code"] == "ModelError"
    assert refused.value.response["OriginalStatusCode"] == status
    assert refused.value.response["OriginalMessage"]
