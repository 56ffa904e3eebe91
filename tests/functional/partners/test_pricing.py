"""Prices through the API: read, changed, remembered."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from services.partners.database.models import Listing, Offer
from services.partners.database.sessions import Database
from tests.functional.partners.conftest import Clock

CHANGE = {"price": {"amount": "7.99"}, "list_price": {"amount": "9.99"}, "stock": 3}


@pytest.fixture
def asin(database: Database) -> str:
    with database.read() as session:
        return session.scalars(select(Offer.asin).where(Offer.list_price_cents.is_(None)).limit(1)).one()


def path(asin: str) -> str:
    return f"/pricing/v1/offers/{asin}"


async def offers(reader: httpx.AsyncClient, *asins: str) -> Any:
    answer = await reader.get("/pricing/v1/offers", params=[("asin", asin) for asin in asins])
    assert answer.status_code == 200
    return answer.json()


@pytest.mark.req("CAT-2")
async def test_a_set_price_is_what_the_next_reader_sees(
    administrator: httpx.AsyncClient, reader: httpx.AsyncClient, clock: Clock, asin: str
) -> None:
    answer = await administrator.put(path(asin), json=CHANGE)
    assert answer.status_code == 200
    assert answer.json() == {
        "asin": asin,
        "price": {"amount": "7.99", "currency": "USD"},
        "list_price": {"amount": "9.99", "currency": "USD"},
        "in_stock": True,
        "stock": 3,
        "as_of": clock.now.isoformat().replace("+00:00", "Z"),
    }
    assert (await offers(reader, asin))["offers"] == [answer.json()]
    history = (await reader.get(path(asin) + "/history", params={"limit": 1})).json()
    assert history["changes"][0]["price"]["amount"] == "7.99"
    assert history["next_page_token"]
    rest = await reader.get(path(asin) + "/history", params={"page_token": history["next_page_token"]})
    assert rest.json()["changes"][0]["price"]["amount"] != "7.99"
    assert rest.json()["next_page_token"] == ""


async def test_the_same_change_again_changes_nothing(
    administrator: httpx.AsyncClient, clock: Clock, asin: str
) -> None:
    first = await administrator.put(path(asin), json=CHANGE, headers={"If-Match": "*"})
    clock.now += timedelta(hours=1)
    again = await administrator.put(path(asin), json=CHANGE, headers={"If-Match": '"1"'})
    assert (again.json(), again.headers["etag"]) == (first.json(), first.headers["etag"])


async def test_what_is_left_out_stays_and_null_takes_the_list_price_away(
    administrator: httpx.AsyncClient, asin: str
) -> None:
    await administrator.put(path(asin), json=CHANGE)
    kept = (await administrator.put(path(asin), json={"price": {"amount": "6.99"}})).json()
    assert (kept["list_price"]["amount"], kept["stock"]) == ("9.99", 3)
    without = await administrator.put(path(asin), json={"price": {"amount": "12.99"}, "list_price": None})
    assert without.json()["list_price"] is None


async def test_a_list_price_below_the_price_is_a_conflict_that_says_what_to_do(
    administrator: httpx.AsyncClient, asin: str
) -> None:
    await administrator.put(path(asin), json=CHANGE)
    answer = await administrator.put(path(asin), json={"price": {"amount": "12.99"}})
    assert answer.status_code == 409
    assert "null" in answer.json()["detail"]


async def test_of_two_who_saw_the_same_offer_one_is_told_to_look_again(
    administrator: httpx.AsyncClient, asin: str
) -> None:
    seen = (await administrator.get(path(asin))).headers["etag"]
    answers = await asyncio.gather(
        *(
            administrator.put(path(asin), json={"price": {"amount": amount}}, headers={"If-Match": seen})
            for amount in ("1.11", "2.22")
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]


async def test_many_writers_at_once_each_leave_their_entry(
    administrator: httpx.AsyncClient, reader: httpx.AsyncClient, asin: str
) -> None:
    amounts = [f"{number}.00" for number in range(1, 21)]
    answers = await asyncio.gather(
        *(administrator.put(path(asin), json={"price": {"amount": amount}}) for amount in amounts)
    )
    assert {answer.status_code for answer in answers} == {200}
    changes = (await reader.get(path(asin) + "/history", params={"limit": 100})).json()["changes"]
    assert sorted(change["price"]["amount"] for change in changes[:20]) == sorted(amounts)


async def test_unknown_books_are_named_and_repeats_answered_once(
    reader: httpx.AsyncClient, asin: str
) -> None:
    found = await offers(reader, "B000000000", asin, asin)
    assert [offer["asin"] for offer in found["offers"]] == [asin]
    assert found["unknown_asins"] == ["B000000000"]


async def test_a_dumped_price_shows_in_the_trust_signals(
    administrator: httpx.AsyncClient, database: Database
) -> None:
    with database.read() as session:
        bad = session.scalars(select(Listing).where(Listing.trust_percent == 70)).first()
        assert bad is not None
        asin = bad.asin
    found = (await administrator.get("/pricing/v1/trust-signals", params={"asin": asin})).json()["signals"][0]
    price, comparable = (float(found[name]["amount"]) for name in ("price", "comparable_price"))
    assert price <= 0.3 * comparable
    assert found["established_title"] is True
    assert found["listing_trust_score"] == 0.7
    assert found["seller"]["age_days"] > 365
