"""The pricing service: what books cost, and what speaks for their listings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field

from mangaassist.adapters.partner_batches import by_asin
from mangaassist.adapters.partner_http import PartnerHttp
from mangaassist.adapters.partner_wire import Asin, Count, Instant, Money, Wire
from mangaassist.store.facts import Offer, TrustSignals

DEPENDENCY: Final = "pricing"


class _Offer(Wire):
    asin: Asin
    price: Money
    list_price: Money | None
    in_stock: bool
    stock: Count
    as_of: Instant


class _Offers(Wire):
    offers: tuple[_Offer, ...]


class _Seller(Wire):
    age_days: Count


class _Signals(Wire):
    asin: Asin
    listing_trust_score: Annotated[float, Field(ge=0, le=1)]
    listing_age_days: Count
    established_title: bool
    seller: _Seller
    price: Money
    comparable_price: Money | None


class _TrustSignals(Wire):
    signals: tuple[_Signals, ...]


class HttpPricing:
    """``Pricing`` over HTTP."""

    def __init__(self, http: PartnerHttp) -> None:
        self._http = http

    async def offers(self, asins: Sequence[str], *, deadline_ms: int) -> dict[str, Offer]:
        """Price and stock of those ``asins`` that are on offer."""

        async def ask(part: Sequence[str]) -> dict[str, Offer]:
            answer = await self._http.get(
                DEPENDENCY,
                "/pricing/v1/offers",
                _Offers,
                [("asin", asin) for asin in part],
                deadline_ms=deadline_ms,
            )
            return {wire.asin: _offer(wire) for wire in answer.offers}

        return await by_asin(asins, ask)

    async def trust(self, asins: Sequence[str], *, deadline_ms: int) -> dict[str, TrustSignals]:
        """Signals about the listings of those ``asins`` that have one."""

        async def ask(part: Sequence[str]) -> dict[str, TrustSignals]:
            answer = await self._http.get(
                DEPENDENCY,
                "/pricing/v1/trust-signals",
                _TrustSignals,
                [("asin", asin) for asin in part],
                deadline_ms=deadline_ms,
            )
            return {wire.asin: _signals(wire) for wire in answer.signals}

        return await by_asin(asins, ask)


def _offer(wire: _Offer) -> Offer:
    return Offer(
        asin=wire.asin,
        price=wire.price.fact(),
        list_price=wire.list_price and wire.list_price.fact(),
        in_stock=wire.in_stock,
        stock=wire.stock,
        as_of=wire.as_of,
    )


def _signals(wire: _Signals) -> TrustSignals:
    return TrustSignals(
        asin=wire.asin,
        listing_trust_score=wire.listing_trust_score,
        listing_age_days=wire.listing_age_days,
        seller_age_days=wire.seller.age_days,
        established_title=wire.established_title,
        price=wire.price.fact(),
        comparable_price=wire.comparable_price and wire.comparable_price.fact(),
    )
