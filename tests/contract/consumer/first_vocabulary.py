"""A consumer of returns from before ``eligibility_v2``: it reads ``eligible`` and nothing else, and is still in use."""

from __future__ import annotations

from typing import Any

import httpx
from pact import match

from tests.contract.consumer.customers import DELIVERED, ELIGIBILITY
from tests.contract.consumer.expectations import CREDENTIAL, ORDER, Expectation

CONSUMER = "mangaassist_before_v2"


def may_be_sent_back(url: str) -> bool:
    """All that the old reader makes of an answer."""
    answer = httpx.get(
        f"{url}{ELIGIBILITY}",
        headers={"Authorization": f"Bearer {CREDENTIAL}", "Accept": "application/json"},
        trust_env=False,
    )
    document: dict[str, Any] = answer.raise_for_status().json()
    assert document["order_id"] == ORDER
    return document["eligible"]


def _expectation(description: str, state: str, eligible: bool) -> Expectation:
    return Expectation(
        description,
        state,
        ELIGIBILITY,
        may_be_sent_back,
        lambda found: found is eligible,
        body={"order_id": ORDER, "eligible": match.boolean(eligible)},
    )


RETURNS = (
    _expectation("a request whether a delivered order may be sent back", DELIVERED, True),
    _expectation(
        "a request whether an order on its way may be sent back", "a customer has one order on its way", False
    ),
)
