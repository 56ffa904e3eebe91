"""Returns: whether an order may be sent back, and announcing that it is."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.partners import return_policy
from services.partners.database.models import Order, OrderLine, Return, ReturnLine, Shipment, ShipmentLine
from services.partners.problems import Problem, declared, not_found
from services.partners.routers.orders import find_order
from services.partners.schemas import (
    Answer,
    Asin,
    CustomerPath,
    Identifier,
    Instant,
    Money,
    Now,
    OrderPath,
    Store,
)

router = APIRouter(prefix="/returns/v1", tags=["returns"])

MOST_LINES = 100
IdempotencyKey = Annotated[
    str,
    Header(
        pattern=r"^[A-Za-z0-9_-]{8,128}$",
        description="Chosen by the caller, such as a UUID: a repeat with the same key gets the first answer again.",
        examples=["0f8fad5b-d9cb-469f-a165-70867728950e"],
    ),
]


class LineEligibility(Answer):
    """Of one line."""

    asin: str
    eligible: bool


class EligibilityV2(Answer):
    """The second vocabulary, which can say "in part"."""

    status: return_policy.Status
    reason: return_policy.Reason
    until: Instant | None = Field(description="The first of the eligible lines' last moments.")
    lines: list[LineEligibility]


class EligibilityAnswer(Answer):
    """Both vocabularies; `eligible` says true only where the whole order may be sent back."""

    order_id: str = Field(examples=["order-0002-01"])
    eligible: bool = Field(deprecated=True, description="Version 1: use `eligibility_v2`.")
    eligibility_v2: EligibilityV2


class ReturnRequest(BaseModel):
    """Which lines come back, each whole."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "customer-0002",
                    "order_id": "order-0002-01",
                    "asins": ["B0C62K7GJL"],
                    "reason": "changed_mind",
                }
            ]
        },
    )

    customer_id: Identifier
    order_id: Identifier
    asins: list[Asin] = Field(min_length=1, max_length=MOST_LINES)
    reason: Literal["changed_mind", "damaged", "wrong_item", "arrived_late", "other"]


class ReturnAnswer(Answer):
    """An announced return; the refund follows when the parcel has arrived."""

    return_id: str
    customer_id: str
    order_id: str
    asins: list[str]
    reason: str
    status: Literal["announced"] = "announced"
    refund: Money
    created_at: Instant


@router.get("/customers/{customer_id}/orders/{order_id}/eligibility", responses=declared(404))
def get_eligibility(
    store: Store, now: Now, customer_id: CustomerPath, order_id: OrderPath
) -> EligibilityAnswer:
    """Whether a customer's order may be sent back now: 30 days from delivery, opened sealed sets not."""
    with store.read() as session:
        order = find_order(session, customer_id, order_id)
        lines = _lines(session, order_id)
    found = return_policy.judge(lines, is_cancelled=order.status == "cancelled", now=now)
    # EligibilityAnswer(**…): naming a deprecated field would warn.
    return EligibilityAnswer.model_validate(
        {
            "order_id": order_id,
            "eligible": found.status == "eligible",
            "eligibility_v2": EligibilityV2(
                status=found.status,
                reason=found.reason,
                until=found.until,
                lines=[LineEligibility(asin=line.asin, eligible=found.lines[line.asin]) for line in lines],
            ),
        }
    )


@router.post(
    "/returns",
    status_code=201,
    responses={
        201: {
            "headers": {
                "Idempotency-Replayed": {
                    "description": "`true` where this is the answer of an earlier request with the same key.",
                    "schema": {"type": "string", "enum": ["true"]},
                }
            }
        },
        **declared(403, 404, 408, 409, 413),
    },
)
def post_return(
    store: Store, now: Now, wanted: ReturnRequest, idempotency_key: IdempotencyKey, response: Response
) -> ReturnAnswer:
    """Announce a return (administrator). 409 where the lines may not come back, or the key was used for others."""
    digest = hashlib.sha256(wanted.model_dump_json().encode()).hexdigest()
    with store.read() as session:
        answer = _replay(session, idempotency_key, digest)
    if answer is None:
        try:
            with store.write() as session:
                # Once more, where nobody else can write: the key may have been used since.
                answer = _replay(session, idempotency_key, digest)
                if answer is None:
                    return _announce(session, wanted, idempotency_key, digest, now)
        except IntegrityError:
            # A database that lets two write at once: the other one was first, with this key or with these lines.
            with store.read() as session:
                answer = _replay(session, idempotency_key, digest)
            if answer is None:
                raise _not_returnable() from None
    response.headers["Idempotency-Replayed"] = "true"
    return answer


