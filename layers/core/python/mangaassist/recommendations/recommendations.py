"""Titles to recommend in a turn (CAT-4): proposals in time or popularity, facts about them, filters, diversity.

A failing recommender, catalogue or pricing service makes the answer poorer and is named in ``degraded``; it never is an
error. Proposals and facts are asked for within budgets of the turn's time. The same answers give the same titles.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from mangaassist.errors import DependencyError
from mangaassist.guardrails.trust import Thresholds, thresholds
from mangaassist.recommendations.diversity import diversified
from mangaassist.recommendations.facts import Candidate, Proposal, Recommendation, Recommended, Wish
from mangaassist.recommendations.filters import Known, allowed
from mangaassist.recommendations.popularity import Popularity, shipped
from mangaassist.resilience.budget import within
from mangaassist.store.parts import CATALOGUE, PRICING, RECOMMENDATIONS, TRUST

if TYPE_CHECKING:
    from mangaassist.chat.stopwatch import Stopwatch
    from mangaassist.store.ports import Pricing, Products, Recommender

STAGE: Final = "recommendations"
BUDGET_MS: Final = 250
"""Longest wait for the recommender; its own target is 200 ms."""
FACTS_BUDGET_MS: Final = 500
"""Longest wait for catalogue, pricing and trust together."""
MOST_SEEDS: Final = 3
"""Titles that similar ones are asked for; each is a call."""
PROPOSED_PER_SHOWN: Final = 4
"""Proposals asked for per title wanted, since stock, trust and diversity take some away."""
MOST_PROPOSED: Final = 80
"""Of one answer of the recommender, so that the facts about everything are few calls."""
MOST_CONSIDERED: Final = 100
"""Titles whose facts are asked for, popular ones included: as many as one call of each service takes."""
MOST_SHOWN: Final = 20
"""Of those places for titles that are not to be shown again, whose series are to be known."""
SPARE_POPULAR: Final = 30
"""Popular titles behind the personal ones, should filters leave too few."""

Answer = TypeVar("Answer")
Fallback = Callable[[str, str], None]
Ask = Callable[[int], Awaitable[Answer]]


def _nobody_listens(part: str, reason: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendations:
    """``recommender`` is ``None`` where none is deployed: popularity is no fallback then, but what there is."""

    recommender: Recommender | None
    products: Products
    pricing: Pricing
    popularity: Popularity = field(default_factory=shipped)
    limits: Thresholds = field(default_factory=thresholds)
    on_fallback: Fallback = _nobody_listens
    """Told ``(part, reason)`` of each part that did not answer, once."""
    budget_ms: int = BUDGET_MS
    facts_budget_ms: int = FACTS_BUDGET_MS

    async def for_turn(self, wish: Wish, stopwatch: Stopwatch) -> Recommended:
        """At most ``wish.limit`` titles, best first.

        Raises:
            ValueError: the limit is below 1.
            DeadlineExceeded: the turn has no time left at all.
        """
        if wish.limit < 1:
            raise ValueError("limit is a whole number from 1")
        with stopwatch.stage(STAGE):
            proposed, degraded = await self._proposed(wish, stopwatch)
            spare = [
                Proposal(title.asin, "popularity", "popular")
                for title in self.popularity.most_read(wish.genres)
                if title.asin not in wish.without
            ][: max(SPARE_POPULAR, PROPOSED_PER_SHOWN * wish.limit)]
            proposals = [*_each_once(proposed)[: MOST_CONSIDERED - len(spare) - MOST_SHOWN], *spare]
            # Those that are not to be shown belong to series, too.
            shown = [*wish.like, *sorted(wish.without)] if wish.other_series else []
            known, missing = await self._known(
                [*(each.asin for each in proposals), *shown][:MOST_CONSIDERED], stopwatch
            )
            candidates = allowed(proposals, wish, known, self.popularity, self.limits)
            chosen = diversified(
                candidates, wish.limit, asked_for=wish.genres, most_of_a_series=wish.most_of_a_series
            )
        return Recommended(
            tuple(_recommendation(rank, each) for rank, each in enumerate(chosen, start=1)),
            (*degraded, *missing),
        )

    # --- proposals ------------------------------------------------------------------------------------

    async def _proposed(self, wish: Wish, stopwatch: Stopwatch) -> tuple[list[Proposal], tuple[str, ...]]:
        """The recommender's proposals: those like the seeds in turn, then those for the shopper."""
        if self.recommender is None or wish.popular:
            return [], ()
        # Not every campaign has a filter, and most titles are not of the genres asked for.
        limit = MOST_PROPOSED if wish.genres else min(PROPOSED_PER_SHOWN * wish.limit, MOST_PROPOSED)
        budget_ms = min(self.budget_ms, stopwatch.remaining_ms(STAGE))
        seeds = list(dict.fromkeys(wish.like))[:MOST_SEEDS]
        asking: list[Ask[tuple[str, ...]]] = [
            partial(_similar, self.recommender, seed, limit=limit) for seed in seeds
        ]
        if wish.shopper is not None:
            asking.append(partial(_personal, self.recommender, wish.shopper, limit=limit, genres=wish.genres))
        answered = await asyncio.gather(*(self._answered(budget_ms, ask) for ask in asking))
        answers, failures = (
            [answer for answer, _ in answered],
            [failure for _, failure in answered if failure],
        )
        if failures:
            # One question is one fallback, however many calls it takes.
            self.on_fallback(RECOMMENDATIONS, failures[0])
        similar = [
            [Proposal(asin, "personalize", "similar", seed) for asin in answer or ()]
            for seed, answer in zip(seeds, answers, strict=False)
        ]
        personal = [
            Proposal(asin, "personalize", "for_you")
            for answer in answers[len(seeds) :]
            for asin in answer or ()
        ]
        return [*_in_turn(similar), *personal], (RECOMMENDATIONS,) if failures else ()

    # --- facts ----------------------------------------------------------------------------------------

    async def _known(self, asins: Sequence[str], stopwatch: Stopwatch) -> tuple[Known, tuple[str, ...]]:
        unique = list(dict.fromkeys(asins))
        if not unique:
            return Known({}, {}, {}), ()
        budget_ms = min(self.facts_budget_ms, stopwatch.remaining_ms(STAGE))
        products, offers, trust = await asyncio.gather(
            self._asked(CATALOGUE, budget_ms, lambda ms: self.products.get(unique, deadline_ms=ms)),
            self._asked(PRICING, budget_ms, lambda ms: self.pricing.offers(unique, deadline_ms=ms)),
            self._asked(TRUST, budget_ms, lambda ms: self.pricing.trust(unique, deadline_ms=ms)),
        )
        answers = {CATALOGUE: products, PRICING: offers, TRUST: trust}
        return Known(products, offers, trust), tuple(
            part for part, answer in answers.items() if answer is None
        )

    async def _asked(self, part: str, budget_ms: int, ask: Ask[Answer]) -> Answer | None:
        """The answer, or ``None`` when there is none in time."""
        answer, failure = await self._answered(budget_ms, ask)
        if failure:
            self.on_fallback(part, failure)
        return answer

    @staticmethod
    async def _answered(budget_ms: int, ask: Ask[Answer]) -> tuple[Answer | None, str]:
        """The answer, or why there is none."""
        try:
            return await within(budget_ms, ask), ""
        except TimeoutError:
            return None, "late"
        except DependencyError as error:
            return None, error.reason


async def _similar(recommender: Recommender, seed: str, deadline_ms: int, *, limit: int) -> tuple[str, ...]:
    return await recommender.similar_to(seed, limit=limit, deadline_ms=deadline_ms)


async def _personal(
    recommender: Recommender, shopper: str, deadline_ms: int, *, limit: int, genres: Sequence[str]
) -> tuple[str, ...]:
    return await recommender.for_user(shopper, limit=limit, genres=genres, deadline_ms=deadline_ms)


def _each_once(proposals: Sequence[Proposal]) -> list[Proposal]:
    """The first of every ASIN."""
    return list({each.asin: each for each in reversed(proposals)}.values())[::-1]


def _in_turn(lists: Sequence[Sequence[Proposal]]) -> list[Proposal]:
    """The first of each, then the second of each, and so on."""
    longest = max(map(len, lists), default=0)
    return [each[place] for place in range(longest) for each in lists if place < len(each)]


def _recommendation(rank: int, candidate: Candidate) -> Recommendation:
    proposal = candidate.proposal
    return Recommendation(
        asin=proposal.asin,
        rank=rank,
        source=proposal.source,
        reason=proposal.reason,
        seed=proposal.seed,
        product=candidate.product,
        offer=candidate.offer,
    )
