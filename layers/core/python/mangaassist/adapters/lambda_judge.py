"""The full guardrail pipeline, behind the guardrail function's ``live`` alias."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from mangaassist.adapters.errors import translate
from mangaassist.errors import DependencyError
from mangaassist.ports import Intervention, Judgement

DEPENDENCY = "guardrail"


class LambdaJudge:
    """``client`` is a Lambda client; ``request_id`` ties the pipeline's logs to the turn's."""

    def __init__(self, client: Any, function: str) -> None:
        self._client = client
        self._function = function

    async def judge(
        self, text: str, *, language: str, allowed_asins: Sequence[str], request_id: str
    ) -> Judgement:
        """The verdict on an answer."""
        payload = {
            "text": text,
            "language": language,
            "allowed_asins": list(allowed_asins),
            "request_id": request_id,
        }
        return await asyncio.to_thread(self._judge, payload)

    def _judge(self, payload: dict[str, Any]) -> Judgement:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            response = self._client.invoke(
                FunctionName=self._function, Payload=json.dumps(payload, ensure_ascii=False).encode()
            )
            document = json.loads(response["Payload"].read())
        except (ClientError, BotoCoreError) as error:
            raise translate(DEPENDENCY, error) from error
        except ValueError as error:
            raise DependencyError(DEPENDENCY, "unreadable response") from error
        if response.get("FunctionError"):
            raise DependencyError(DEPENDENCY, str(document.get("errorType", "FunctionError")))
        try:
            return Judgement(
                text=str(document["text"]),
                interventions=tuple(
                    Intervention(stage=each["stage"], action=each["action"], reason=each["reason"])
                    for each in document["interventions"]
                ),
                stages={str(stage): str(outcome) for stage, outcome in document["stages"].items()},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise DependencyError(DEPENDENCY, "unreadable response") from error
