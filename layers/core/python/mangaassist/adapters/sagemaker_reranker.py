"""The cross-encoder behind a SageMaker endpoint, in the words of Text Embeddings Inference."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from mangaassist.adapters.errors import translated
from mangaassist.errors import DependencyError

DEPENDENCY = "reranker"


class SageMakerReranker:
    """``client`` is a sagemaker-runtime client; the endpoint answers the place and score of each text."""

    def __init__(self, client: Any, endpoint: str) -> None:
        self._client = client
        self._endpoint = endpoint

    async def rank(self, question: str, texts: Sequence[str]) -> list[int]:
        """The places of ``texts``, the most relevant first."""
        return await asyncio.to_thread(self._rank, question, list(texts))

    def _rank(self, question: str, texts: list[str]) -> list[int]:

        # A text longer than the model reads is cut by the endpoint, not refused.
        request = {"query": question, "texts": texts, "truncate": True}
        with translated(DEPENDENCY):
            response = self._client.invoke_endpoint(
                EndpointName=self._endpoint,
                ContentType="application/json",
                Accept="application/json",
                Body=json.dumps(request, ensure_ascii=False).encode(),
            )
            answer = response["Body"].read()
        try:
            scored = [(-float(entry["score"]), int(entry["index"])) for entry in json.loads(answer)]
        except (ValueError, KeyError, TypeError) as error:
            raise DependencyError(DEPENDENCY, "unreadable response") from error
        order = [place for _, place in sorted(scored)]
        if sorted(order) != list(range(len(texts))):
            raise DependencyError(DEPENDENCY, "incomplete response")
        return order
