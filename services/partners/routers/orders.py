"""Orders: what customers bought, and what became of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.partners.database.models import Order, OrderEvent, OrderLine, Product
from services.partners.paging import (
    LimitQuery,
    PageTokenQuery,
    Position,
    decode,
    newest_first,
    next_page_token,
)
from services.partners.problems import declared, not_found
from services.partners.schemas import Answer, CustomerPath, Instant, Money, OrderPath, Store

router = APIRouter(prefix="/orders/v1", tags=["orders"])

Status = Literal["processing", "shipped", "delivered", "cancelled"]


class LineAnswer(Answer):
    """`unit_price` is what was paid then, not what it costs now."""

    asin: str
    title: str
    quantity: int = Field(ge=1)
    unit_price: Money


class OrderAnswer(Answer):
    """An order; `shipped` from its first parcel on, `delivered` with its last."""

    order_id: str = Field(examples=["order-0001-01"])
    customer_id: str = Field(examples=["customer-0001"])
    placed_at: Instant
    status: Status
    lines: list[LineAnswer]
    total: Money = Field(description="Of everything ordered, cancelled or not.")


class EventAnswer(Answer):
    """When the order came to a status."""

    status: Status
    at: Instant


class OrderWithHistory(OrderAnswer):
    """An order, and how it came to its status, oldest first."""

    history: list[EventAnswer]


class Orders(Answer):
    """Newest first."""

    orders: list[OrderAnswer]
    next_page_token: str = Field(description="Empty at the end.")


def find_order(session: Session, customer_id: str, order_id: str) -> Order:
    """The customer's order.

    Raises:
        Problem: 404 where there is none; one of somebody else is none.
    """
    order = session.get(Order, order_id)
    if order is None or order.customer_id != customer_id:
        raise not_found("order")
    return order


@router.get("/customers/{customer_id}/orders", responses=declared(400))
def get_orders(
    store: Store, customer_id: CustomerPath, limit: LimitQuery = 20, page_token: PageTokenQuery = ""
) -> Orders:
    """A customer's orders, newest first; none for a customer that is unknown here, who has not ordered yet."""
    of_list = ("orders", customer_id)
    position = decode(of_list, page_token)
    statement = select(Order).where(Order.customer_id == customer_id)
    with store.read() as session:
        found = session.scalars(
            newest_first(statement, Order.placed_at, Order.order_id, position, limit)
        ).all()
        lines = _lines(session, [order.order_id for order in found[:limit]])
    return Orders(
        orders=[OrderAnswer.model_validate(_facts(order, lines[order.order_id])) for order in found[:limit]],
        next_page_token=next_page_token(
            of_list, found, limit, lambda order: Position(order.placed_at, order.order_id)
        ),
    )


@router.get("/customers/{customer_id}/orders/{order_id}", responses=declared(404))
def get_order(store: Store, customer_id: CustomerPath, order_id: OrderPath) -> OrderWithHistory:
    """One order of the customer, with its history."""
    with store.read() as session:
        order = find_order(session, customer_id, order_id)
        lines = _lines(session, [order_id])
        events = session.scalars(
            select(OrderEvent).where(OrderEvent.order_id == order_id).order_by(OrderEvent.position)
        ).all()
    history = [{"status": event.status, "at": event.at} for event in events]
    return OrderWithHistory.model_validate({**_facts(order, lines[order_id]), "history": history})


def _facts(order: Order, lines: Sequence[tuple[OrderLine, str]]) -> dict[str, object]:
    """What both shapes of an order hold."""
    return {
        "order_id": order.order_id,
        "customer_id": order.customer_id,
        "placed_at": order.placed_at,
        "status": order.status,
        "lines": [
            LineAnswer(
                asin=line.asin,
                title=title,
                quantity=line.quantity,
                unit_price=Money.of(line.unit_price_cents),
            )
            for line, title in lines
        ],
        "total": Money.of(sum(line.quantity * line.unit_price_cents for line, _ in lines)),
    }


def _lines(session: Session, order_ids: Sequence[str]) -> dict[str, list[tuple[OrderLine, str]]]:
    """Lines with their titles, by order."""
    statement = (
        select(OrderLine, Product.title)
        .join(Product, Product.asin == OrderLine.asin)
        .where(OrderLine.order_id.in_(order_ids))
        .order_by(OrderLine.order_id, OrderLine.position)
    )
    found: defaultdict[str, list[tuple[OrderLine, str]]] = defaultdict(list)
    for line, title in session.execute(statement):
        found[line.order_id].append((line, title))
    return found
