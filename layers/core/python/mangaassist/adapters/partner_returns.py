"""The returns service: what may be sent back, in the vocabulary the service speaks.

``eligible`` says yes or no; ``eligibility_v2`` came beside it and says more. A service that speaks both is read by the
second, one that only speaks the first by that.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from mangaassist.adapters.partner_http import PartnerHttp
from mangaassist.adapters.partner_wire import Instant, Wire, belongs, is_id, or_unknown, path_of
from mangaassist.store.facts import ReturnEligibility

DEPENDENCY: Final = "returns"


class _EligibilityV2(Wire):
    status: Annotated[
        Literal["eligible", "partially_eligible", "ineligible", "unknown"],
        or_unknown({"eligible", "partially_eligible", "ineligible"}),
    ]
    reason: str
    until: Instant | None


class _Eligibility(Wire):
    order_id: str
    eligible: bool | None = None
    eligibility_v2: _EligibilityV2 | None = None

    @model_validator(mode="after")
    def _speaks_one_vocabulary(self) -> Self:
        if self.eligible is None and self.eligibility_v2 is None:
            raise PydanticCustomError("eligibility_v2_and_eligible_missing", "neither vocabulary is spoken")
        return self


class HttpReturns:
    """``Returns`` over HTTP."""

    def __init__(self, http: PartnerHttp) -> None:
        self._http = http

    async def eligibility(
        self, customer_id: str, order_id: str, *, deadline_ms: int
    ) -> ReturnEligibility | None:
        """Whether an order may be sent back; ``None`` when this customer has none of that id."""
        if not is_id(customer_id, order_id):
            return None
        path = path_of(
            "/returns/v1/customers/{customer}/orders/{order}/eligibility",
            customer=customer_id,
            order=order_id,
        )
        answer = await self._http.find(DEPENDENCY, path, _Eligibility, deadline_ms=deadline_ms)
        if answer is None:
            return None
        belongs(DEPENDENCY, "order_id", expected=order_id, actual=answer.order_id)
        if (second := answer.eligibility_v2) is not None:
            return ReturnEligibility(order_id, second.status, second.reason, second.until)
        return ReturnEligibility(order_id, "eligible" if answer.eligible else "ineligible", "", None)
