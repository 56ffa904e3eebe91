"""The second look at what search found: a cross-encoder reads question and text together (RET-3)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mangaassist.chat.stopwatch import Stopwatch
from mangaassist.errors import DependencyError
from mangaassist.ports import Chunk, Reranker

KEPT = 3
"""Chunks that enter the prompt, best first."""


@dataclass(frozen=True, slots=True)
class Reranking:
    """Keeps the best of the candidates; within ``budget_ms`` by the reranker's judgement, else by search's own."""

    reranker: Reranker
    budget_ms: int
    on_fallback: Callable[[str], None]
    """Told the reason of every question whose candidates stayed in the order of search."""

    async def best(
        self, question: str, chunks: Sequence[Chunk], stopwatch: Stopwatch
    ) -> tuple[list[Chunk], tuple[str, ...]]:
        """The kept chunks, and the parts that were degraded on the way; a failing reranker is never an error."""
        if len(chunks) < 2:
            return list(chunks), ()
        budget_ms = min(self.budget_ms, stopwatch.remaining_ms("rerank"))
        try:
            with stopwatch.stage("rerank"):
                async with asyncio.timeout(budget_ms / 1000):
                    order = await self.reranker.rank(question, [chunk.text for chunk in chunks])
        except TimeoutError:
            self.on_fallback("late")
        except DependencyError as error:
            self.on_fallback(error.reason)
        else:
            return [chunks[place] for place in order[:KEPT]], ()
        return list(chunks[:KEPT]), ("reranker",)
