"""Shipping: where the parcels of an order are."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select

from services.partners.database.models import Shipment
from services.partners.problems import declared
from services.partners.routers.orders import find_order
from services.partners.schemas import Answer, CustomerPath, Instant, OrderPath, Store

router = APIRouter(prefix="/shipping/v1", tags=["shipping"])


class ShipmentAnswer(Answer):
    """A parcel."""

    shipment_id: str = Field(examples=["parcel-0001-01-1"])
    order_id: str
    carrier: str
    status: Literal["preparing", "in_transit", "delivered", "delayed"]
    shipped_at: Instant | None
    estimated_delivery: Instant | None = Field(description="Null once it has arrived.")
    delivered_at: Instant | None


class Shipments(Answer):
    """In the order in which they were packed."""

    shipments: list[ShipmentAnswer]


@router.get("/customers/{customer_id}/orders/{order_id}/shipments", responses=declared(404))
def get_shipments(store: Store, customer_id: CustomerPath, order_id: OrderPath) -> Shipments:
    """The parcels of a customer's order; none before the first is packed."""
    with store.read() as session:
        find_order(session, customer_id, order_id)
        found = session.scalars(
            select(Shipment).where(Shipment.order_id == order_id).order_by(Shipment.shipment_id)
        ).all()
    return Shipments(
        shipments=[ShipmentAnswer.model_validate(parcel, from_attributes=True) for parcel in found]
    )
