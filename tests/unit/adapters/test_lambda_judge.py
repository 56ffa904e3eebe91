"""What counts as judged: a whole verdict, and nothing else."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from mangaassist.adapters.lambda_judge import STAGES, LambdaJudge
from mangaassist.errors import DependencyError, DependencyThrottled
from mangaassist.guardrails.pipeline import stages
from mangaassist.ports import Intervention, Judgement

PASSED = dict.fromkeys(sorted(STAGES), "passed")
VERDICT = {"text": "Try うずまき.", "interventions": [], "stages": PASSED}


def test_the_six_stages_are_the_pipelines() -> None:
    assert {stage.name for stage in stages()} == STAGES


async def judged(stubbed: Any, document: object, **response: Any) -> Judgement:
    client, stub = stubbed("lambda")
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    asked = {"text": "Try うずまき.", "language": "ja", "allowed_asins": ["B0TEST0001"], "request_id": "q1"}
    stub.add_response(
        "invoke",
        {"StatusCode": 200, "Payload": io.BytesIO(body), **response},
        {"FunctionName": "guardrail:live", "Payload": json.dumps(asked, ensure_ascii=False).encode()},
    )
    return await LambdaJudge(client, "guardrail:live").judge(
        "Try うずまき.", language="ja", allowed_asins=["B0TEST0001"], request_id="q1"
    )


@pytest.mark.req("GRD-4")
async def test_a_whole_verdict_is_believed(stubbed: Any) -> None:
    each = {"stage": "asin", "action": "removed", "reason": "An unknown product was removed."}
    outcomes = PASSED | {"asin": "removed", "price_accuracy": "unavailable"}
    assert await judged(stubbed, VERDICT | {"interventions": [each], "stages": outcomes}) == Judgement(
        "Try うずまき.", (Intervention("asin", "removed", "An unknown product was removed."),), outcomes
    )


@pytest.mark.req("GRD-4")
@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"text": "", "interventions": [], "stages": {}}, "no word of"),
        (VERDICT | {"text": ""}, "empty verdict"),
        (VERDICT | {"text": " \n"}, "empty verdict"),
        (VERDICT | {"stages": dict.fromkeys(STAGES - {"toxicity"}, "passed")}, "no word of toxicity"),
        ({"text": "Try うずまき."}, "unreadable response"),
        (VERDICT | {"interventions": [{"stage": "asin"}]}, "unreadable response"),
        (["text"], "unreadable response"),
        (b"not json", "unreadable response"),
    ],
)
async def test_anything_else_is_no_judgement(stubbed: Any, document: object, reason: str) -> None:
    with pytest.raises(DependencyError, match=reason):
        await judged(stubbed, document)


async def test_a_function_that_failed_judged_nothing(stubbed: Any) -> None:
    with pytest.raises(DependencyError, match=r"guardrail: InvalidJudgeRequest"):
        await judged(
            stubbed,
            VERDICT | {"errorType": "InvalidJudgeRequest", "errorMessage": "x"},
            FunctionError="Unhandled",
        )


async def test_a_throttled_function_is_a_throttle(stubbed: Any) -> None:
    client, stub = stubbed("lambda")
    stub.add_client_error("invoke", "TooManyRequestsException", http_status_code=429)
    with pytest.raises(DependencyThrottled):
        await LambdaJudge(client, "g").judge("x", language="en", allowed_asins=[], request_id="q")
