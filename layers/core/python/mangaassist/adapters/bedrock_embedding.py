"""Titan Text Embeddings V2 over Bedrock's InvokeModel: one question at a time, or a batch of documents side by side."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, cast

from mangaassist.adapters.errors import translated
from mangaassist.errors import DependencyError

if TYPE_CHECKING:
    from mangaassist.generation.policy import Embedding
    from mangaassist.ports import PolicySource, Vector

DEPENDENCY: Final = "embedding"
MAXIMUM_CHARACTERS: Final = 50_000
"""What the model takes at most (Bedrock guide, Titan Text Embeddings V2); the rest of a longer text is not embedded."""


class BedrockEmbedder:
    """The reader's side: embeds with the model the policy names. ``client`` is a bedrock-runtime client."""

    def __init__(self, client: Any, policies: PolicySource) -> None:
        self._client = client
        self._policies = policies

    async def embed(self, text: str) -> Vector:
        """The vector of ``text``, normalized."""
        policy = await self._policies.current()
        return await asyncio.to_thread(_embed, self._client, text, policy.embedding)


class BedrockDocumentEmbedder:
    """The writer's side: ``concurrency`` calls at once.

    Titan takes one text a call, so side by side is the only batching there is. Retries of throttled calls, with
    backoff and jitter, are the client's (botocore's ``standard`` mode).
    """

    def __init__(self, client: Any, *, concurrency: int) -> None:
        self._client = client
        self._concurrency = concurrency

    async def embed_all(self, texts: Sequence[str], embedding: Embedding) -> list[Vector]:
        """The vectors of ``texts``, in their order; the first failure drops the calls not yet begun."""
        loop = asyncio.get_running_loop()
        pool = ThreadPoolExecutor(self._concurrency, thread_name_prefix="embedding")
        try:
            calls = [loop.run_in_executor(pool, _embed, self._client, text, embedding) for text in texts]
            return list(await asyncio.gather(*calls))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _embed(client: Any, text: str, embedding: Embedding) -> Vector:
    body = {
        "inputText": text[:MAXIMUM_CHARACTERS],
        "dimensions": embedding.dimensions,
        "normalize": True,
    }
    with translated(DEPENDENCY):
        response = client.invoke_model(
            modelId=embedding.model_id,
            body=json.dumps(body),
            contentType="application/json",
            accept="application/json",
        )
        answer = response["body"].read()
    return _vector(answer, embedding.dimensions)


def _vector(answer: bytes, dimensions: int) -> Vector:
    try:
        vector = cast("list[float]", json.loads(answer)["embedding"])
        found = len(vector)
    except (ValueError, KeyError, TypeError) as error:
        raise DependencyError(DEPENDENCY, "unreadable response") from error
    if found != dimensions:
        raise DependencyError(DEPENDENCY, f"{found} dimensions instead of {dimensions}")
    return vector
