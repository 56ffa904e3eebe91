"""May it be sent back? The store's return policy as a pure function.

1. Within 30 days after a line was delivered, to the second.
2. A sealed set that the customer has opened: not.
3. A line once, and only what was delivered: not a cancelled order, not a parcel on its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

RETURN_DAYS = 30

Status = Literal["eligible", "partially_eligible", "ineligible"]
Reason = Literal[
    "within_return_window",
    "some_lines_not_returnable",
    "no_line_returnable",
    "return_window_closed",
    "not_delivered",
    "order_cancelled",
    "sealed_set_opened",
    "already_returned",
]


@dataclass(frozen=True, slots=True)
class Line:
    """What the policy asks about a line of an order."""

    asin: str
    delivered_at: datetime | None
    opened_set: bool = False
    returned: bool = False


@dataclass(frozen=True, slots=True)
class Eligibility:
    """``until`` is the first of the eligible lines' last moments; ``lines`` says which are eligible."""

    status: Status
    reason: Reason
    until: datetime | None
    lines: dict[str, bool]


def judge(lines: Sequence[Line], *, is_cancelled: bool, now: datetime) -> Eligibility:
    """Whether an order of ``lines`` may be sent back at ``now``."""
    reasons: dict[str, Reason | None] = {
        line.asin: "order_cancelled" if is_cancelled else _against(line, now) for line in lines
    }
    eligible = {asin: reason is None for asin, reason in reasons.items()}
    ends = [
        line.delivered_at + timedelta(days=RETURN_DAYS)
        for line in lines
        if eligible[line.asin] and line.delivered_at is not None
    ]
    if ends and all(eligible.values()):
        return Eligibility("eligible", "within_return_window", min(ends), eligible)
    if ends:
        return Eligibility("partially_eligible", "some_lines_not_returnable", min(ends), eligible)
    told: set[Reason] = {reason for reason in reasons.values() if reason is not None}
    return Eligibility("ineligible", told.pop() if len(told) == 1 else "no_line_returnable", None, eligible)


def _against(line: Line, now: datetime) -> Reason | None:
    """What speaks against sending a line back."""
    if line.returned:
        return "already_returned"
    if line.delivered_at is None:
        return "not_delivered"
    if line.opened_set:
        return "sealed_set_opened"
    if now > line.delivered_at + timedelta(days=RETURN_DAYS):
        return "return_window_closed"
    return None
