"""The shipping service: where parcels are."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from mangaassist.adapters.partner_http import PartnerHttp
from mangaassist.adapters.partner_wire import Instant, Wire, belongs, is_id, or_unknown, path_of
from mangaassist.store.facts import Shipment

DEPENDENCY: Final = "shipping"


class _Shipment(Wire):
    shipment_id: str
    order_id: str
    carrier: str
    status: Annotated[
        Literal["preparing", "in_transit", "delivered", "delayed", "unknown"],
        or_unknown({"preparing", "in_transit", "delivered", "delayed"}),
    ]
    shipped_at: Instant | None
    estimated_delivery: Instant | None
    delivered_at: Instant | None


class _Shipments(Wire):
    shipments: tuple[_Shipment, ...]


class HttpShipping:
    """``Shipping`` over HTTP."""

    def __init__(self, http: PartnerHttp) -> None:
        self._http = http

    async def of_order(self, customer_id: str, order_id: str, *, deadline_ms: int) -> tuple[Shipment, ...]:
        """The parcels of a customer's order; none for an order that is not theirs."""
        if not is_id(customer_id, order_id):
            return ()
        path = path_of(
            "/shipping/v1/customers/{customer}/orders/{order}/shipments", customer=customer_id, order=order_id
        )
        answer = await self._http.find(DEPENDENCY, path, _Shipments, deadline_ms=deadline_ms)
        return () if answer is None else tuple(_shipment(order_id, wire) for wire in answer.shipments)


def _shipment(order_id: str, wire: _Shipment) -> Shipment:
    belongs(DEPENDENCY, "order_id", expected=order_id, actual=wire.order_id)
    return Shipment(
        shipment_id=wire.shipment_id,
        order_id=wire.order_id,
        carrier=wire.carrier,
        status=wire.status,
        shipped_at=wire.shipped_at,
        estimated_delivery=wire.estimated_delivery,
        delivered_at=wire.delivered_at,
    )
