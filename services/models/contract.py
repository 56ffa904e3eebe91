"""What the two endpoints take and answer, the same whichever model stands behind them.

The intent classifier speaks as Hugging Face's text classification does, the reranker as Text Embeddings Inference, so
that AWS's ready-made containers and ours can replace each other without the caller noticing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

MAXIMUM_BATCH = 32
"""Texts in one call; the default of Text Embeddings Inference."""
MAXIMUM_TEXT = 20_000
"""Characters of one text: far above what a model of 512 tokens reads, far below what would stall the others."""
MAXIMUM_BODY_BYTES = 1_000_000

Text = Annotated[str, Field(max_length=MAXIMUM_TEXT)]
Scores = Sequence[tuple[str, float]]
Ranking = Sequence[tuple[int, float]]


class Refusal(Exception):
    """The request is wrong: ``status`` is 4xx, ``told`` says what to change and repeats nothing of the request."""

    def __init__(self, status: int, told: str) -> None:
        self.status = status
        self.told = told
        super().__init__(f"{status}: {told}")


class Request(BaseModel):
    """Unknown members are ignored, as the ready-made containers do; types are not converted."""

    model_config = ConfigDict(strict=True, frozen=True)


class IntentRequest(Request):
    """``{"inputs": "…"}``, or a list of texts."""

    inputs: Text | Annotated[list[Text], Field(min_length=1)]

    @property
    def texts(self) -> list[str]:
        """The texts, whichever form they came in."""
        return [self.inputs] if isinstance(self.inputs, str) else self.inputs


class RerankRequest(Request):
    """``{"query": "…", "texts": ["…"]}``."""

    query: Annotated[str, StringConstraints(max_length=MAXIMUM_TEXT, pattern=r"\S")]
    texts: Annotated[list[Text], Field(min_length=1)]
    return_text: bool = False
    truncate: bool = True
    """Taken for the sake of other containers: ours always cut a text to what the model reads."""


class Label(BaseModel):
    """One intent and its probability."""

    label: str
    score: float


class Ranked(BaseModel):
    """The place of a text in the request and its score in [0, 1]."""

    index: int
    score: float
    text: str | None = None


Wanted = TypeVar("Wanted", bound=Request)


def read_intents(body: bytes) -> IntentRequest:
    """The request, or a ``Refusal``: 400 for what is no request, 413 for a batch that is too large."""
    return _within_batch(_read(IntentRequest, body, 400), lambda request: len(request.texts))


def read_rerank(body: bytes) -> RerankRequest:
    """The request, or a ``Refusal``: 422 for what is no request, 413 for a batch that is too large."""
    return _within_batch(_read(RerankRequest, body, 422), lambda request: len(request.texts))


def intents_document(request: IntentRequest, found: Sequence[Scores]) -> list[Any]:
    """Every label with its score, likeliest first; a list of these for a list of inputs."""
    documents = [
        [Label(label=label, score=round(score, 6)).model_dump() for label, score in scores]
        for scores in found
    ]
    return documents[0] if isinstance(request.inputs, str) else documents


def ranking_document(request: RerankRequest, found: Ranking) -> list[Any]:
    """Place and score of every text, best first."""
    return [
        Ranked(
            index=place, score=round(score, 6), text=request.texts[place] if request.return_text else None
        ).model_dump(exclude_none=True)
        for place, score in found
    ]


def _read(model: type[Wanted], body: bytes, status: int) -> Wanted:
    try:
        return model.model_validate_json(body)
    except ValidationError as problem:
        raise Refusal(status, _told(problem)) from None


def _told(problem: ValidationError) -> str:
    """The first finding, without the input it was found in."""
    finding = problem.errors(include_url=False, include_input=False, include_context=False)[0]
    if finding["type"] == "json_invalid":
        return "the body is not JSON"
    if not finding["loc"]:
        return "the body is not a JSON object"
    place = ".".join(str(part) for part in finding["loc"] if isinstance(part, int) or part.isidentifier())
    return f"`{place}`: {finding['msg']}"


def _within_batch(request: Wanted, size: Any) -> Wanted:
    if (texts := size(request)) > MAXIMUM_BATCH:
        raise Refusal(413, f"batch size {texts} > maximum allowed batch size {MAXIMUM_BATCH}")
    return request
