"""Fakes of the store's services: what they know is set, and each may fail or never answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

from mangaassist.chat.promotions import PromotionAnswers
from mangaassist.chat.shelf import Services, Shelves
from mangaassist.chat.suggestions import Suggestions
from mangaassist.errors import DependencyError
from mangaassist.recommendations.popularity import Popularity, PopularTitle
from mangaassist.store.facts import Amount, Offer, Product, Promotion, RatingSummary, TrustSignals
from mangaassist.store.ports import FindBy, Page

TITLES = ("Uzumaki", "Tomie", "Gyo", "Remina", "Sensor", "Smashed")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
"""Now, where promotions are concerned."""
Fact = TypeVar("Fact")


def product(number: int, title: str = "Uzumaki", *, buyable: bool = True) -> Product:
    return Product(
        asin=f"B0TEST{number:04}",
        series_id=f"MG{number:05}",
        title=f"{title}, Vol. 1",
        series_title=title,
        volume=1,
        creators=("Junji Ito",),
        genres=("Horror",),
        buyable=buyable,
        creators_ja=("伊藤潤二",),
        year=1998,
        volume_count=3,
        demographics=("Seinen",),
    )


def offer(number: int, price: str = "7.49", *, list_price: str | None = "12.99", stock: int = 3) -> Offer:
    before = Amount(list_price, "USD") if list_price else None
    asin = f"B0TEST{number:04}"
    return Offer(asin, Amount(price, "USD"), before, stock > 0, stock, "2026-11-20T08:00:00Z")


def rating(number: int, average: float = 4.5, count: int = 12) -> RatingSummary:
    return RatingSummary(f"B0TEST{number:04}", average, count)


def trusted(number: int) -> TrustSignals:
    price = Amount("7.49", "USD")
    return TrustSignals(f"B0TEST{number:04}", 0.9, 900, 900, True, price, price)


def promotion(
    number: int,
    percent_off: int = 20,
    *series: int,
    title: tuple[str, str] = ("Ghost night", "怪談の夜"),
    starts_at: str = "2026-11-01T00:00:00Z",
    ends_at: str = "2026-12-01T00:00:00Z",
    code: str | None = None,
) -> Promotion:
    """For the series of those numbers; for everything without any."""
    return Promotion(
        promotion_id=f"promo-{number}",
        title_en=title[0],
        title_ja=title[1],
        percent_off=percent_off,
        starts_at=starts_at,
        ends_at=ends_at,
        series_ids=tuple(f"MG{each:05}" for each in series),
        code=code,
    )


@dataclass
class FakeRecommender:
    """Asks the store's dictionaries, so that it breaks with them; ``asked`` there says for whom or for what."""

    store: FakeStore

    async def for_user(
        self, user_id: str, *, limit: int, genres: Sequence[str] = (), deadline_ms: int
    ) -> tuple[str, ...]:
        return await self._answer("for_user", user_id, limit, deadline_ms)

    async def similar_to(self, asin: str, *, limit: int, deadline_ms: int) -> tuple[str, ...]:
        return await self._answer("similar_to", asin, limit, deadline_ms)

    async def _answer(self, question: str, about: str, limit: int, deadline_ms: int) -> tuple[str, ...]:
        self.store.asked.append((question, [about], deadline_ms))
        await self.store.answer("recommendations", (), deadline_ms, {})
        return tuple(self.store.recommended)[:limit]


