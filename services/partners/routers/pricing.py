"""Pricing: what books cost now, how that came about, and the administrator's changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Header, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy import select

from services.partners.database.models import Offer, PriceChange
from services.partners.money import cents
from services.partners.paging import (
    BadPageToken,
    LimitQuery,
    PageTokenQuery,
    Position,
    decode,
    next_page_token,
)
from services.partners.problems import Problem, declared, not_found
from services.partners.schemas import (
    Answer,
    AsinPath,
    AsinsQuery,
    Instant,
    Money,
    Now,
    Price,
    Store,
    each_once,
    optional_money,
    whole_number,
)

router = APIRouter(prefix="/pricing/v1", tags=["pricing"])

MOST_STOCK = 1_000_000
_ETAG = {"ETag": {"description": "For If-Match.", "schema": {"type": "string"}, "example": '"3"'}}

Stock = Annotated[int, Field(ge=0, le=MOST_STOCK), BeforeValidator(whole_number)]


class OfferAnswer(Answer):
    """What a book costs now; `as_of` is when that was last changed."""

    asin: str
    price: Money
    list_price: Money | None = Field(description="What it cost before a reduction.")
    in_stock: bool
    stock: int = Field(ge=0)
    as_of: Instant

    @classmethod
    def of(cls, offer: Offer) -> OfferAnswer:
        """As it is told."""
        return cls(
            asin=offer.asin,
            price=Money.of(offer.price_cents),
            list_price=optional_money(offer.list_price_cents),
            in_stock=offer.stock > 0,
            stock=offer.stock,
            as_of=offer.as_of,
        )


class Offers(Answer):
    """Those that are known, in the order asked, and the ASINs of those that are not."""

    offers: list[OfferAnswer]
    unknown_asins: list[str]


class ChangeAnswer(Answer):
    """A state of an offer from `changed_at` until the next change."""

    price: Money
    list_price: Money | None
    stock: int = Field(ge=0)
    changed_at: Instant


class Changes(Answer):
    """Newest first."""

    changes: list[ChangeAnswer]
    next_page_token: str = Field(description="Empty at the end.")


class OfferChange(BaseModel):
    """What is left out stays as it is; a `list_price` of null takes it away, a `stock` of null does not."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"price": {"amount": "7.99"}, "list_price": {"amount": "9.99"}, "stock": 3}]
        },
    )

    price: Price
    list_price: Price | None = None
    stock: Stock | None = None


@router.get("/offers", responses=declared())
def get_offers(store: Store, asin: AsinsQuery) -> Offers:
    """Current and list prices and stock of up to 100 books."""
    asked = each_once(asin)
    with store.read() as session:
        found = {offer.asin: offer for offer in session.scalars(select(Offer).where(Offer.asin.in_(asked)))}
    return Offers(
        offers=[OfferAnswer.of(found[each]) for each in asked if each in found],
        unknown_asins=[each for each in asked if each not in found],
    )


@router.get("/offers/{asin}", responses={200: {"headers": _ETAG}, **declared(404)})
def get_offer(store: Store, asin: AsinPath, response: Response) -> OfferAnswer:
    """One offer with its entity tag, for an administrator who wants to change what they have seen."""
    with store.read() as session:
        offer = session.get(Offer, asin)
    if offer is None:
        raise not_found("offer")
    response.headers["ETag"] = _tag(offer)
    return OfferAnswer.of(offer)


@router.put(
    "/offers/{asin}",
    responses={200: {"headers": _ETAG}, **declared(403, 404, 408, 409, 412, 413)},
)
def put_offer(
    store: Store,
    now: Now,
    asin: AsinPath,
    change: OfferChange,
    response: Response,
    if_match: Annotated[
        str | None,
        Header(
            max_length=200,
            description="Change it only if it is still as this entity tag says.",
            examples=['"3"'],
        ),
    ] = None,
) -> OfferAnswer:
    """Set a price (administrator). Saying the same twice changes nothing the second time, not even `as_of`."""
    with store.write() as session:
        offer = session.scalars(select(Offer).where(Offer.asin == asin).with_for_update()).one_or_none()
        if offer is None:
            raise not_found("offer")
        if _apply(offer, change, if_match):
            offer.revision += 1
            offer.set_by_api = True
            # A clock that was set back must not make the newest change an earlier one.
            offer.as_of = max(now, offer.as_of)
            session.add(_history_entry(offer))
            session.flush()
        answer = OfferAnswer.of(offer)
        response.headers["ETag"] = _tag(offer)
    return answer


@router.get("/offers/{asin}/history", responses=declared(400, 404))
def get_history(
    store: Store, asin: AsinPath, limit: LimitQuery = 20, page_token: PageTokenQuery = ""
) -> Changes:
    """Every state an offer has been in, newest first."""
    of_list = ("price-history", asin)
    position = decode(of_list, page_token)
    statement = select(PriceChange).where(PriceChange.asin == asin).order_by(PriceChange.revision.desc())
    if position is not None:
        if not position.key.isdecimal() or len(position.key) > 9:
            raise BadPageToken
        statement = statement.where(PriceChange.revision < int(position.key))
    with store.read() as session:
        found = session.scalars(statement.limit(limit + 1)).all()
        if not found and session.get(Offer, asin) is None:
            raise not_found("offer")
    return Changes(
        changes=[
            ChangeAnswer(
                price=Money.of(change.price_cents),
                list_price=optional_money(change.list_price_cents),
                stock=change.stock,
                changed_at=change.changed_at,
            )
            for change in found[:limit]
        ],
        next_page_token=next_page_token(
            of_list, found, limit, lambda change: Position(change.changed_at, str(change.revision))
        ),
    )


def _apply(offer: Offer, change: OfferChange, if_match: str | None) -> bool:
    """Lay ``change`` over ``offer``; whether that changes anything.

    Raises:
        Problem: 412 for another state than ``if_match`` names, 409 for a list price below the price.
    """
    told = change.model_fields_set
    price, list_price, stock = cents(change.price.amount), offer.list_price_cents, offer.stock
    if "list_price" in told:
        list_price = cents(change.list_price.amount) if change.list_price else None
    if change.stock is not None:
        stock = change.stock
    if (price, list_price, stock) == (offer.price_cents, offer.list_price_cents, offer.stock):
        # Before the precondition, as RFC 9110 (13.1.1) allows: a repeat of what succeeded succeeds.
        return False
    if if_match is not None and not _matches(if_match, _tag(offer)):
        raise Problem(412, "the offer has changed since: get it again and decide anew", kind="changed-since")
    if list_price is not None and list_price < price:
        raise Problem(
            409,
            "list_price is below price: send a higher list_price, or null for none",
            kind="list-price-below-price",
        )
    offer.price_cents, offer.list_price_cents, offer.stock = price, list_price, stock
    return True


def _history_entry(offer: Offer) -> PriceChange:
    return PriceChange(
        asin=offer.asin,
        revision=offer.revision,
        price_cents=offer.price_cents,
        list_price_cents=offer.list_price_cents,
        stock=offer.stock,
        changed_at=offer.as_of,
        set_by_api=True,
    )


def _tag(offer: Offer) -> str:
    return f'"{offer.revision}"'


def _matches(if_match: str, tag: str) -> bool:
    given: Sequence[str] = [each.strip() for each in if_match.split(",")]
    return "*" in given or tag in given
