"""The synthetic world is consistent with itself and with the feed."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mangaassist.catalogue.records import SeriesRecord
from services.partners.database.models import Base
from services.partners.money import cents
from services.partners.return_policy import RETURN_DAYS
from services.partners.world.build import build
from services.partners.world.orders import first_customer
from services.partners.world.plans import PLANS
from services.partners.world.reviews import star_counts
from services.partners.world.rows import Row, World
from services.partners.world.rules import world_rules
from services.partners.world.suspicious import KINDS, suspicious_asins
from tests.unit.partners.conftest import EPOCH


def _by(rows: list[Row], name: str) -> dict[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[name]].append(row)
    return found


def test_the_same_feed_and_epoch_give_the_same_world(records: list[SeriesRecord], world: World) -> None:
    assert build(records, EPOCH) == world
    assert build(records, EPOCH + timedelta(days=7)).orders != world.orders


def test_every_table_is_filled_but_the_one_about_the_database(world: World) -> None:
    filled = {model.__tablename__ for model, rows in world.tables() if rows}
    assert filled == set(Base.metadata.tables) - {"meta"}


def test_nothing_that_has_happened_is_later_than_the_epoch(world: World) -> None:
    past = {
        "placed_at",
        "at",
        "shipped_at",
        "delivered_at",
        "written_at",
        "changed_at",
        "as_of",
        "since",
        "listed_at",
        "created_at",
    }
    late = [
        (model.__tablename__, name)
        for model, rows in world.tables()
        for row in rows
        for name, value in row.items()
        if name in past and value is not None and value > EPOCH
    ]
    assert late == []


def test_prices_are_the_feeds_but_for_the_suspicious(records: list[SeriesRecord], world: World) -> None:
    wrong = suspicious_asins(records, EPOCH.year)
    offers = {row["asin"]: row for row in world.offers}
    for record in records:
        for volume in record.volumes:
            offer = offers[volume.asin]
            if wrong.get(volume.asin) == "underpriced":
                assert offer["price_cents"] * 10 <= cents(volume.price) * 3
            else:
                assert offer["price_cents"] == cents(volume.price)
                assert offer["stock"] == volume.stock
            assert offer["list_price_cents"] is None or offer["list_price_cents"] >= offer["price_cents"]


def test_a_history_begins_with_the_listing_rises_in_time_and_ends_with_the_offer(world: World) -> None:
    history = _by(world.price_changes, "asin")
    listed = {row["asin"]: row["listed_at"] for row in world.listings}
    for offer in world.offers:
        changes = history[offer["asin"]]
        times = [change["changed_at"] for change in changes]
        assert times[0] == listed[offer["asin"]]
        assert times == sorted(set(times))
        assert [change["revision"] for change in changes] == list(range(1, offer["revision"] + 1))
        last = changes[-1]
        assert all(last[name] == offer[name] for name in ("price_cents", "list_price_cents", "stock"))
        assert last["changed_at"] == offer["as_of"]
    assert max(len(changes) for changes in history.values()) >= 3


def test_a_line_cost_what_the_book_cost_then(world: World) -> None:
    history = _by(world.price_changes, "asin")
    placed = {row["order_id"]: row["placed_at"] for row in world.orders}
    for line in world.order_lines:
        before = [row for row in history[line["asin"]] if row["changed_at"] <= placed[line["order_id"]]]
        assert line["unit_price_cents"] == before[-1]["price_cents"]


def test_orders_belong_to_customers_and_have_distinct_lines(world: World) -> None:
    customers = {row["customer_id"]: row for row in world.customers}
    series = {row["asin"]: row["series_id"] for row in world.products}
    mature = {row["series_id"] for row in world.series if row["mature"]}
    lines = _by(world.order_lines, "order_id")
    for order in world.orders:
        mine = lines[order["order_id"]]
        assert mine
        assert len({line["asin"] for line in mine}) == len(mine)
        if not customers[order["customer_id"]]["mature_allowed"]:
            assert mature.isdisjoint(series[line["asin"]] for line in mine)


def test_parcels_agree_with_their_orders(world: World) -> None:
    orders = {row["order_id"]: row for row in world.orders}
    lines = {(row["order_id"], row["asin"]) for row in world.order_lines}
    packed = [(row["order_id"], row["asin"]) for row in world.shipment_lines]
    assert len(set(packed)) == len(packed)
    assert set(packed) <= lines
    by_order = _by(world.shipments, "order_id")
    assert set(by_order) <= set(orders)
    for order_id, order in orders.items():
        statuses = {parcel["status"] for parcel in by_order.get(order_id, ())}
        match order["status"]:
            case "cancelled":
                assert not statuses
            case "processing":
                assert statuses <= {"preparing"}
            case "delivered":
                assert statuses == {"delivered"}
                assert {key for key in lines if key[0] == order_id} <= set(packed)
            case _:
                assert statuses & {"in_transit", "delayed"}


def test_a_parcel_is_ordered_shipped_and_delivered_in_this_order(world: World) -> None:
    orders = {row["order_id"]: row for row in world.orders}
    for parcel in world.shipments:
        placed, shipped, delivered = (
            orders[parcel["order_id"]]["placed_at"],
            parcel["shipped_at"],
            parcel["delivered_at"],
        )
        assert (shipped is None) == (parcel["status"] == "preparing")
        assert (delivered is None) == (parcel["status"] != "delivered")
        assert (parcel["estimated_delivery"] is None) == (parcel["status"] == "delivered")
        assert shipped is None or placed < shipped
        assert delivered is None or shipped < delivered
        if parcel["status"] in ("in_transit", "preparing"):
            assert parcel["estimated_delivery"] > EPOCH + timedelta(days=7), "on its way for a whole week"
        if parcel["status"] == "delayed":
            assert parcel["estimated_delivery"] < EPOCH


def test_a_history_of_an_order_ends_with_its_status(world: World) -> None:
    events = _by(world.order_events, "order_id")
    for order in world.orders:
        mine = events[order["order_id"]]
        assert mine[0]["at"] == order["placed_at"]
        assert [event["at"] for event in mine] == sorted(event["at"] for event in mine)
        assert mine[-1]["status"] == order["status"]


def test_what_was_sent_back_had_arrived_in_time(world: World) -> None:
    arrived = {
        (line["order_id"], line["asin"]): parcel["delivered_at"]
        for parcel in world.shipments
        for line in world.shipment_lines
        if line["shipment_id"] == parcel["shipment_id"]
    }
    made = {row["return_id"]: row for row in world.returns}
    assert len(world.return_lines) >= len(made)
    for line in world.return_lines:
        delivered = arrived[line["order_id"], line["asin"]]
        created = made[line["return_id"]]["created_at"]
        assert delivered < created <= delivered + timedelta(days=RETURN_DAYS)


def test_every_story_has_its_customer(world: World) -> None:
    orders = {row["order_id"]: row for row in world.orders}
    for plan in PLANS:
        order = orders[first_customer(plan.name).replace("customer", "order") + "-01"]
        assert order["status"] == plan.status


def test_ratings_are_the_feeds_as_nearly_as_whole_stars_allow(
    records: list[SeriesRecord], world: World
) -> None:
    counts = _by(world.star_counts, "series_id")
    for record in records:
        mine = {row["stars"]: row["count"] for row in counts[record.series_id]}
        total = sum(mine.values())
        assert total == record.rating.count
        mean = sum(stars * count for stars, count in mine.items()) / total
        assert abs(mean - record.rating.average) <= 0.5 / total + 1e-9


def test_reviews_are_among_the_ratings_and_buyers_had_the_book(world: World) -> None:
    counts = {(row["series_id"], row["stars"]): row["count"] for row in world.star_counts}
    written = Counter((row["series_id"], row["stars"]) for row in world.reviews)
    assert all(counts[key] >= number for key, number in written.items())
    orders = {row["order_id"]: row for row in world.orders}
    received: defaultdict[tuple[str, str], list[object]] = defaultdict(list)
    for line in world.shipment_lines:
        parcel = next(row for row in world.shipments if row["shipment_id"] == line["shipment_id"])
        if parcel["delivered_at"]:
            received[orders[line["order_id"]]["customer_id"], line["asin"]].append(parcel["delivered_at"])
    by_buyers = [row for row in world.reviews if row["customer_id"]]
    assert by_buyers
    for review in by_buyers:
        assert min(received[review["customer_id"], review["asin"]]) < review["written_at"]  # type: ignore[type-var]


@given(some.integers(10, 50), some.integers(0, 5_000))
def test_star_counts(tenths: int, count: int) -> None:
    found = star_counts(tenths / 10, count)
    assert set(found) == {1, 2, 3, 4, 5}
    assert min(found.values()) >= 0
    assert sum(found.values()) == count
    if count:
        mean = sum(stars * number for stars, number in found.items()) / count
        assert abs(mean - tenths / 10) <= 0.5 / count + 1e-9


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_listings_are_suspicious_and_the_others_are_good(
    records: list[SeriesRecord], world: World, kind: str
) -> None:
    wrong = suspicious_asins(records, EPOCH.year)
    assert len([each for each in wrong.values() if each == kind]) == world_rules("suspicious")["of_each_kind"]
    volumes = {row["asin"]: row["volume"] for row in world.products}
    assert all(volumes[asin] >= 3 for asin in wrong)
    ordered = {line["asin"] for line in world.order_lines}
    assert ordered.isdisjoint(wrong)
    good = [row for row in world.listings if row["asin"] not in wrong]
    assert min(row["trust_percent"] for row in good) > max(
        row["trust_percent"] for row in world.listings if row["asin"] in wrong
    )
    sellers = {row["seller_id"]: row["since"] for row in world.sellers}
    assert all(sellers[row["seller_id"]] < EPOCH - timedelta(days=365) for row in good)


def test_promotions_run_always_now_later_and_no_more(world: World) -> None:
    running = [row for row in world.promotions if row["starts_at"] <= EPOCH < row["ends_at"]]
    assert any(row["ends_at"] - row["starts_at"] > timedelta(days=3_650) for row in running)
    assert any(row["ends_at"] - row["starts_at"] < timedelta(days=60) for row in running)
    assert any(row["starts_at"] > EPOCH for row in world.promotions)
    assert any(row["ends_at"] < EPOCH for row in world.promotions)


def test_a_customer_is_an_id_and_tastes(world: World) -> None:
    known = {row["series_id"] for row in world.series}
    mature = {row["series_id"] for row in world.series if row["mature"]}
    assert len(world.customers) == 200
    for customer in world.customers:
        assert set(customer) == {
            "customer_id",
            "language",
            "favourite_genres",
            "favourite_series",
            "mature_allowed",
        }
        assert set(customer["favourite_series"]) <= known
        assert customer["mature_allowed"] or mature.isdisjoint(customer["favourite_series"])
