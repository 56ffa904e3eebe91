"""Orders with what became of them, parcels, and what was sent back; one plan each (``plans``)."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from mangaassist.catalogue.records import SeriesRecord
from services.partners.world.customers import customer_id
from services.partners.world.plans import PLANS, Days, Parcel, Plan
from services.partners.world.rows import Row, World
from services.partners.world.rules import between, chance, world_rules
from services.partners.world.suspicious import suspicious_asins


@dataclass
class _Shelf:
    """What can be ordered, and what it cost when."""

    series: dict[str, list[str]]
    popular: list[str]
    weights: list[int]
    mature: frozenset[str]
    prices: dict[str, tuple[list[datetime], list[int]]]

    def price(self, asin: str, at: datetime) -> int:
        """The price in force at ``at``; in cents."""
        since, cents = self.prices[asin]
        return cents[bisect_right(since, at) - 1]


def add_orders(world: World, records: Sequence[SeriesRecord]) -> None:
    """Every customer's orders; suspicious listings are in none of them."""
    rule = world_rules("customers")
    shelf = _shelf(world, records)
    if not shelf.popular:
        return
    for number, customer in enumerate(world.customers, start=1):
        if number % rule["without_orders_every"] == 0:
            continue
        numbers = chance(f"orders/{number}")
        first = PLANS[(number - 1) % len(PLANS)]
        plans = [first, *numbers.choices(PLANS, k=between(numbers, rule["further_orders"]))]
        for place, plan in enumerate(plans, start=1):
            order_id = f"order-{number:04d}-{place:02d}"
            _add_order(world, shelf, customer, order_id, plan, numbers)


def first_customer(plan_name: str) -> str:
    """The id of a customer whose first order follows the plan."""
    every = world_rules("customers")["without_orders_every"]
    place = next(place for place, plan in enumerate(PLANS, start=1) if plan.name == plan_name)
    return customer_id(place if place % every else place + len(PLANS))


def _add_order(
    world: World, shelf: _Shelf, customer: Row, order_id: str, plan: Plan, numbers: Random
) -> None:
    placed_at = _at(world.epoch, plan.placed, numbers)
    asins = _choose(shelf, customer, plan, numbers)
    owner: str = customer["customer_id"]
    world.orders.append(
        {"order_id": order_id, "customer_id": owner, "placed_at": placed_at, "status": plan.status}
    )
    lines: list[Row] = []
    for position, asin in enumerate(asins):
        in_set = plan.sets == "all" or (plan.sets == "some" and position < len(asins) - 1)
        lines.append(
            {
                "order_id": order_id,
                "asin": asin,
                "position": position,
                "quantity": 1 if in_set else numbers.choice(world_rules("orders")["quantities"]),
                "unit_price_cents": shelf.price(asin, placed_at),
                "sealed_set": in_set,
                "opened_set": in_set and plan.opened,
            }
        )
    world.order_lines += lines
    parcels = [
        _add_parcel(world, order_id, place, parcel, asins[place :: len(plan.parcels)], numbers)
        for place, parcel in enumerate(plan.parcels)
    ]
    _add_events(world, order_id, plan, placed_at, parcels, numbers)
    if plan.returned:
        _add_return(world, order_id, owner, lines[0], parcels[0]["delivered_at"])


def _add_parcel(
    world: World, order_id: str, place: int, parcel: Parcel, asins: Sequence[str], numbers: Random
) -> Row:
    shipment_id = f"{order_id.replace('order', 'parcel')}-{place + 1}"
    row = {
        "shipment_id": shipment_id,
        "order_id": order_id,
        "carrier": numbers.choice(world_rules("orders")["carriers"]),
        "status": parcel.status,
        "shipped_at": _at(world.epoch, parcel.shipped, numbers) if parcel.shipped else None,
        "estimated_delivery": _at(world.epoch, parcel.estimated, numbers) if parcel.estimated else None,
        "delivered_at": _at(world.epoch, parcel.delivered, numbers) if parcel.delivered else None,
    }
    world.shipments.append(row)
    world.shipment_lines += [
        {"shipment_id": shipment_id, "order_id": order_id, "asin": asin} for asin in asins
    ]
    return row


def _add_events(
    world: World, order_id: str, plan: Plan, placed_at: datetime, parcels: Sequence[Row], numbers: Random
) -> None:
    events = [("processing", placed_at)]
    if plan.cancelled:
        events.append(("cancelled", _at(world.epoch, plan.cancelled, numbers)))
    if plan.status in ("shipped", "delivered"):
        events.append(("shipped", min(row["shipped_at"] for row in parcels)))
    if plan.status == "delivered":
        events.append(("delivered", max(row["delivered_at"] for row in parcels)))
    world.order_events += [
        {"order_id": order_id, "position": position, "status": status, "at": at}
        for position, (status, at) in enumerate(events)
    ]


def _add_return(world: World, order_id: str, owner: str, line: Row, delivered_at: datetime) -> None:
    return_id = order_id.replace("order", "return")
    key = f"world-{order_id}"
    world.returns.append(
        {
            "return_id": return_id,
            "idempotency_key": key,
            "request_digest": hashlib.sha256(key.encode()).hexdigest(),
            "order_id": order_id,
            "customer_id": owner,
            "reason": "changed_mind",
            "refund_cents": line["quantity"] * line["unit_price_cents"],
            "created_at": delivered_at + timedelta(days=1),
        }
    )
    world.return_lines.append({"order_id": order_id, "asin": line["asin"], "return_id": return_id})


def _choose(shelf: _Shelf, customer: Row, plan: Plan, numbers: Random) -> list[str]:
    """Different books: of a favourite series where there is one, and for a set of one series."""
    wanted = max(plan.least_lines, between(numbers, world_rules("orders")["lines"]))
    favourites = [series_id for series_id in customer["favourite_series"] if series_id in shelf.series]
    chosen: list[str] = []
    if favourites:
        volumes = shelf.series[numbers.choice(favourites)]
        start = numbers.randrange(len(volumes))
        chosen = volumes[start : start + wanted]
    attempts = 0
    while len(chosen) < wanted and attempts < 100:
        attempts += 1
        series_id = numbers.choices(shelf.popular, shelf.weights)[0]
        asin = numbers.choice(shelf.series[series_id])
        if asin not in chosen and (customer["mature_allowed"] or series_id not in shelf.mature):
            chosen.append(asin)
    if len(chosen) < plan.least_lines:
        raise ValueError("the feed has too few books to order from: give it a handful of series at least")
    return chosen


def _shelf(world: World, records: Sequence[SeriesRecord]) -> _Shelf:
    doubtful = suspicious_asins(records, world.epoch.year)
    series = {
        record.series_id: [volume.asin for volume in record.volumes if volume.asin not in doubtful]
        for record in records
    }
    series = {series_id: asins for series_id, asins in series.items() if asins}
    stocked = [record for record in records if record.series_id in series]
    prices: defaultdict[str, tuple[list[datetime], list[int]]] = defaultdict(lambda: ([], []))
    for change in world.price_changes:
        since, cents = prices[change["asin"]]
        since.append(change["changed_at"])
        cents.append(change["price_cents"])
    return _Shelf(
        series,
        [record.series_id for record in stocked],
        [record.rating.count + 1 for record in stocked],
        frozenset(record.series_id for record in stocked if record.mature),
        prices,
    )


def _at(epoch: datetime, days: Days, numbers: Random) -> datetime:
    """Some second of the days: working hours, and before the epoch for a past day."""
    return epoch + timedelta(
        days=numbers.randint(*days), hours=numbers.randint(8, 19), seconds=numbers.randrange(3600)
    )
