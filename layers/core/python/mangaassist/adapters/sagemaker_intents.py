"""Stage 2 of understanding: the classifier behind a SageMaker endpoint (Hugging Face text classification)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from mangaassist.adapters.errors import translated
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
        with translated(DEPENDENCY):
            response = self._client.invoke_endpoint(
                EndpointName=self._endpoint,
                ContentType="application/json",
                Accept="application/json",
                Body=json.dumps({"inputs": text}).encode(),
            )
            answer = response["Body"].read()
        try:
            best = max(json.loads(answer), key=lambda score: float(score["score"]))
            return IntentScore(intent=str(best["label"]), confidence=float(best["score"]))
        except (ValueError, KeyError, TypeError) as error:
            raise DependencyError(DEPENDENCY, "unreadable response") from error
