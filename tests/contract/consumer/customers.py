"""What the assistant expects of orders, shipping, returns and profiles."""

from __future__ import annotations

from pact import match

from mangaassist.adapters.partner_orders import HttpOrders
from mangaassist.adapters.partner_profiles import HttpProfiles
from mangaassist.adapters.partner_returns import HttpReturns
from mangaassist.adapters.partner_shipping import HttpShipping
from tests.contract.consumer.expectations import (
    BOOK,
    CUSTOMER,
    DEADLINE_MS,
    ORDER,
    OTHER_ORDER,
    Expectation,
    asin,
    asked,
    instant,
    money,
    one_of,
    unknown,
)

ORDER_BODY = {
    "order_id": ORDER,
    "customer_id": CUSTOMER,
    "placed_at": instant("2026-10-20T10:00:00Z"),
    "status": one_of("delivered", "processing", "shipped", "cancelled"),
    "lines": match.each_like(
        {
            "asin": asin(BOOK),
            "title": match.type("The Contract, Vol. 1"),
            "quantity": match.integer(1),
            "unit_price": money("9.99"),
        },
        min=1,
    ),
    "total": money("9.99"),
}
ONE = f"/orders/v1/customers/{CUSTOMER}/orders"
DELIVERED = "a customer has one delivered order"
SOMEBODY_ELSES = "an order is somebody else's"

ORDERS = (
    Expectation(
        "a request for the last page of a customer's orders",
        DELIVERED,
        ONE,
        asked(lambda http: HttpOrders(http).of_customer(CUSTOMER, page_size=5, deadline_ms=DEADLINE_MS)),
        lambda page: len(page.items) == 1 and page.next_page_token == "",
        body={"orders": [ORDER_BODY], "next_page_token": ""},
        query=(("limit", "5"),),
    ),
    Expectation(
        "a request for the first of several pages",
        "a customer has two orders",
        ONE,
        asked(lambda http: HttpOrders(http).of_customer(CUSTOMER, page_size=1, deadline_ms=DEADLINE_MS)),
        lambda page: len(page.items) == 1 and page.next_page_token != "",
        body={
            "orders": match.each_like(ORDER_BODY | {"order_id": match.type(ORDER)}, min=1),
            "next_page_token": match.regex("eyJh", regex="^.+$"),
        },
        query=(("limit", "1"),),
    ),
    Expectation(
        "a request for one order",
        DELIVERED,
        f"{ONE}/{ORDER}",
        asked(lambda http: HttpOrders(http).order(CUSTOMER, ORDER, deadline_ms=DEADLINE_MS)),
        lambda order: order.status == "delivered" and order.lines[0].unit_price.value == "9.99",
        body=ORDER_BODY,
    ),
    unknown(
        "a request for an order of somebody else",
        SOMEBODY_ELSES,
        f"{ONE}/{OTHER_ORDER}",
        asked(lambda http: HttpOrders(http).order(CUSTOMER, OTHER_ORDER, deadline_ms=DEADLINE_MS)),
    ),
)

