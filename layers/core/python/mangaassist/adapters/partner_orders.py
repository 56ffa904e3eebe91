"""The orders service: what a customer bought."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from mangaassist.adapters.partner_http import PartnerHttp
from mangaassist.adapters.partner_wire import Asin, Instant, Money, Wire, belongs, is_id, or_unknown, path_of
from mangaassist.store.facts import Order, OrderLine
from mangaassist.store.ports import Page

DEPENDENCY: Final = "orders"


class _Line(Wire):
    asin: Asin
    title: str
    quantity: Annotated[int, Field(ge=1)]
    unit_price: Money


class _Order(Wire):
    order_id: str
    customer_id: str
    placed_at: Instant
    status: Annotated[
        Literal["processing", "shipped", "delivered", "cancelled", "unknown"],
        or_unknown({"processing", "shipped", "delivered", "cancelled"}),
    ]
    lines: tuple[_Line, ...]
    total: Money


class _Orders(Wire):
    orders: tuple[_Order, ...]
    next_page_token: str


class HttpOrders:
    """``Orders`` over HTTP."""

    def __init__(self, http: PartnerHttp) -> None:
        self._http = http

    async def of_customer(
        self, customer_id: str, *, page_size: int, page_token: str = "", deadline_ms: int
    ) -> Page[Order]:
        """A page of a customer's orders; nobody has none.

        Raises:
            DependencyError: also for a page token that the service did not give out (``status 400``).
        """
        if not is_id(customer_id):
            return Page(())
        path = path_of("/orders/v1/customers/{customer}/orders", customer=customer_id)
        query = [("limit", str(page_size)), *([("page_token", page_token)] if page_token else [])]
        answer = await self._http.find(DEPENDENCY, path, _Orders, query, deadline_ms=deadline_ms)
        if answer is None:
            return Page(())
        return Page(tuple(_order(customer_id, wire) for wire in answer.orders), answer.next_page_token)

    async def order(self, customer_id: str, order_id: str, *, deadline_ms: int) -> Order | None:
        """One order; ``None`` when this customer has none of that id."""
        if not is_id(customer_id, order_id):
            return None
        path = path_of("/orders/v1/customers/{customer}/orders/{order}", customer=customer_id, order=order_id)
        answer = await self._http.find(DEPENDENCY, path, _Order, deadline_ms=deadline_ms)
        if answer is None:
            return None
        belongs(DEPENDENCY, "order_id", expected=order_id, actual=answer.order_id)
        return _order(customer_id, answer)


def _order(customer_id: str, wire: _Order) -> Order:
    belongs(DEPENDENCY, "customer_id", expected=customer_id, actual=wire.customer_id)
    return Order(
        order_id=wire.order_id,
        customer_id=wire.customer_id,
        placed_at=wire.placed_at,
        status=wire.status,
        lines=tuple(
            OrderLine(line.asin, line.title, line.quantity, line.unit_price.fact()) for line in wire.lines
        ),
        total=wire.total.fact(),
    )