def _announce(session: Session, wanted: ReturnRequest, key: str, digest: str, now: Instant) -> ReturnAnswer:
    order = find_order(session, wanted.customer_id, wanted.order_id)
    lines = _lines(session, order.order_id)
    if not set(wanted.asins) <= {line.asin for line in lines}:
        raise not_found("line in this order")
    found = return_policy.judge(lines, is_cancelled=order.status == "cancelled", now=now)
    if not all(found.lines[asin] for asin in wanted.asins):
        raise _not_returnable()
    made = Return(
        return_id=f"return-{uuid.uuid4()}",
        idempotency_key=key,
        request_digest=digest,
        order_id=order.order_id,
        customer_id=order.customer_id,
        reason=wanted.reason,
        refund_cents=_refund(session, order, wanted.asins),
        created_at=now,
    )
    session.add(made)
    session.flush()
    session.add_all(
        ReturnLine(order_id=order.order_id, asin=asin, return_id=made.return_id) for asin in set(wanted.asins)
    )
    session.flush()
    return _answer(session, made)


def _replay(session: Session, key: str, digest: str) -> ReturnAnswer | None:
    """The answer that this key got before, if it was used.

    Raises:
        Problem: 409 where it was used for another request.
    """
    made = session.scalars(select(Return).where(Return.idempotency_key == key)).one_or_none()
    if made is None:
        return None
    if made.request_digest != digest:
        raise Problem(
            409,
            "this Idempotency-Key was used for another request: choose a new key for a new return",
            kind="idempotency-key-reused",
        )
    return _answer(session, made)


def _answer(session: Session, made: Return) -> ReturnAnswer:
    asins = session.scalars(
        select(ReturnLine.asin).where(ReturnLine.return_id == made.return_id).order_by(ReturnLine.asin)
    ).all()
    return ReturnAnswer(
        return_id=made.return_id,
        customer_id=made.customer_id,
        order_id=made.order_id,
        asins=list(asins),
        reason=made.reason,
        refund=Money.of(made.refund_cents),
        created_at=made.created_at,
    )


def _refund(session: Session, order: Order, asins: Sequence[str]) -> int:
    lines = session.scalars(
        select(OrderLine).where(OrderLine.order_id == order.order_id, OrderLine.asin.in_(asins))
    )
    return sum(line.quantity * line.unit_price_cents for line in lines)


def _lines(session: Session, order_id: str) -> list[return_policy.Line]:
    """What the policy asks about the lines of an order."""
    statement = (
        select(OrderLine, Shipment.delivered_at, ReturnLine.return_id)
        .outerjoin(
            ShipmentLine,
            (ShipmentLine.order_id == OrderLine.order_id) & (ShipmentLine.asin == OrderLine.asin),
        )
        .outerjoin(Shipment, Shipment.shipment_id == ShipmentLine.shipment_id)
        .outerjoin(
            ReturnLine, (ReturnLine.order_id == OrderLine.order_id) & (ReturnLine.asin == OrderLine.asin)
        )
        .where(OrderLine.order_id == order_id)
        .order_by(OrderLine.position)
    )
    return [
        # An outer join: its column may be absent, which its type does not say.
        return_policy.Line(line.asin, delivered_at, line.opened_set, return_id is not None)  # pyright: ignore[reportUnnecessaryComparison]
        for line, delivered_at, return_id in session.execute(statement)
    ]


def _not_returnable() -> Problem:
    return Problem(
        409, "one of these lines may not be sent back: ask for the order's eligibility", kind="not-returnable"
    )
