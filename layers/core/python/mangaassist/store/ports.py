"""What the domain asks the store's services (CAT-1, CAT-2); ``adapters`` implement it over gRPC and HTTP.

Every method answers within the ``deadline_ms`` it is given (time left, from the turn's budget) or raises
``DependencyTimeout``; ``DependencyThrottled``, ``DependencyUnavailable`` and plain ``DependencyError`` (garbage, refused
credentials) say the rest. What a service does not know is absent from the answer, never an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

from mangaassist.store.facts import (
    Offer,
    Order,
    Product,
    Profile,
    Promotion,
    RatingSummary,
    ReturnEligibility,
    Shipment,
    TrustSignals,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of the answers, and where the rest begins; ``next_page_token`` is empty at the end."""

    items: tuple[T, ...]
    next_page_token: str = ""


FindBy = Literal["title", "creator", "genre", "series"]


class Products(Protocol):
    """The catalogue service."""

    async def get(self, asins: Sequence[str], *, deadline_ms: int) -> dict[str, Product]: ...

    async def find(
        self, by: FindBy, term: str, *, page_size: int, page_token: str = "", deadline_ms: int
    ) -> Page[Product]: ...


class Pricing(Protocol):
    """Prices, stock and what speaks for a listing."""

    async def offers(self, asins: Sequence[str], *, deadline_ms: int) -> dict[str, Offer]: ...

    async def trust(self, asins: Sequence[str], *, deadline_ms: int) -> dict[str, TrustSignals]: ...


class Reviews(Protocol):
    """Stars."""

    async def ratings(self, asins: Sequence[str], *, deadline_ms: int) -> dict[str, RatingSummary]: ...


class Promotions(Protocol):
    """What is reduced."""

    async def running(self, *, series_ids: Sequence[str] = (), deadline_ms: int) -> tuple[Promotion, ...]: ...


class Orders(Protocol):
    """What customers bought; an order of somebody else is an unknown one."""

    async def of_customer(
        self, customer_id: str, *, page_size: int, page_token: str = "", deadline_ms: int
    ) -> Page[Order]: ...

    async def order(self, customer_id: str, order_id: str, *, deadline_ms: int) -> Order | None: ...


class Shipping(Protocol):
    """Where parcels are."""

    async def of_order(
        self, customer_id: str, order_id: str, *, deadline_ms: int
    ) -> tuple[Shipment, ...]: ...


class Returns(Protocol):
    """What may be sent back."""

    async def eligibility(
        self, customer_id: str, order_id: str, *, deadline_ms: int
    ) -> ReturnEligibility | None: ...


class Profiles(Protocol):
    """What customers told of themselves."""

    async def profile(self, customer_id: str, *, deadline_ms: int) -> Profile | None: ...


class Recommender(Protocol):
    """Amazon Personalize's runtime; ASINs, best first."""

    async def for_user(
        self, user_id: str, *, limit: int, genres: Sequence[str] = (), deadline_ms: int
    ) -> tuple[str, ...]: ...

    async def similar_to(self, asin: str, *, limit: int, deadline_ms: int) -> tuple[str, ...]: ...
