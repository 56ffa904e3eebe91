"""Titles that stand beside the retrieved ones when a shopper wants ideas: from the recommender, or popular ones (CAT-4).

They are sought while the question is still being understood (INT-6), and they are the model's to use: each enters the
prompt with the reason it was proposed for. A part that does not answer makes the choice poorer and is never an error.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mangaassist.catalogue.terms import genres_in
from mangaassist.errors import DependencyError
from mangaassist.intents.plan import reply_text
from mangaassist.ports import Chunk
from mangaassist.protocol import FinalFrame, frame_adapter
from mangaassist.store.pages import series_page
from mangaassist.store.parts import RECOMMENDATIONS

if TYPE_CHECKING:
    from mangaassist.chat.shelf import Services, Shelves
    from mangaassist.chat.stopwatch import Stopwatch
    from mangaassist.protocol import ContextHints
    from mangaassist.recommendations.facts import Recommendation
    from mangaassist.recommendations.recommendations import Fallback, Recommendations
    from mangaassist.sessions.records import Turn

MOST_SUGGESTED: Final = 3
"""Beside what retrieval found; more would crowd the prompt."""
BUDGET_MS: Final = 800
"""Longest wait for everything together: the same as for the cards' facts, since both come before the stream."""


@dataclass(frozen=True, slots=True)
class Suggested:
    """``chunks`` as the prompt and the cards take them, best first; none of them came from the index."""

    chunks: tuple[Chunk, ...] = ()
    degraded: tuple[str, ...] = ()
    asked_for: bool = False
    """The question asks for what is popular: retrieval can only look for that word."""


_POPULAR: Final = re.compile(
    r"\b(?:(?:what|which)(?:'s| is| are)?|most|the|any|some|something|anything) (?:[\w'-]+ ){0,2}(?:popular|best[- ]?sell)"
    r"|\bbest[- ]?sell(?:ers?|ing)\b|人気|売れ筋|売れている|ベストセラー|ランキング",
    re.IGNORECASE,
)


class Suggestions:
    """The recommender behind the turn."""

    def __init__(
        self, shelves: Shelves, *, store_url: str, on_fallback: Fallback, budget_ms: int = BUDGET_MS
    ) -> None:
        """
        Args:
            shelves: has the store's clients, the recommender's among them.
            store_url: where product pages are.
            on_fallback: told ``(part, reason)`` of each part that did not answer.
            budget_ms: longest wait for all of it, once the clients are there.
        """
        self._shelves = shelves
        self._store_url = store_url
        self._on_fallback = on_fallback
        self._budget_ms = budget_ms
        self._recommendations: Recommendations | None = None

    async def of(
        self,
        text: str,
        hints: ContextHints,
        shopper: str,
        history: asyncio.Future[Sequence[Turn]],
        stopwatch: Stopwatch,
    ) -> Suggested:
        """Up to ``MOST_SUGGESTED`` titles for a question, each of another series and none on a card of ``history``.

        Args:
            text: of the question, redacted.
            hints: the product page the shopper is on, if any, is what titles are to be like.
            shopper: the caller's id, or the guest's.
            history: the session's last turns, oldest first. It is the turn's as well: giving up on suggestions does not
                take it away.
            stopwatch: of the turn.
        """
        # Not of the budget: an environment pays for its clients once, and the cards need them in any case.
        recommendations = await self.prepare()
        from mangaassist.recommendations.facts import Wish

        budget_ms = min(self._budget_ms, stopwatch.remaining_ms(RECOMMENDATIONS))
        asks_for_popular = _POPULAR.search(text) is not None
        waits_for = "history"
        try:
            async with asyncio.timeout(budget_ms / 1000):
                shown = await _shown(asyncio.shield(history))
                waits_for = RECOMMENDATIONS
                recommended = await recommendations.for_turn(
                    Wish(
                        shopper=shopper,
                        like=_seeds(text, hints, shown),
                        genres=genres_in(text),
                        without=frozenset(asin for turn in shown for asin in turn),
                        other_series=True,
                        popular=asks_for_popular,
                        # A chunk stands for its series, and so does a card.
                        most_of_a_series=1,
                        limit=MOST_SUGGESTED,
                    ),
                    stopwatch,
                )
        except TimeoutError:
            # A slow session store is no fault of the recommender's, whose alarm counts its own.
            self._on_fallback(waits_for, "late")
            return Suggested(degraded=(RECOMMENDATIONS,))
        # A title that the catalogue could not describe cannot be spoken of.
        items = [each for each in recommended.items if each.product is not None]
        chunks = tuple(self._chunk(each) for each in items)
        return Suggested(chunks, recommended.degraded, asked_for=asks_for_popular)

    async def prepare(self) -> Recommendations:
        """Have everything at hand that a first question would wait for."""
        if self._recommendations is None:
            services = await self._shelves.prepare()
            # In a thread, as the clients: the question is being understood and embedded on the loop meanwhile.
            self._recommendations = await asyncio.to_thread(self._made_of, services)
        return self._recommendations

    def _made_of(self, services: Services) -> Recommendations:
        from mangaassist.recommendations.recommendations import Recommendations

        return Recommendations(
            recommender=services.recommender,
            products=services.products,
            pricing=services.pricing,
            on_fallback=self._on_fallback,
        )

    def _chunk(self, recommendation: Recommendation) -> Chunk:
        product = recommendation.product
        assert product is not None
        return Chunk(
            chunk_id=f"{product.series_id}#{recommendation.reason}",
            series_id=product.series_id,
            score=0.0,
            text="",
            title=product.series_title,
            url=series_page(self._store_url, product.series_id),
            facts={
                "title_ja": product.title_ja,
                "creators": list(product.creators),
                "creators_ja": list(product.creators_ja),
                "year": product.year,
                "volume_count": product.volume_count,
                "demographics": list(product.demographics),
                "genres": list(product.genres),
                "status": product.status,
                "publisher": product.publisher,
                "offer": {"asin": product.asin, "title": product.title, "volume": product.volume},
            },
            recommended=recommendation.reason,
        )


def _seeds(text: str, hints: ContextHints, shown: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """What titles are to be like: the page the shopper is on, or the last cards when they want more like those."""
    page = (hints.product_asin,) if hints.product_asin else ()
    wants_more = text.strip() in (reply_text("more_like_this", "en"), reply_text("more_like_this", "ja"))
    last = next((asins for asins in reversed(shown) if asins), ()) if wants_more else ()
    return (*page, *last)


async def _shown(history: Awaitable[Sequence[Turn]]) -> list[tuple[str, ...]]:
    """ASINs on the cards of each turn of the session, oldest first; without a history nothing counts as shown."""
    try:
        turns = await history
    except DependencyError:
        return []  # Whoever answers the turn reads the same history, and says so.
    return [_cards(turn) for turn in turns]


def _cards(turn: Turn) -> tuple[str, ...]:
    """ASINs on the cards of a turn; none where its last frame is no final one, or cannot be read (any more)."""
    if not turn.frames:
        return ()
    try:
        last = frame_adapter.validate_json(turn.frames[-1])
    except ValueError:
        return ()  # Suggesting a title twice harms nobody; a turn that fails for it would.
    return tuple(card.asin for card in last.cards) if isinstance(last, FinalFrame) else ()
