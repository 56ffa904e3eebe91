"""InvokeModel for Titan Text Embeddings V2: its body, its refusals, its answer."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import numpy as np

from services.models.small.embedding import DIMENSIONS, Embedder
from tools.twin.models import tokens
from tools.twin.models.errors import ServiceError

MODEL_ID = "amazon.titan-embed-text-v2:0"
MAXIMUM_TOKENS = 8_192
MAXIMUM_CHARACTERS = 50_000
TYPES = ("float", "binary")
FIELDS = ("inputText", "dimensions", "normalize", "embeddingTypes")
DECIMALS = 8


def embed(embedder: Embedder, body: bytes) -> dict[str, Any]:
    """The response document for a request body; raises ``ServiceError``."""
    text, dimensions, normalize, types = _read(body)
    size = tokens.count(text)
    if size > MAXIMUM_TOKENS:
        raise ServiceError(
            "ValidationException",
            "400 Bad Request: Too many input tokens. Max input tokens:"
            f" {MAXIMUM_TOKENS}, request input token count: {size} ",
        )
    vector = embedder.embed(text, dimensions=dimensions, normalize=normalize).astype(np.float64)
    by_type = {"float": vector.round(DECIMALS).tolist, "binary": (vector > 0).astype(int).tolist}
    document: dict[str, Any] = {
        "embeddingsByType": {kind: by_type[kind]() for kind in types},
        "inputTextTokenCount": size,
    }
    if "float" in types:
        document["embedding"] = document["embeddingsByType"]["float"]
    return document


def _read(body: bytes) -> tuple[str, int, bool, list[str]]:
    try:
        document = json.loads(body)
    except ValueError:
        _malformed("")
    if not isinstance(document, dict):
        _malformed("#: expected type: JSONObject, found: " + _kind(document))
    if "inputText" not in document:
        _malformed("#: required key [inputText] not found")
    for name in document:
        if name not in FIELDS:
            _malformed(f"#: extraneous key [{name}] is not permitted")
    text = document["inputText"]
    if not isinstance(text, str):
        _malformed("#/inputText: expected type: String, found: " + _kind(text))
    if not text:
        _malformed("#/inputText: expected minLength: 1, actual: 0")
    if len(text) > MAXIMUM_CHARACTERS:
        _malformed(f"#/inputText: expected maxLength: {MAXIMUM_CHARACTERS}, actual: {len(text)}")
    dimensions, normalize = document.get("dimensions", DIMENSIONS[0]), document.get("normalize", True)
    if isinstance(dimensions, bool) or dimensions not in DIMENSIONS:
        _malformed(f"#/dimensions: {json.dumps(dimensions)} is not a valid enum value")
    if not isinstance(normalize, bool):
        _malformed("#/normalize: expected type: Boolean, found: " + _kind(normalize))
    types = document.get("embeddingTypes", ["float"])
    if not isinstance(types, list) or not types or any(kind not in TYPES for kind in types):
        _malformed(f"#/embeddingTypes: {json.dumps(types)} is not a list of {' and '.join(TYPES)}")
    return text, dimensions, normalize, list(dict.fromkeys(types))


def _malformed(problem: str) -> NoReturn:
    told = f"Malformed input request: {problem}, " if problem else "Malformed input request, "
    raise ServiceError("ValidationException", told + "please reformat your input and try again.")


def _kind(value: object) -> str:
    names = {
        bool: "Boolean",
        int: "Integer",
        float: "Double",
        str: "String",
        list: "JSONArray",
        dict: "JSONObject",
    }
    return names.get(type(value), "Null")