@dataclass
class FakeStore:
    """Catalogue, pricing, reviews and promotions in one; ``broken`` maps a service to its error, ``None`` for endless silence."""

    products: dict[str, Product] = field(
        default_factory=lambda: {
            one.asin: one for one in (product(number, title) for number, title in enumerate(TITLES, 1))
        }
    )
    offers_: dict[str, Offer] = field(
        default_factory=lambda: {one.asin: one for one in (offer(number) for number in range(1, 7))}
    )
    ratings_: dict[str, RatingSummary] = field(
        default_factory=lambda: {one.asin: one for one in (rating(number) for number in range(1, 7))}
    )
    trust_: dict[str, TrustSignals] = field(
        default_factory=lambda: {one.asin: one for one in (trusted(number) for number in range(1, 7))}
    )
    running_: Sequence[Promotion] = ()
    """What the promotions service says, whether it runs or not."""
    popular: Sequence[PopularTitle] = ()
    """What promotions name first."""
    recommended: Sequence[str] = ()
    """ASINs that the recommender has for everybody and for every title; without any there is no recommender."""
    signals: dict[str, asyncio.Event] = field(default_factory=dict)
    """Set when their service is asked."""
    broken: dict[str, DependencyError | None] = field(default_factory=dict)
    asked: list[tuple[str, list[str], int]] = field(default_factory=list)

    async def get(self, asins: Sequence[str], *, deadline_ms: int) -> dict[str, Product]:
        return await self.answer("catalogue", asins, deadline_ms, self.products)

    async def find(
        self, by: FindBy, term: str, *, page_size: int, page_token: str = "", deadline_ms: int
    ) -> Page[Product]:
        def fits(product: Product) -> bool:
            if by == "series":
                return product.series_id == term
            return by == "title" and product.series_title.casefold().startswith(term.casefold())

        found = {one.asin: one for one in self.products.values() if fits(one)}
        answer = await self.answer("catalogue", tuple(found), deadline_ms, found)
        # Never the same object twice, as over a wire.
        return Page(tuple(replace(each) for each in answer.values())[:page_size])

    async def running(self, *, series_ids: Sequence[str] = (), deadline_ms: int) -> tuple[Promotion, ...]:
        known = {each.promotion_id: each for each in self.running_}
        return tuple((await self.answer("promotions", tuple(known), deadline_ms, known)).values())

    async def offers(self, asins: Sequence[str], *, deadline_ms: int) -> dict[str, Offer]:
        return await self.answer("pricing", asins, deadline_ms, self.offers_)

    async def trust(self, asins: Sequence[str], *, deadline_ms: int) -> dict[str, TrustSignals]:
        return await self.answer("trust", asins, deadline_ms, self.trust_)

    async def ratings(self, asins: Sequence[str], *, deadline_ms: int) -> dict[str, RatingSummary]:
        return await self.answer("reviews", asins, deadline_ms, self.ratings_)

    def shelves(self, missing: list[tuple[str, str]] | None = None, *, budget_ms: int = 800) -> Shelves:
        heard = [] if missing is None else missing
        return Shelves(
            lambda: Services(self, self, self, self, FakeRecommender(self) if self.recommended else None),
            on_missing=lambda *told: heard.append(told),
            budget_ms=budget_ms,
        )

    def suggestions(
        self, shelves: Shelves, heard: list[tuple[str, str]] | None = None, *, budget_ms: int = 800
    ) -> Suggestions:
        told = [] if heard is None else heard
        return Suggestions(
            shelves,
            store_url="https://store.example",
            on_fallback=lambda *fallback: told.append(fallback),
            budget_ms=budget_ms,
        )

    def promotion_answers(self, shelves: Shelves, *, budget_ms: int = 800) -> PromotionAnswers:
        return PromotionAnswers(
            shelves,
            store_url="https://store.example",
            now=lambda: NOON,
            popularity=Popularity.of(self.popular),
            budget_ms=budget_ms,
        )

    async def answer(
        self, service: str, asins: Sequence[str], deadline_ms: int, known: Mapping[str, Fact]
    ) -> dict[str, Fact]:
        self.asked.append((service, list(asins), deadline_ms))
        if service in self.signals:
            self.signals[service].set()
        if service in self.broken:
            error = self.broken[service]
            if error is None:
                await asyncio.Event().wait()
                raise AssertionError("never")
            raise error
        return {asin: known[asin] for asin in asins if asin in known}
