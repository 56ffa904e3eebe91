"""Stage 2 of understanding: the classifier behind a SageMaker endpoint (Hugging Face text classification)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from mangaassist.adapters.errors import translate
from mangaassist.errors import DependencyError
from mangaassist.ports import IntentScore

DEPENDENCY = "intent-classifier"


class SageMakerIntents:
    """``client`` is a sagemaker-runtime client; the endpoint answers labels sorted by score."""

    def __init__(self, client: Any, endpoint: str) -> None:
        self._client = client
        self._endpoint = endpoint

    async def classify(self, text: str) -> IntentScore:
        """The likeliest intent."""
        return await asyncio.to_thread(self._classify, text)

    def _classify(self, text: str) -> IntentScore:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            response = self._client.invoke_endpoint(
                EndpointName=self._endpoint,
                ContentType="application/json",
                Accept="application/json",
                Body=json.dumps({"inputs": text}).encode(),
            )
            best = max(json.loads(response["Body"].read()), key=lambda score: float(score["score"]))
            return IntentScore(intent=str(best["label"]), confidence=float(best["score"]))
        except (ClientError, BotoCoreError) as error:
            raise translate(DEPENDENCY, error) from error
        except (ValueError, KeyError, TypeError) as error:
            raise DependencyError(DEPENDENCY, "unreadable response") from error
