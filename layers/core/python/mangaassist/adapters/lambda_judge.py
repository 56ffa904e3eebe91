"""The full guardrail pipeline, behind the guardrail function's ``live`` alias."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Final

from mangaassist.adapters.errors import translated
from mangaassist.errors import DependencyError
from mangaassist.ports import Intervention, Judgement

DEPENDENCY: Final = "guardrail"
STAGES: Final = frozenset({"pii", "price_accuracy", "toxicity", "competitor", "asin", "scope"})
"""A verdict that does not name all six judged nothing we could vouch for."""


class LambdaJudge:
    """``client`` is a Lambda client; ``request_id`` ties the pipeline's logs to the turn's."""

    def __init__(self, client: Any, function: str) -> None:
        self._client = client
        self._function = function

    async def judge(
        self, text: str, *, language: str, allowed_asins: Sequence[str], request_id: str
    ) -> Judgement:
        """The verdict on an answer.

        Raises:
            DependencyError: the function failed, or what it returned is no verdict of the six stages.
        """
        payload = {
            "text": text,
            "language": language,
            "allowed_asins": list(allowed_asins),
            "request_id": request_id,
        }
        return await asyncio.to_thread(self._judge, payload)

    def _judge(self, payload: dict[str, Any]) -> Judgement:
        with translated(DEPENDENCY):
            response = self._client.invoke(
                FunctionName=self._function, Payload=json.dumps(payload, ensure_ascii=False).encode()
            )
            answer = response["Payload"].read()
        try:
            document = json.loads(answer)
            if response.get("FunctionError"):
                raise DependencyError(DEPENDENCY, str(document.get("errorType", "FunctionError")))
            verdict = Judgement(
                text=str(document["text"]),
                interventions=tuple(
                    Intervention(stage=each["stage"], action=each["action"], reason=each["reason"])
                    for each in document["interventions"]
                ),
                stages={str(stage): str(outcome) for stage, outcome in document["stages"].items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DependencyError(DEPENDENCY, "unreadable response") from error
        if missing := STAGES - verdict.stages.keys():
            raise DependencyError(DEPENDENCY, f"no word of {', '.join(sorted(missing))}")
        if not verdict.text.strip():
            raise DependencyError(DEPENDENCY, "empty verdict")
        return verdict
