"""Profile: what customers told the store of themselves."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import Field

from services.partners.database.models import Customer
from services.partners.problems import declared, not_found
from services.partners.schemas import Answer, CustomerPath, Store

router = APIRouter(prefix="/profile/v1", tags=["profile"])


class ProfileAnswer(Answer):
    """Tastes; no name, no address."""

    customer_id: str = Field(examples=["customer-0001"])
    language: Literal["en", "ja"]
    favourite_genres: list[str] = Field(examples=[["Horror", "Mystery"]])
    favourite_series: list[str] = Field(examples=[["MG00001"]])
    mature_allowed: bool


@router.get("/customers/{customer_id}", responses=declared(404))
def get_profile(store: Store, customer_id: CustomerPath) -> ProfileAnswer:
    """One customer's profile."""
    with store.read() as session:
        customer = session.get(Customer, customer_id)
    if customer is None:
        raise not_found("customer")
    return ProfileAnswer.model_validate(customer, from_attributes=True)
