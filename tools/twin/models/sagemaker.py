"""The endpoints behind SageMaker's InvokeEndpoint: the intent classifier and the reranker.

An endpoint is known by the end of its name: ``…-intent`` answers as Hugging Face's text classification does,
``…-reranker`` as Text Embeddings Inference does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from tools.twin.models.errors import ServiceError
from tools.twin.models.intents import IntentModel
from tools.twin.models.reranker import Reranker

ACCOUNT = "000000000000"
MAXIMUM_BATCH = 32
"""Texts in one call; the default of Text Embeddings Inference."""

Answer = list[Any]


def endpoint(name: str, intents: IntentModel, reranker: Reranker) -> Callable[[bytes], Answer]:
    """What answers at the endpoint ``name``; raises ``ServiceError`` where there is none."""
    if name.endswith("-intent"):
        return lambda body: classify(intents, body)
    if name.endswith("-reranker"):
        return lambda body: rerank(reranker, body)
    raise ServiceError("ValidationError", f"Endpoint {name} of account {ACCOUNT} not found.")


def classify(model: IntentModel, body: bytes) -> Answer:
    """``{"inputs": "…"}`` to every label with its score, likeliest first; a list of inputs to a list of these."""
    inputs = _document(body).get("inputs")
    if isinstance(inputs, str):
        return _labels(model, inputs)
    if isinstance(inputs, list) and inputs and all(isinstance(text, str) for text in inputs):
        return [_labels(model, text) for text in inputs]
    _model_error(400, 'inputs must be a text or a list of texts: {"inputs": "where is my order"}')


def rerank(model: Reranker, body: bytes) -> Answer:
    """``{"query": "…", "texts": ["…"]}`` to the place and score of each text, best first."""
    document = _document(body)
    query, texts = document.get("query"), document.get("texts")
    if not isinstance(query, str) or not query.strip():
        _model_error(422, "`query` must be a text that is not empty")
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        _model_error(422, "`texts` must be a list of texts that is not empty")
    if len(texts) > MAXIMUM_BATCH:
        _model_error(413, f"batch size {len(texts)} > maximum allowed batch size {MAXIMUM_BATCH}")
    with_text = document.get("return_text") is True
    return [
        {"index": place, "score": round(score, 6), **({"text": texts[place]} if with_text else {})}
        for place, score in model.scores(query, texts)
    ]


def _labels(model: IntentModel, text: str) -> Answer:
    return [{"label": label, "score": round(score, 6)} for label, score in model.scores(text)]


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        _model_error(400, "the body is not JSON")
    if not isinstance(document, dict):
        _model_error(400, "the body is not a JSON object")
    return document


def _model_error(status: int, told: str) -> NoReturn:
    """The container refused the request; SageMaker reports that as an error of the model."""
    raise ServiceError(
        "ModelError",
        f'Received client error ({status}) from primary with message "{told}".',
        {"OriginalStatusCode": status, "OriginalMessage": told},
    )
