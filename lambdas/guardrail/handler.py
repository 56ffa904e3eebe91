"""Judge an answer: the full guardrail pipeline behind its own alias."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mangaassist.guardrails import wiring
from mangaassist.guardrails.pipeline import judge
from mangaassist.guardrails.stages import StageResult
from mangaassist.language import Language
from mangaassist.metrics import GUARDRAIL_INTERVENTION, GUARDRAIL_STAGE_UNAVAILABLE
from mangaassist.observability import count, logger, observed
from mangaassist.tracing import PathType


class JudgeRequest(BaseModel):
    """An answer as it was streamed, and the ASINs that were retrieved for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: Annotated[str, Field(max_length=20_000)]
    language: Language
    allowed_asins: Annotated[list[Annotated[str, Field(pattern=r"^[A-Za-z0-9]{10}$")]], Field(max_length=500)]
    request_id: Annotated[str, Field(max_length=128)] = ""


class InvalidJudgeRequest(ValueError):
    """The event is not a ``JudgeRequest``; says which fields are wrong and repeats nothing of the answer."""

    def __init__(self, error: ValidationError) -> None:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        told = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'event'}: {each['msg']}" for each in problems)
        super().__init__(f'send {{"text", "language", "allowed_asins"}}: {told}')


@observed(PathType.CRITICAL_SYNC)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The judged text, what was done to it and why, and the outcome of each stage."""
    try:
        request = JudgeRequest.model_validate(event)
    except ValidationError as error:
        raise InvalidJudgeRequest(error) from None
    verdict = judge(
        request.text,
        request.language,
        request.allowed_asins,
        wiring.directory(),
        trust=wiring.trust(),
        observe=_observe,
    )
    logger().info("answer judged", stages=dict(verdict.stages), interventions=len(verdict.interventions))
    return {
        "text": verdict.text,
        "interventions": [asdict(each) for each in verdict.interventions],
        "stages": dict(verdict.stages),
    }


def _observe(stage: str, before: str, result: StageResult) -> None:
    """The audit line of every intervention (GRD-9): digests, never the text."""
    for intervention in result.interventions:
        logger().info(
            "guardrail intervened",
            stage=stage,
            action=intervention.action,
            reason=intervention.reason,
            before_sha256=_digest(before),
            after_sha256=_digest(result.text),
        )
        count(GUARDRAIL_INTERVENTION, stage=stage, action=intervention.action)
    if result.outcome == "unavailable":
        logger().warning("guardrail stage ran without its service", stage=stage)
        count(GUARDRAIL_STAGE_UNAVAILABLE, stage=stage)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