SHIPPING = (
    Expectation(
        "a request for the parcel of a delivered order",
        DELIVERED,
        f"/shipping/v1/customers/{CUSTOMER}/orders/{ORDER}/shipments",
        asked(lambda http: HttpShipping(http).of_order(CUSTOMER, ORDER, deadline_ms=DEADLINE_MS)),
        lambda parcels: parcels[0].status == "delivered" and parcels[0].estimated_delivery is None,
        body={
            "shipments": [
                {
                    "shipment_id": match.type("shipment-7001-01-1"),
                    "order_id": ORDER,
                    "carrier": match.type("Tanuki Parcel"),
                    "status": one_of("delivered", "preparing", "in_transit", "delayed"),
                    "shipped_at": instant("2026-10-21T10:00:00Z"),
                    "estimated_delivery": None,
                    "delivered_at": instant("2026-10-24T10:00:00Z"),
                }
            ]
        },
    ),
    Expectation(
        "a request for the parcel of an order on its way",
        "a customer has one order on its way",
        f"/shipping/v1/customers/{CUSTOMER}/orders/{ORDER}/shipments",
        asked(lambda http: HttpShipping(http).of_order(CUSTOMER, ORDER, deadline_ms=DEADLINE_MS)),
        lambda parcels: parcels[0].status == "in_transit" and parcels[0].delivered_at is None,
        body={
            "shipments": [
                {
                    "shipment_id": match.type("shipment-7001-01-1"),
                    "order_id": ORDER,
                    "carrier": match.type("Tanuki Parcel"),
                    "status": one_of("in_transit", "preparing", "delivered", "delayed"),
                    "shipped_at": instant("2026-10-31T10:00:00Z"),
                    "estimated_delivery": instant("2026-11-05T10:00:00Z"),
                    "delivered_at": None,
                }
            ]
        },
    ),
    unknown(
        "a request for the parcels of somebody else's order",
        SOMEBODY_ELSES,
        f"/shipping/v1/customers/{CUSTOMER}/orders/{OTHER_ORDER}/shipments",
        asked(lambda http: HttpShipping(http).of_order(CUSTOMER, OTHER_ORDER, deadline_ms=DEADLINE_MS)),
    ),
)

ELIGIBILITY = f"/returns/v1/customers/{CUSTOMER}/orders/{ORDER}/eligibility"
STATUS = ("eligible", "partially_eligible", "ineligible")

RETURNS = (
    Expectation(
        "a request whether a delivered order may be sent back",
        DELIVERED,
        ELIGIBILITY,
        asked(lambda http: HttpReturns(http).eligibility(CUSTOMER, ORDER, deadline_ms=DEADLINE_MS)),
        lambda found: found.status == "eligible" and found.until == "2026-11-23T10:00:00Z",
        body={
            "order_id": ORDER,
            "eligibility_v2": {
                "status": one_of(*STATUS),
                "reason": match.type("within_return_window"),
                "until": instant("2026-11-23T10:00:00Z"),
            },
        },
    ),
    Expectation(
        "a request whether an order on its way may be sent back",
        "a customer has one order on its way",
        ELIGIBILITY,
        asked(lambda http: HttpReturns(http).eligibility(CUSTOMER, ORDER, deadline_ms=DEADLINE_MS)),
        lambda found: found.status == "ineligible" and found.until is None,
        body={
            "order_id": ORDER,
            "eligibility_v2": {
                "status": one_of(*reversed(STATUS)),
                "reason": match.type("not_delivered"),
                "until": None,
            },
        },
    ),
    unknown(
        "a request whether somebody else's order may be sent back",
        SOMEBODY_ELSES,
        f"/returns/v1/customers/{CUSTOMER}/orders/{OTHER_ORDER}/eligibility",
        asked(lambda http: HttpReturns(http).eligibility(CUSTOMER, OTHER_ORDER, deadline_ms=DEADLINE_MS)),
    ),
)

PROFILE = (
    Expectation(
        "a request for a customer's profile",
        "a customer has told their tastes",
        f"/profile/v1/customers/{CUSTOMER}",
        asked(lambda http: HttpProfiles(http).profile(CUSTOMER, deadline_ms=DEADLINE_MS)),
        lambda profile: profile.language == "ja" and profile.favourite_genres == ("horror",),
        body={
            "customer_id": CUSTOMER,
            "language": one_of("ja", "en"),
            "favourite_genres": match.each_like(match.type("horror"), min=1),
            "favourite_series": match.each_like(match.type("MG90001"), min=1),
            "mature_allowed": match.boolean(False),
        },
    ),
    unknown(
        "a request for the profile of nobody",
        "no customer is known",
        f"/profile/v1/customers/{CUSTOMER}",
        asked(lambda http: HttpProfiles(http).profile(CUSTOMER, deadline_ms=DEADLINE_MS)),
    ),
)
