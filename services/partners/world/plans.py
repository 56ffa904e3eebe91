"""What can have become of an order: one plan for each story the assistant must be able to tell.

A plan's days are counted from the epoch: negative is past. The first order of customer *n* follows plan
*(n - 1) mod len(PLANS)*, so every story is there and anybody can find one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Days = tuple[int, int]
"""Earliest and latest whole day relative to the epoch."""


@dataclass(frozen=True)
class Parcel:
    """A shipment; ``shipped`` and ``delivered`` are absent where it has not happened."""

    status: Literal["preparing", "in_transit", "delivered", "delayed"]
    shipped: Days | None = None
    delivered: Days | None = None
    estimated: Days | None = None


@dataclass(frozen=True)
class Plan:
    """``placed`` is when; lines are dealt to ``parcels`` in turn."""

    name: str
    placed: Days
    status: Literal["processing", "shipped", "delivered", "cancelled"]
    parcels: tuple[Parcel, ...] = ()
    cancelled: Days | None = None
    sets: Literal["none", "some", "all"] = "none"
    opened: bool = False
    returned: bool = False

    @property
    def least_lines(self) -> int:
        """Lines without which the plan cannot be told."""
        return max(len(self.parcels), 2 if self.sets == "some" or self.returned else 1)


RECENT = Parcel("delivered", shipped=(-15, -14), delivered=(-12, -5))
FORMER = Parcel("delivered", shipped=(-150, -140), delivered=(-137, -60))

PLANS = (
    Plan("in_transit", (-5, -4), "shipped", (Parcel("in_transit", shipped=(-3, -2), estimated=(9, 12)),)),
    Plan("delivered", (-18, -17), "delivered", (RECENT,)),
    Plan("processing", (-1, -1), "processing"),
    Plan("delivered_long_ago", (-155, -152), "delivered", (FORMER,)),
    Plan(
        "partly_shipped",
        (-16, -16),
        "shipped",
        (RECENT, Parcel("in_transit", shipped=(-4, -3), estimated=(8, 11))),
    ),
    Plan("opened_set_and_more", (-18, -17), "delivered", (RECENT,), sets="some", opened=True),
    Plan("cancelled", (-90, -60), "cancelled", cancelled=(-58, -58)),
    Plan("delayed", (-16, -15), "shipped", (Parcel("delayed", shipped=(-14, -13), estimated=(-3, -2)),)),
    Plan("opened_set", (-18, -17), "delivered", (RECENT,), sets="all", opened=True),
    Plan("preparing", (-2, -2), "processing", (Parcel("preparing", estimated=(10, 13)),)),
    Plan("sealed_set", (-18, -17), "delivered", (RECENT,), sets="all"),
    Plan("partly_returned", (-18, -17), "delivered", (RECENT,), returned=True),
    Plan("partly_too_late", (-155, -152), "delivered", (FORMER, RECENT)),
)
