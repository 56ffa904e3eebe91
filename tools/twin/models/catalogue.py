"""Which models Bedrock has, read from the product's own list, and what it answers about the others."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

from tools.twin.models.errors import ServiceError

# Read as data: importing the product's model of the list would bring pydantic into this small process.
MODELS_FILE = (
    Path(__file__).resolve().parents[3] / "layers/core/python/mangaassist/generation/data/models.json"
)
PROFILE_PREFIXES = ("us", "eu", "au", "jp", "global")
_ARN = re.compile(
    r"arn:aws[\w-]*:bedrock:[a-z0-9-]+:\d{0,12}:(?:foundation-model|(?:application-)?inference-profile)/(?P<id>.+)"
)


@dataclass(frozen=True, slots=True)
class Model:
    """A model that may be invoked as ``id``, with its profile in front."""

    id: str
    kind: Literal["text", "embedding"]
    grade: str


def find(identifier: str, *, today: date | None = None) -> Model:
    """The model behind an id or ARN.

    Raises:
        ServiceError: as Bedrock words it, when the id is unknown, needs a profile, or is past its end of life.
    """
    arn = _ARN.fullmatch(identifier)
    given = arn["id"] if arn else identifier
    prefix, dot, rest = given.partition(".")
    profile, base = (prefix, rest) if dot and prefix in PROFILE_PREFIXES else (None, given)
    known = _models().get(base)
    if known is None or (profile is not None and profile not in known["profiles"]):
        raise ServiceError("ValidationException", "The provided model identifier is invalid.")
    if profile is None and not known["in_region"]:
        raise ServiceError(
            "ValidationException",
            f"Invocation of model ID {base} with on-demand throughput isn\u2019t supported. Retry your request with the"
            " ID or ARN of an inference profile that contains this model.",
        )
    end = known["end_of_life"]
    if end is not None and date.fromisoformat(end) <= (today or datetime.now(UTC).date()):
        raise ServiceError(
            "ResourceNotFoundException",
            "This model version has reached the end of its life. Please refer to the AWS documentation for more details.",
        )
    return Model(given, known["kind"], known["grade"])


@cache
def _models() -> Mapping[str, Mapping[str, Any]]:
    return {model["id"]: model for model in json.loads(MODELS_FILE.read_text("utf-8"))["models"]}
