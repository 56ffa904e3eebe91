"""Titan embeddings as an unmodified SDK sees them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError

from tests.functional.models.conftest import STRONG, TITAN


def invoke(bedrock: Any, model: str = TITAN, **body: Any) -> dict[str, Any]:
    return json.loads(bedrock.invoke_model(modelId=model, body=json.dumps(body))["body"].read())


@pytest.mark.req("RET-1")
@pytest.mark.parametrize("dimensions", [1024, 512, 256])
def test_vectors_have_the_asked_dimensions_and_length_one(bedrock: Any, dimensions: int) -> None:
    answer = invoke(bedrock, inputText="horror manga by Junji Ito", dimensions=dimensions, normalize=True)
    assert len(answer["embedding"]) == dimensions
    assert np.linalg.norm(answer["embedding"]) == pytest.approx(1, abs=1e-5)
    assert answer["inputTextTokenCount"] == 5
    assert answer["embeddingsByType"]["float"] == answer["embedding"]


def test_defaults_are_titans(bedrock: Any) -> None:
    answer = invoke(bedrock, inputText="うずまき")
    assert len(answer["embedding"]) == 1024
    assert np.linalg.norm(answer["embedding"]) == pytest.approx(1, abs=1e-5)


def test_a_shorter_vector_is_the_beginning_of_the_longer(bedrock: Any) -> None:
    whole = np.array(invoke(bedrock, inputText="うずまき")["embedding"])[:256]
    short = invoke(bedrock, inputText="うずまき", dimensions=256)["embedding"]
    assert short == pytest.approx((whole / np.linalg.norm(whole)).tolist(), abs=1e-5)


def test_not_normalized_keeps_the_direction(bedrock: Any) -> None:
    plain = np.array(invoke(bedrock, inputText="うずまき", normalize=False)["embedding"])
    assert np.linalg.norm(plain) > 1.5
    unit = invoke(bedrock, inputText="うずまき")["embedding"]
    assert (plain / np.linalg.norm(plain)).tolist() == pytest.approx(unit, abs=1e-5)


def test_binary_embeddings_are_the_signs(bedrock: Any) -> None:
    answer = invoke(bedrock, inputText="Mushishi", dimensions=256, embeddingTypes=["binary", "float"])
    signs = [int(value > 0) for value in answer["embeddingsByType"]["float"]]
    assert answer["embeddingsByType"]["binary"] == signs
    assert "embedding" not in invoke(bedrock, inputText="Mushishi", embeddingTypes=["binary"])


def test_both_languages_meet(bedrock: Any) -> None:
    def vector(text: str) -> Any:
        return np.array(invoke(bedrock, inputText=text)["embedding"])

    horror = vector("horror")
    assert horror @ vector("ホラー") > 2 * abs(horror @ vector("恋愛"))
    assert horror @ vector("ホラー") > 2 * abs(horror @ vector("romance"))


@pytest.mark.parametrize("text", ["!!!", "🙂", "ค", " ", "\u200b", "a" * 9])
def test_any_text_has_a_vector(bedrock: Any, text: str) -> None:
    assert np.linalg.norm(invoke(bedrock, inputText=text)["embedding"]) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "required key [inputText] not found"),
        ({"inputText": ""}, "expected minLength: 1"),
        ({"inputText": 7}, "expected type: String, found: Integer"),
        ({"inputText": "x", "dimensions": 300}, "300 is not a valid enum value"),
        ({"inputText": "x", "dimensions": "1024"}, "not a valid enum value"),
        ({"inputText": "x", "normalize": "yes"}, "expected type: Boolean"),
        ({"inputText": "x", "embeddingTypes": ["int8"]}, "#/embeddingTypes"),
        ({"inputText": "x", "texts": ["x"]}, "extraneous key [texts] is not permitted"),
        ({"inputText": "a" * 50_001}, "expected maxLength: 50000, actual: 50001"),
        ({"inputText": "愛 " * 9_000}, "Too many input tokens. Max input tokens: 8192"),
    ],
)
def test_refuses_what_titan_refuses(bedrock: Any, body: dict[str, Any], words: str) -> None:
    with pytest.raises(ClientError) as refused:
        invoke(bedrock, **body)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert words in refused.value.response["Error"]["Message"]


def test_a_body_that_is_not_json_is_refused(bedrock: Any) -> None:
    with pytest.raises(ClientError, match="Malformed input request, please reformat"):
        bedrock.invoke_model(modelId=TITAN, body=b"\xff{")


@pytest.mark.parametrize(
    ("model", "words"),
    [("amazon.titan-embed-text-v9:0", "identifier is invalid"), (STRONG, "call text models with Converse")],
)
def test_other_models_are_refused(bedrock: Any, model: str, words: str) -> None:
    with pytest.raises(ClientError, match=words):
        invoke(bedrock, model, inputText="x")
