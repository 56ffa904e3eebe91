"""From a question to the chunks that may answer it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mangaassist.catalogue.terms import genres_in
from mangaassist.chat.stopwatch import Stopwatch
from mangaassist.ports import Chunk, ChunkFilter, ChunkSearch, Embedder
from mangaassist.retrieval.reranking import Reranking

CANDIDATES = 10
"""kNN candidates (RET-2)."""
KEPT = 6
"""Chunks that enter the prompt without a reranker, nearest first: twice as many, because their order is rough."""
ENOUGH_FILTERED = 3
"""With fewer hits inside the question's genres, the filter is taken off rather than starving the answer."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Chunks, best first, and the parts that were degraded on the way to them."""

    chunks: list[Chunk]
    degraded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Retriever:
    """Embeds the question, filters by the genres it names, keeps the nearest chunks, or the best by ``reranking``."""

    embedder: Embedder
    search: ChunkSearch
    reranking: Reranking | None = None
    """``None`` where no reranker is deployed."""

    async def retrieve(self, question: str, stopwatch: Stopwatch) -> Retrieved:
        """The chunks that may answer; none when the catalogue has nothing near.

        Raises:
            DependencyError: embedding or search failed.
        """
        with stopwatch.stage("embedding"):
            vector = await self.embedder.embed(question)
        only = ChunkFilter(genres=tuple(sorted(genres_in(question))))
        with stopwatch.stage("search"):
            chunks = await self.search.nearest(vector, limit=CANDIDATES, only=only)
            if only.genres and len(chunks) < ENOUGH_FILTERED:
                wider = await self.search.nearest(vector, limit=CANDIDATES, only=replace(only, genres=()))
                seen = {chunk.chunk_id for chunk in chunks}
                chunks += [chunk for chunk in wider if chunk.chunk_id not in seen]
        if self.reranking is None:
            return Retrieved(chunks[:KEPT])
        return Retrieved(*await self.reranking.best(question, chunks[:CANDIDATES], stopwatch))
