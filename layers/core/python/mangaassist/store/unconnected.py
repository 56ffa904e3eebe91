"""Services that this environment was not connected to: everything asked of them is unavailable, at once."""

from __future__ import annotations

from collections.abc import Sequence

from mangaassist.errors import DependencyUnavailable
from mangaassist.store.facts import Offer, Product, Promotion, RatingSummary, TrustSignals
from mangaassist.store.ports import FindBy, Page

REASON = "not connected"


class NoProducts:
    """In place of the catalogue service."""

    async def get(self, asins: Sequence[str], *, deadline_ms: int) -> dict[str, Product]:
        raise DependencyUnavailable("catalogue", REASON)

    async def find(
        self, by: FindBy, term: str, *, page_size: int, page_token: str = "", deadline_ms: int
    ) -> Page[Product]:
        raise DependencyUnavailable("catalogue", REASON)


class NoPricing:
    """In place of pricing."""

    async def offers(self, asins: Sequence[str], *, deadline_ms: int) -> dict[str, Offer]:
        raise DependencyUnavailable("pricing", REASON)

    async def trust(self, asins: Sequence[str], *, deadline_ms: int) -> dict[str, TrustSignals]:
        raise DependencyUnavailable("pricing", REASON)


class NoReviews:
    """In place of reviews."""

    async def ratings(self, asins: Sequence[str], *, deadline_ms: int) -> dict[str, RatingSummary]:
        raise DependencyUnavailable("reviews", REASON)


class NoPromotions:
    """In place of promotions."""

    async def running(self, *, series_ids: Sequence[str] = (), deadline_ms: int) -> tuple[Promotion, ...]:
        raise DependencyUnavailable("promotions", REASON)
