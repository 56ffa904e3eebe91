"""What the store's services say about the products an answer may name, fetched at once within one budget (GEN-7).

A mandatory source that misses the budget (catalogue, pricing) turns into a constraint of the prompt; whatever is missing
is absent from the cards and named among the degraded parts. Nothing is guessed, and the index is never asked for a price.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from mangaassist.errors import DependencyError, DependencyTimeout
from mangaassist.resilience.budget import within
from mangaassist.store.facts import Offer, Product, RatingSummary
from mangaassist.store.parts import CATALOGUE, PRICING, REVIEWS

if TYPE_CHECKING:
    from mangaassist.chat.stopwatch import Stopwatch
    from mangaassist.store.ports import Pricing, Products, Promotions, Recommender, Reviews

BUDGET_MS: Final = 800
"""Longest wait for everything together, before the stream begins (GEN-7)."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Shelf:
    """Facts by ASIN. A service named in ``missing`` did not answer; what it would have said is unknown, not untrue."""

    products: Mapping[str, Product] = field(default_factory=dict[str, Product])
    offers: Mapping[str, Offer] = field(default_factory=dict[str, Offer])
    ratings: Mapping[str, RatingSummary] = field(default_factory=dict[str, RatingSummary])
    missing: tuple[str, ...] = ()

    @property
    def constraints(self) -> tuple[str, ...]:
        """What the model has to be told about its limits, one sentence per missing mandatory source."""
        return tuple(CONSTRAINTS[name] for name in self.missing if name in CONSTRAINTS)


CONSTRAINTS: Final[Mapping[str, str]] = {
    CATALOGUE: (
        "The catalogue could not be asked: say that availability of titles could not be confirmed just now."
    ),
    PRICING: "Price and stock data is not available: do not state a price, and do not say whether a title is in stock.",
}

Fallback = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Services:
    """The clients of the services behind product cards, suggestions and promotions."""

    products: Products
    pricing: Pricing
    reviews: Reviews
    promotions: Promotions
    recommender: Recommender | None = None
    """``None`` where none is deployed: what is popular is suggested then."""


class Shelves:
    """What the services say, asked for once per turn."""

    def __init__(
        self, open_services: Callable[[], Services], *, on_missing: Fallback, budget_ms: int = BUDGET_MS
    ) -> None:
        """
        Args:
            open_services: makes the clients. It takes a good tenth of a second, for the libraries behind them, so it is
                called once, in a thread, and not before a turn may need it.
            on_missing: told ``(service, reason)`` of each service that did not answer.
            budget_ms: longest wait for all of them together.
        """
        self._open = open_services
        self._on_missing = on_missing
        self._budget_ms = budget_ms
        self._services: Services | None = None
        self._opening = threading.Lock()

    async def prepare(self) -> Services:
        """Have the clients at hand; worth doing while something else is waited for."""
        return self._services or await asyncio.to_thread(self.open)

    def open(self) -> Services:
        """The same, where nothing else is waited for."""
        # Cards and suggestions may want them at the same moment.
        with self._opening:
            if self._services is None:
                self._services = self._open()
            return self._services

    async def of(self, asins: Sequence[str], stopwatch: Stopwatch) -> Shelf:
        """Everything known about ``asins`` when the budget, or the turn's time, is over."""
        asked = list(dict.fromkeys(asins))
        if not asked:
            return Shelf()
        with stopwatch.stage("enrichment"):
            services = await self.prepare()
            budget_ms = min(self._budget_ms, stopwatch.remaining_ms("enrichment"))
            products, offers, ratings = await asyncio.gather(
                self.ask(CATALOGUE, budget_ms, lambda ms: services.products.get(asked, deadline_ms=ms)),
                self.ask(PRICING, budget_ms, lambda ms: services.pricing.offers(asked, deadline_ms=ms)),
                self.ask(REVIEWS, budget_ms, lambda ms: services.reviews.ratings(asked, deadline_ms=ms)),
            )
        answers = {CATALOGUE: products, PRICING: offers, REVIEWS: ratings}
        return Shelf(
            products=products or {},
            offers=offers or {},
            ratings=ratings or {},
            missing=tuple(name for name, answer in answers.items() if answer is None),
        )

    async def ask(
        self, service: str, budget_ms: int, ask: Callable[[int], Awaitable[Answer]]
    ) -> Answer | None:
        """The answer, or ``None`` when there is none in time."""
        try:
            return await within(budget_ms, ask)
        except TimeoutError:
            self._on_missing(service, DependencyTimeout(service, "budget").reason)
        except DependencyError as error:
            self._on_missing(service, error.reason)
        return None
