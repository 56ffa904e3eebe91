"""Services that answer from dictionaries, fail on demand or never answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mangaassist.recommendations.popularity import Popularity, PopularTitle
from mangaassist.recommendations.recommendations import Recommendations
from mangaassist.store.facts import Amount, Offer, Product, TrustSignals
from mangaassist.store.ports import FindBy, Page

PRICE = Amount("9.99", "USD")


def asin(number: int) -> str:
    return f"B0TEST{number:04d}"


def product(number: int, series: str = "", genres: Sequence[str] = ("Horror",), **changes: bool) -> Product:
    return Product(
        asin(number), series or f"S{number}", f"T{number}", f"T{number}", genres=tuple(genres), **changes
    )


def offer(number: int, stock: int = 3) -> Offer:
    return Offer(asin(number), PRICE, None, stock > 0, stock, "2026-11-20T00:00:00Z")


def signals(number: int, score: float = 0.9) -> TrustSignals:
    return TrustSignals(asin(number), score, 900, 900, True, PRICE, PRICE)


@dataclass
class Part:
    """How a service behaves: ``failure`` is raised, ``is_silent`` never answers."""

    failure: Exception | None = None
    is_silent: bool = False
    asked: list[object] = field(default_factory=list)

    async def behave(self, question: object) -> None:
        self.asked.append(question)
        if self.is_silent:
            await asyncio.Event().wait()
        if self.failure is not None:
            raise self.failure


@dataclass
class FakeRecommender(Part):
    personal: Sequence[str] = ()
    similar: Mapping[str, Sequence[str]] = field(default_factory=dict)

    async def for_user(
        self, user_id: str, *, limit: int, genres: Sequence[str] = (), deadline_ms: int
    ) -> tuple[str, ...]:
        await self.behave(("user", user_id, tuple(genres)))
        return tuple(self.personal)[:limit]

    async def similar_to(self, asin: str, *, limit: int, deadline_ms: int) -> tuple[str, ...]:
        await self.behave(("similar", asin))
        return tuple(self.similar.get(asin, ()))[:limit]


@dataclass
class FakeProducts(Part):
    products: Sequence[Product] = ()

    async def get(self, asins: Sequence[str], *, deadline_ms: int) -> dict[str, Product]:
        await self.behave(tuple(asins))
        return {each.asin: each for each in self.products if each.asin in asins}

    async def find(
        self, by: FindBy, term: str, *, page_size: int, page_token: str = "", deadline_ms: int
    ) -> Page[Product]:
        raise NotImplementedError("recommendations search for nothing")


@dataclass
class FakePricing(Part):
    stock: Mapping[str, Offer] = field(default_factory=dict)
    vouched: Mapping[str, TrustSignals] = field(default_factory=dict)
    trust_failure: Exception | None = None

    async def offers(self, asins: Sequence[str], *, deadline_ms: int) -> dict[str, Offer]:
        await self.behave(("offers", tuple(asins)))
        return {each: self.stock[each] for each in asins if each in self.stock}

    async def trust(self, asins: Sequence[str], *, deadline_ms: int) -> dict[str, TrustSignals]:
        if self.trust_failure is not None:
            raise self.trust_failure
        await self.behave(("trust", tuple(asins)))
        return {each: self.vouched[each] for each in asins if each in self.vouched}


POPULAR = Popularity(
    tuple(
        PopularTitle(asin(number), f"S{number}", ("Horror",) if number % 2 else ("Romance",), number == 103)
        for number in range(100, 112)
    )
)


@dataclass
class Store:
    """A store of books 1-40 and the popular 100-111; every second book is Horror, the others Romance."""

    recommender: FakeRecommender = field(default_factory=FakeRecommender)
    products: FakeProducts = field(default_factory=FakeProducts)
    pricing: FakePricing = field(default_factory=FakePricing)
    fallbacks: list[tuple[str, str]] = field(default_factory=list)
    has_recommender: bool = True

    def __post_init__(self) -> None:
        numbers = (*range(1, 41), *range(100, 112))
        self.products.products = [
            product(each, genres=("Horror",) if each % 2 else ("Romance",), mature=each == 103)
            for each in numbers
        ]
        self.pricing.stock = {asin(each): offer(each) for each in numbers}
        self.pricing.vouched = {asin(each): signals(each) for each in numbers}

    def recommendations(self, **changes: int) -> Recommendations:
        return Recommendations(
            recommender=self.recommender if self.has_recommender else None,
            products=self.products,
            pricing=self.pricing,
            popularity=POPULAR,
            on_fallback=lambda part, reason: self.fallbacks.append((part, reason)),
            **changes,
        )
