"""A customer's orders, parcels and returns."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.partners.world.orders import first_customer
from tests.functional.partners.conftest import Clock

KEY = {"Idempotency-Key": "0f8fad5b-d9cb-469f-a165-70867728950e"}


def of(plan: str) -> tuple[str, str]:
    """Customer and order that follow the plan."""
    customer = first_customer(plan)
    return customer, customer.replace("customer", "order") + "-01"


async def eligibility(client: httpx.AsyncClient, plan: str) -> Any:
    customer, order = of(plan)
    answer = await client.get(f"/returns/v1/customers/{customer}/orders/{order}/eligibility")
    assert answer.status_code == 200
    return answer.json()


async def announcement(client: httpx.AsyncClient, plan: str) -> dict[str, Any]:
    customer, order = of(plan)
    lines = (await eligibility(client, plan))["eligibility_v2"]["lines"]
    asins = [line["asin"] for line in lines if line["eligible"]]
    return {"customer_id": customer, "order_id": order, "asins": asins[:1], "reason": "damaged"}


async def test_pages_of_orders_join_into_all_of_them_once(reader: httpx.AsyncClient) -> None:
    for number in range(1, 30):
        url = f"/orders/v1/customers/customer-{number:04d}/orders"
        whole = (await reader.get(url, params={"limit": 100})).json()["orders"]
        paged, token = [], ""
        while True:
            page = (await reader.get(url, params={"limit": 2, "page_token": token})).json()
            paged += page["orders"]
            if not (token := page["next_page_token"]):
                break
        assert paged == whole
        for order in whole:
            cents = sum(
                line["quantity"] * int(line["unit_price"]["amount"].replace(".", ""))
                for line in order["lines"]
            )
            assert order["total"]["amount"] == f"{cents // 100}.{cents % 100:02d}"


async def test_an_order_of_somebody_else_is_no_order(reader: httpx.AsyncClient) -> None:
    _, order = of("delivered")
    for prefix, suffix in (("orders", ""), ("shipping", "/shipments"), ("returns", "/eligibility")):
        answer = await reader.get(f"/{prefix}/v1/customers/customer-0001/orders/{order}{suffix}")
        assert answer.status_code == 404
        assert order not in answer.text


async def test_whoever_has_not_ordered_has_no_orders_and_no_profile(reader: httpx.AsyncClient) -> None:
    assert (await reader.get("/orders/v1/customers/nobody/orders")).json() == {
        "orders": [],
        "next_page_token": "",
    }
    assert (await reader.get("/profile/v1/customers/nobody")).status_code == 404


async def test_a_token_of_another_customer_is_refused(reader: httpx.AsyncClient) -> None:
    tokens = [
        (await reader.get(f"/orders/v1/customers/customer-{number:04d}/orders", params={"limit": 1})).json()[
            "next_page_token"
        ]
        for number in range(1, 10)
    ]
    token = next(token for token in tokens if token)
    answer = await reader.get("/orders/v1/customers/customer-0100/orders", params={"page_token": token})
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("bad-page-token")


@pytest.mark.parametrize(
    ("plan", "eligible", "status", "reason"),
    [
        ("delivered", True, "eligible", "within_return_window"),
        ("opened_set_and_more", False, "partially_eligible", "some_lines_not_returnable"),
        ("opened_set", False, "ineligible", "sealed_set_opened"),
        ("sealed_set", True, "eligible", "within_return_window"),
        ("delivered_long_ago", False, "ineligible", "return_window_closed"),
        ("in_transit", False, "ineligible", "not_delivered"),
        ("cancelled", False, "ineligible", "order_cancelled"),
        ("partly_returned", False, "partially_eligible", "some_lines_not_returnable"),
        ("partly_too_late", False, "partially_eligible", "some_lines_not_returnable"),
    ],
)
async def test_both_vocabularies_tell_the_policy(
    reader: httpx.AsyncClient, plan: str, eligible: bool, status: str, reason: str
) -> None:
    found = await eligibility(reader, plan)
    assert found["eligible"] is eligible
    assert (found["eligibility_v2"]["status"], found["eligibility_v2"]["reason"]) == (status, reason)


async def test_a_window_closes_as_time_goes_by(reader: httpx.AsyncClient, clock: Clock) -> None:
    clock.now += timedelta(days=31)
    assert (await eligibility(reader, "delivered"))["eligibility_v2"]["reason"] == "return_window_closed"


async def test_a_repeat_gets_the_first_answer_and_makes_no_second_return(
    administrator: httpx.AsyncClient,
) -> None:
    body = await announcement(administrator, "delivered")
    answers = await asyncio.gather(
        *(administrator.post("/returns/v1/returns", json=body, headers=KEY) for _ in range(8))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    after = (await eligibility(administrator, "delivered"))["eligibility_v2"]["lines"]
    assert [line["eligible"] for line in after if line["asin"] in body["asins"]] == [False]


async def test_a_key_for_another_body_and_a_line_for_another_key_are_conflicts(
    administrator: httpx.AsyncClient,
) -> None:
    body = await announcement(administrator, "delivered")
    assert (await administrator.post("/returns/v1/returns", json=body, headers=KEY)).status_code == 201
    other = await administrator.post("/returns/v1/returns", json={**body, "reason": "other"}, headers=KEY)
    assert (other.status_code, other.json()["type"].rpartition(":")[2]) == (409, "idempotency-key-reused")
    again = await administrator.post(
        "/returns/v1/returns", json=body, headers={"Idempotency-Key": "another-key-1"}
    )
    assert (again.status_code, again.json()["type"].rpartition(":")[2]) == (409, "not-returnable")


async def test_what_is_not_in_the_order_or_not_eligible_does_not_come_back(
    administrator: httpx.AsyncClient,
) -> None:
    body = await announcement(administrator, "delivered")
    strange = await administrator.post(
        "/returns/v1/returns", json={**body, "asins": ["B000000000"]}, headers=KEY
    )
    assert strange.status_code == 404
    customer, order = of("delivered_long_ago")
    lines = (await eligibility(administrator, "delivered_long_ago"))["eligibility_v2"]["lines"]
    late = {**body, "customer_id": customer, "order_id": order, "asins": [lines[0]["asin"]]}
    assert (await administrator.post("/returns/v1/returns", json=late, headers=KEY)).status_code == 409


async def test_promotions_at_a_moment_and_for_a_series(reader: httpx.AsyncClient) -> None:
    url = "/promotions/v1/promotions"
    now = (await reader.get(url)).json()["promotions"]
    later = (await reader.get(url, params={"active_at": "2090-01-01T00:00:00Z"})).json()["promotions"]
    assert {each["promotion_id"] for each in later} < {each["promotion_id"] for each in now}
    series = next(each["series_ids"][0] for each in now if each["series_ids"])
    mine = (await reader.get(url, params={"series_id": series})).json()["promotions"]
    assert all(not each["series_ids"] or series in each["series_ids"] for each in mine)
    assert any(each["series_ids"] for each in mine)
    assert any(not each["series_ids"] for each in mine)
    assert (await reader.get(url, params={"active_at": "tomorrow"})).status_code == 422


GHOSTS = {
    "title": {"en": "Ghost night", "ja": "怪談の夜"},
    "percent_off": 40,
    "starts_at": "2026-11-02T00:00:00Z",
    "ends_at": "2026-11-09T00:00:00Z",
    "code": "BOO",
}
GHOSTS_URL = "/promotions/v1/promotions/promo-ghosts"


@pytest.mark.req("CAT-2")
async def test_a_promotion_that_is_laid_out_runs_until_it_is_replaced(
    administrator: httpx.AsyncClient, reader: httpx.AsyncClient
) -> None:
    async def running() -> list[dict[str, Any]]:
        return (await reader.get("/promotions/v1/promotions")).json()["promotions"]

    before = await running()
    series = next(each["series_ids"] for each in before if each["series_ids"])[:2]
    answer = await administrator.put(GHOSTS_URL, json={**GHOSTS, "series_ids": [*series, series[0]]})
    assert answer.status_code == 201
    assert answer.json() == {
        **GHOSTS,
        "promotion_id": "promo-ghosts",
        "series_ids": sorted(series),
        "applied": "checkout",
    }
    assert await running() == [answer.json(), *before]  # the largest reduction first
    everything = {name: told for name, told in GHOSTS.items() if name != "code"}
    again = await administrator.put(GHOSTS_URL, json=everything)
    assert (again.status_code, again.json()["series_ids"], again.json()["code"]) == (200, [], None)
    over = {**GHOSTS, "starts_at": "2026-11-01T00:00:00Z", "ends_at": "2026-11-02T09:00:00Z"}
    assert (await administrator.put(GHOSTS_URL, json=over)).status_code == 200
    assert await running() == before


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"ends_at": GHOSTS["starts_at"]}, 409),
        ({"series_ids": ["no-such-series"]}, 404),
        ({"percent_off": 0}, 422),
        ({"percent_off": "40"}, 422),
        ({"code": "two words"}, 422),
        ({"starts_at": "today"}, 422),
        ({"title": {"en": "Ghost night"}}, 422),
    ],
)
async def test_a_promotion_that_cannot_be_is_refused(
    administrator: httpx.AsyncClient, reader: httpx.AsyncClient, change: dict[str, Any], status: int
) -> None:
    before = (await reader.get("/promotions/v1/promotions")).json()
    assert (await administrator.put(GHOSTS_URL, json={**GHOSTS, **change})).status_code == status
    assert (await reader.put(GHOSTS_URL, json=GHOSTS)).status_code == 403
    assert (await reader.get("/promotions/v1/promotions")).json() == before
