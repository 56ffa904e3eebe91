"""What a turn stands on before it speaks: the intent, what retrieval found, what is suggested, what was said before.

All of it is sought at once (INT-6); what the intent's plan does not need is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mangaassist.chat.suggestions import Suggested, Suggestions
from mangaassist.errors import DependencyError
from mangaassist.intents.plan import Plan, plan_for
from mangaassist.ports import Chunk
from mangaassist.store.parts import CATALOGUE, PRICING, RECOMMENDATIONS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mangaassist.chat.shelf import Shelf, Shelves
    from mangaassist.chat.stopwatch import Stopwatch
    from mangaassist.chat.understanding import Understanding, Understood
    from mangaassist.protocol import ContextHints
    from mangaassist.recommendations.facts import Source
    from mangaassist.retrieval.retriever import Retrieved, Retriever
    from mangaassist.sessions.records import Turn

NOTHING_SUGGESTED: Final = Suggested()
NOTHING_RETRIEVED: Final = (
    "The catalogue search found nothing for this question: say so first. The products below are suggestions beside it, not "
    "its results. End by offering to browse by genre, by creator or by a title the shopper liked."
)
"""Suggestions fill the prompt, yet it has to state its limits as one without products does (RET-5)."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the turn is about. ``history`` is the session so far, oldest first."""

    request_id: str
    text: str
    shopper: str
    """Who asks: a customer's id or a guest's."""
    hints: ContextHints
    history: Callable[[], Awaitable[Sequence[Turn]]]


@dataclass(frozen=True, slots=True)
class Ground:
    """``chunks`` came from the index, best first; ``suggested`` did not."""

    understood: Understood
    chunks: Sequence[Chunk] = ()
    suggested: Suggested = NOTHING_SUGGESTED
    history: Sequence[Turn] = ()
    degraded: tuple[str, ...] = ()

    @property
    def candidates(self) -> list[Chunk]:
        """Everything the answer may name, each series once.

        Retrieval reads the question and comes first; but a question about a title at hand ("more like these"), or for
        what is popular, says little in its own words: what answers it comes before what is near those words.
        """
        others = self._others
        first = [chunk for chunk in others if chunk.recommended == "similar" or self.suggested.asked_for]
        return [*first, *self.chunks, *(chunk for chunk in others if chunk not in first)]

    @property
    def recommended_by(self) -> Source | None:
        """Who proposed what stands beside the retrieved titles; ``None`` where nothing does.

        It is ``popularity`` when nothing of it is the recommender's.
        """
        reasons = {chunk.recommended for chunk in self._others}
        return None if not reasons else "popularity" if reasons == {"popular"} else "personalize"

    @property
    def constraints(self) -> tuple[str, ...]:
        """What the model has to be told about the ground it stands on."""
        return (NOTHING_RETRIEVED,) if self._others and not self.chunks else ()

    @property
    def _others(self) -> list[Chunk]:
        """What was suggested and retrieval did not find."""
        retrieved = {chunk.series_id for chunk in self.chunks}
        return [chunk for chunk in self.suggested.chunks if chunk.series_id not in retrieved]

    def degraded_beside(self, shelf: Shelf) -> tuple[str, ...]:
        """``degraded``, told apart from what the cards lack.

        A fact that came too late for the suggestions and in time for the cards is missing from the suggestions alone.
        """
        missed = {CATALOGUE, PRICING} - set(shelf.missing)
        return tuple(RECOMMENDATIONS if part in missed else part for part in self.degraded)


@dataclass(frozen=True, slots=True)
class Groundwork:
    """The ports that are asked before a word is written."""

    understanding: Understanding
    retriever: Retriever
    suggestions: Suggestions
    shelves: Shelves

    async def lay(self, question: Question, text: str, stopwatch: Stopwatch) -> Ground:
        """Everything the intent's plan wants; ``text`` is the question, redacted.

        Raises:
            DependencyError: the session's history cannot be read.
        """
        sure = self.understanding.by_rules(text, stopwatch)
        plan = plan_for(sure.intent) if sure else None
        if sure is not None and plan is not None and not plan.retrieval:
            return Ground(sure)
        remembering = asyncio.ensure_future(question.history())
        retrieving = asyncio.ensure_future(self.retriever.retrieve(text, stopwatch))
        suggesting = asyncio.ensure_future(self._suggest(question, text, plan, remembering, stopwatch))
        try:
            degraded: list[str] = []
            if sure is None:
                sure, fallback = await self.understanding.by_classifier(text, stopwatch)
                degraded += fallback
            plan = plan_for(sure.intent)
            if not plan.retrieval:
                return Ground(sure, degraded=tuple(degraded))
            chunks, missing = await self._retrieved(retrieving, stopwatch)
            suggested = await suggesting if plan.recommendations else NOTHING_SUGGESTED
            return Ground(
                sure, chunks, suggested, await remembering, (*degraded, *missing, *suggested.degraded)
            )
        finally:
            for speculation in (suggesting, retrieving, remembering):
                if not speculation.done():
                    speculation.cancel()
                elif not speculation.cancelled():
                    speculation.exception()  # A dropped speculation's failure concerns nobody.

    async def _suggest(
        self,
        question: Question,
        text: str,
        plan: Plan | None,
        remembering: asyncio.Future[Sequence[Turn]],
        stopwatch: Stopwatch,
    ) -> Suggested:
        if plan is not None and not plan.recommendations:
            # Nothing to suggest; but the cards will want the same clients.
            await self.shelves.prepare()
            return NOTHING_SUGGESTED
        return await self.suggestions.of(text, question.hints, question.shopper, remembering, stopwatch)

    async def _retrieved(
        self, retrieving: asyncio.Future[Retrieved], stopwatch: Stopwatch
    ) -> tuple[Sequence[Chunk], tuple[str, ...]]:
        try:
            async with asyncio.timeout(stopwatch.remaining_ms("retrieval") / 1000):
                found = await retrieving
                return found.chunks, found.degraded
        except (DependencyError, TimeoutError) as error:
            return (), (error.dependency if isinstance(error, DependencyError) else "retrieval",)
