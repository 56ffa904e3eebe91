"""What the seven clients ask, and what they make of good answers, over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta, timezone
from threading import Barrier
from typing import Any

import boto3
import pytest
from moto import mock_aws

from mangaassist.adapters import clients, partner_clients
from mangaassist.adapters.partner_http import PartnerHttp
from mangaassist.adapters.partner_orders import HttpOrders
from mangaassist.adapters.partner_pricing import HttpPricing
from mangaassist.adapters.partner_profiles import HttpProfiles
from mangaassist.adapters.partner_promotions import HttpPromotions
from mangaassist.adapters.partner_returns import HttpReturns
from mangaassist.adapters.partner_reviews import HttpReviews
from mangaassist.adapters.partner_shipping import HttpShipping
from mangaassist.adapters.secrets import MIN_AGE_SECONDS, SecretVersions
from mangaassist.errors import DependencyError
from mangaassist.resilience.breaker import RequestRefused
from mangaassist.store.facts import Amount, RatingSummary, ReturnEligibility
from tests.functional.adapters.conftest import ONCE
from tests.functional.adapters.misbehaving import Connection, Misbehaving, Script, answer

MS = 60_000
ASIN = "B0AAAAAAA1"
USD = {"amount": "9.99", "currency": "USD"}
PROBLEM = answer({"title": "Not Found", "status": 404}, "404 Not Found", "application/problem+json")
ORDER = {
    "order_id": "o-1",
    "customer_id": "c-1",
    "placed_at": "2026-11-01T10:00:00Z",
    "status": "shipped",
    "lines": [{"asin": ASIN, "title": "うずまき 1", "quantity": 2, "unit_price": USD}],
    "total": {"amount": "19.98", "currency": "USD"},
}
SHIPMENT = {
    "shipment_id": "s-1",
    "order_id": "o-1",
    "carrier": "Tanuki",
    "status": "in_transit",
    "shipped_at": "2026-11-02T10:00:00Z",
    "estimated_delivery": "2026-11-09T10:00:00Z",
    "delivered_at": None,
}
PROFILE = {
    "customer_id": "c-1",
    "language": "ja",
    "favourite_genres": ["horror"],
    "favourite_series": [],
    "mature_allowed": False,
}
V2 = {"status": "partially_eligible", "reason": "opened", "until": "2026-12-01T00:00:00Z", "lines": []}


def rated(connection: Connection) -> None:
    """Stars for whatever is asked for."""
    asked = connection.server.requests[-1].line.split()[1].partition("?")[2].split("&")
    summaries = [{"asin": each.removeprefix("asin="), "average": 4.5, "count": 2} for each in asked]
    answer({"summaries": summaries, "unknown_asins": []})(connection)


def lines(server: Misbehaving) -> list[str]:
    return [request.line.split()[1] for request in server.requests]


async def test_offers_and_signals(server: Misbehaving, http: PartnerHttp) -> None:
    offer = {"asin": ASIN, "price": USD, "list_price": None, "in_stock": False, "stock": 0}
    server.will(
        answer({"offers": [offer | {"as_of": "2026-11-01T00:00:00Z"}], "unknown_asins": ["B000000000"]})
    )
    found = await HttpPricing(http).offers([ASIN, "B000000000", ASIN, "no asin"], deadline_ms=MS)
    assert list(found) == [ASIN]
    assert (found[ASIN].price, found[ASIN].list_price) == (Amount("9.99", "USD"), None)
    signals = {
        "asin": ASIN,
        "listing_trust_score": 1,
        "listing_age_days": 3,
        "established_title": True,
        "seller": {"seller_id": "s", "name": "n", "age_days": 4, "rating": 4.9},
        "price": USD,
        "comparable_price": {"amount": "11", "currency": "USD"},
    }
    server.will(answer({"signals": [signals], "unknown_asins": []}))
    trusted = (await HttpPricing(http).trust([ASIN], deadline_ms=MS))[ASIN]
    assert (trusted.listing_trust_score, trusted.seller_age_days) == (1.0, 4)
    assert trusted.comparable_price == Amount("11", "USD")
    assert lines(server) == [
        f"/pricing/v1/offers?asin={ASIN}&asin=B000000000",
        f"/pricing/v1/trust-signals?asin={ASIN}",
    ]


@pytest.mark.parametrize("asins", [[], ["", "short", "b0aaaaaaa1", "B0AAAAAAA1\n", "B0AAAAAAA1&x"]])
async def test_what_is_no_asin_is_not_asked_for(
    http: PartnerHttp, server: Misbehaving, asins: list[str]
) -> None:
    assert await HttpPricing(http).offers(asins, deadline_ms=MS) == {}
    assert server.requests == []


async def test_long_lists_go_in_parts_of_a_hundred(server: Misbehaving, http: PartnerHttp) -> None:
    asins = [f"B{number:09}" for number in range(1_000)]
    server.will(rated)
    found = await HttpReviews(http).ratings(asins, deadline_ms=MS)
    assert list(found) == asins
    assert found[asins[999]] == RatingSummary(asins[999], 4.5, 2)
    assert sorted(line.count("asin=") for line in lines(server)) == [100] * 10


async def test_parts_are_asked_at_once(server: Misbehaving, http: PartnerHttp) -> None:
    # Each part is answered only when all three have been asked: one after the other would never end.
    together = Barrier(3)

    def meet(connection: Connection) -> None:
        together.wait(30)
        answer({"summaries": []})(connection)

    server.will(meet)
    assert await HttpReviews(http).ratings([f"B{number:09}" for number in range(300)], deadline_ms=MS) == {}


async def test_answers_about_others_are_not_believed_and_no_ratings_are_no_stars(
    server: Misbehaving, http: PartnerHttp
) -> None:
    rows = [{"asin": "B000000009", "average": 5, "count": 1}, {"asin": ASIN, "average": 0, "count": 0}]
    server.will(answer({"summaries": rows}))
    assert await HttpReviews(http).ratings([ASIN], deadline_ms=MS) == {}


async def test_running_promotions(server: Misbehaving, http: PartnerHttp) -> None:
    wire = {
        "promotion_id": "p-1",
        "title": {"en": "Autumn", "ja": "秋"},
        "percent_off": 10,
        "starts_at": "2026-11-01T00:00:00Z",
        "ends_at": "2026-12-01T00:00:00Z",
        "series_ids": ["s-1"],
        "code": None,
    }
    server.will(answer({"promotions": [wire]}))
    noon = datetime(2026, 11, 15, 21, tzinfo=timezone(timedelta(hours=9)))
    promotions = HttpPromotions(http, now=lambda: noon)
    [found] = await promotions.running(series_ids=["s-1", "s-2"], deadline_ms=MS)
    assert (found.promotion_id, found.title_ja, found.series_ids) == ("p-1", "秋", ("s-1",))
    many = await promotions.running(series_ids=[f"s-{number}" for number in range(150)], deadline_ms=MS)
    assert len(many) == 1, "the same one from two parts"
    assert await promotions.running(deadline_ms=MS) == (found,)
    assert await promotions.running(series_ids=["no id"], deadline_ms=MS) == ()
    moment = "active_at=2026-11-15T12%3A00%3A00Z"
    assert lines(server)[0] == f"/promotions/v1/promotions?{moment}&series_id=s-1&series_id=s-2"
    assert lines(server)[-1] == f"/promotions/v1/promotions?{moment}"


@pytest.mark.parametrize(
    ("told", "at_checkout"),
    [
        ({"applied": "checkout"}, True),
        ({"applied": "price"}, False),
        ({"applied": "moon"}, False),
        ({}, False),
    ],
)
async def test_where_a_reduction_is_taken_off_is_only_what_the_service_says(
    server: Misbehaving, http: PartnerHttp, told: dict[str, str], at_checkout: bool
) -> None:
    wire = {
        "promotion_id": "p-1",
        "title": {"en": "Autumn", "ja": "秋"},
        "percent_off": 10,
        "starts_at": "2026-11-01T00:00:00Z",
        "ends_at": "2126-12-01T00:00:00Z",
        "series_ids": [],
        "code": None,
        **told,
    }
    server.will(answer({"promotions": [wire]}))
    [found] = await HttpPromotions(http).running(deadline_ms=MS)
    assert found.at_checkout is at_checkout


async def test_promotions_that_were_not_asked_for_are_not_believed(
    server: Misbehaving, http: PartnerHttp
) -> None:
    start, now, end = "2026-11-01T00:00:00Z", datetime(2026, 11, 1, tzinfo=UTC), "2026-12-01T00:00:00Z"
    common = {"title": {"en": "a", "ja": "b"}, "percent_off": 10, "code": None, "series_ids": []}
    server.will(
        answer(
            {
                "promotions": [
                    {**common, "promotion_id": "begins", "starts_at": start, "ends_at": end},
                    {**common, "promotion_id": "later", "starts_at": "2026-11-01T00:00:01Z", "ends_at": end},
                    {**common, "promotion_id": "over", "starts_at": "2026-10-01T00:00:00Z", "ends_at": start},
                    {
                        **common,
                        "promotion_id": "other",
                        "starts_at": start,
                        "ends_at": end,
                        "series_ids": ["s-2"],
                    },
                    {
                        **common,
                        "promotion_id": "ours",
                        "starts_at": start,
                        "ends_at": end,
                        "series_ids": ["s-1"],
                    },
                ]
            }
        )
    )
    promotions = HttpPromotions(http, now=lambda: now)
    found = await promotions.running(series_ids=["s-1"], deadline_ms=MS)
    assert [each.promotion_id for each in found] == ["begins", "ours"]
    found = await promotions.running(deadline_ms=MS)
    assert [each.promotion_id for each in found] == ["begins", "other", "ours"]


async def test_orders_come_in_pages(server: Misbehaving, http: PartnerHttp) -> None:
    server.will(
        answer({"orders": [ORDER], "next_page_token": "more="}), answer({"orders": [], "next_page_token": ""})
    )
    orders = HttpOrders(http)
    page = await orders.of_customer("c-1", page_size=1, deadline_ms=MS)
    assert page.items[0].lines[0].title == "うずまき 1"
    assert (await orders.of_customer("c-1", page_size=1, page_token="more=", deadline_ms=MS)).items == ()
    assert lines(server) == [
        "/orders/v1/customers/c-1/orders?limit=1",
        "/orders/v1/customers/c-1/orders?limit=1&page_token=more%3D",
    ]


async def test_a_bad_page_token_is_refused_by_its_status(server: Misbehaving, http: PartnerHttp) -> None:
    server.will(answer({"title": "Bad token"}, "400 Bad Request", "application/problem+json"))
    with pytest.raises(DependencyError, match="orders: status 400"):
        await HttpOrders(http).of_customer("c-1", page_size=1, page_token="x", deadline_ms=MS)


@pytest.mark.parametrize("token", ["\ud800", "x" * 70_000])
async def test_a_page_token_that_cannot_be_sent_is_refused_and_says_nothing_of_the_service(
    server: Misbehaving, http: PartnerHttp, token: str
) -> None:
    with pytest.raises(RequestRefused):
        await HttpOrders(http).of_customer("c-1", page_size=1, page_token=token, deadline_ms=MS)
    assert server.requests == []


Asks = Callable[[PartnerHttp], Coroutine[Any, Any, object]]
SINGLE: dict[str, Asks] = {
    "order": lambda http: HttpOrders(http).order("c-1", "o-1", deadline_ms=MS),
    "orders": lambda http: HttpOrders(http).of_customer("c-1", page_size=5, deadline_ms=MS),
    "shipments": lambda http: HttpShipping(http).of_order("c-1", "o-1", deadline_ms=MS),
    "eligibility": lambda http: HttpReturns(http).eligibility("c-1", "o-1", deadline_ms=MS),
    "profile": lambda http: HttpProfiles(http).profile("c-1", deadline_ms=MS),
}
GOOD: dict[str, Any] = {
    "order": ORDER,
    "orders": {"orders": [ORDER], "next_page_token": ""},
    "shipments": {"shipments": [SHIPMENT]},
    "eligibility": {"order_id": "o-1", "eligible": False, "eligibility_v2": V2},
    "profile": PROFILE,
}


@pytest.mark.parametrize("name", SINGLE)
async def test_what_a_service_knows(server: Misbehaving, http: PartnerHttp, name: str) -> None:
    server.will(answer(GOOD[name]))
    assert await SINGLE[name](http)


@pytest.mark.parametrize("name", SINGLE)
async def test_what_a_service_does_not_know_is_absent(
    server: Misbehaving, http: PartnerHttp, name: str
) -> None:
    server.will(PROBLEM)
    found = await SINGLE[name](http)
    assert not found or not found.items  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("content_type", ["text/html", "application/json"])
async def test_a_missing_page_is_no_missing_order(
    server: Misbehaving, http: PartnerHttp, name: str, content_type: str
) -> None:
    server.will(answer(b"{}", "404 Not Found", content_type))
    with pytest.raises(DependencyError, match="status 404"):
        await SINGLE[name](http)


@pytest.mark.parametrize(
    ("name", "other", "field"),
    [
        ("order", ORDER | {"customer_id": "c-2"}, "customer_id"),
        ("order", ORDER | {"order_id": "o-2"}, "order_id"),
        ("orders", {"orders": [ORDER | {"customer_id": "c-2"}], "next_page_token": ""}, "customer_id"),
        ("shipments", {"shipments": [SHIPMENT | {"order_id": "o-2"}]}, "order_id"),
        ("eligibility", {"order_id": "o-2", "eligible": True}, "order_id"),
        ("profile", PROFILE | {"customer_id": "c-2"}, "customer_id"),
    ],
)
async def test_an_answer_about_somebody_else_is_not_shown(
    server: Misbehaving, http: PartnerHttp, name: str, other: object, field: str
) -> None:
    server.will(answer(other))
    with pytest.raises(DependencyError, match=f"{field}: not the one asked for"):
        await SINGLE[name](http)


@pytest.mark.parametrize("odd", ["", ".", "..", "../c-2", "c-1/../c-2", "a b", "x" * 65, "c-1?x", "顧客"])
async def test_what_is_no_id_is_unknown_without_asking(
    server: Misbehaving, http: PartnerHttp, odd: str
) -> None:
    assert await HttpOrders(http).order("c-1", odd, deadline_ms=MS) is None
    assert await HttpOrders(http).order(odd, "o-1", deadline_ms=MS) is None
    assert await HttpShipping(http).of_order(odd, "o-1", deadline_ms=MS) == ()
    assert await HttpReturns(http).eligibility("c-1", odd, deadline_ms=MS) is None
    assert await HttpProfiles(http).profile(odd, deadline_ms=MS) is None
    assert server.requests == []


async def test_words_that_came_later_are_unknown(server: Misbehaving, http: PartnerHttp) -> None:
    server.will(
        answer(ORDER | {"status": "teleported"}),
        answer({"shipments": [SHIPMENT | {"status": "lost"}]}),
        answer({"order_id": "o-1", "eligibility_v2": V2 | {"status": "under_review"}}),
    )
    order = await HttpOrders(http).order("c-1", "o-1", deadline_ms=MS)
    assert order is not None
    assert order.status == "unknown"
    [shipment] = await HttpShipping(http).of_order("c-1", "o-1", deadline_ms=MS)
    assert shipment.status == "unknown"
    returned = await HttpReturns(http).eligibility("c-1", "o-1", deadline_ms=MS)
    assert returned is not None
    assert returned.status == "unknown"


@pytest.mark.parametrize(
    ("wire", "told"),
    [
        ({"eligible": True}, ReturnEligibility("o-1", "eligible", "", None)),
        ({"eligible": False}, ReturnEligibility("o-1", "ineligible", "", None)),
        (
            {"eligible": False, "eligibility_v2": V2},
            ReturnEligibility("o-1", "partially_eligible", "opened", "2026-12-01T00:00:00Z"),
        ),
        (
            {"eligibility_v2": V2},
            ReturnEligibility("o-1", "partially_eligible", "opened", "2026-12-01T00:00:00Z"),
        ),
    ],
)
async def test_returns_speak_either_vocabulary(
    server: Misbehaving, http: PartnerHttp, wire: dict[str, Any], told: ReturnEligibility
) -> None:
    server.will(answer({"order_id": "o-1"} | wire))
    assert await HttpReturns(http).eligibility("c-1", "o-1", deadline_ms=MS) == told


async def test_returns_that_speak_neither_are_an_error(server: Misbehaving, http: PartnerHttp) -> None:
    server.will(answer({"order_id": "o-1"}))
    with pytest.raises(DependencyError, match="eligibility_v2_and_eligible_missing"):
        await HttpReturns(http).eligibility("c-1", "o-1", deadline_ms=MS)


async def test_the_request_carries_credential_and_id_and_no_cookie(
    server: Misbehaving,
) -> None:
    ids = iter(["request-1", "bad\r\nX-Evil: 1", ""])
    http = PartnerHttp(server.url, lambda: ["credential\n"], guarded=ONCE, request_id=lambda: next(ids))
    server.will(answer({"summaries": []}, Set_Cookie="session=of-somebody"))
    for _ in range(3):
        await HttpReviews(http).ratings([ASIN], deadline_ms=MS)
    headers = [request.headers for request in server.requests]
    assert {each["authorization"] for each in headers} == {"Bearer credential"}
    # Asked to pack its answer, a good service would; what is packed is refused.
    assert {each["accept-encoding"] for each in headers} == {"identity"}
    assert headers[0]["x-request-id"] == "request-1"
    assert all(len(each["x-request-id"]) == 32 for each in headers[1:])
    assert not any("cookie" in each or "x-evil" in each for each in headers)
    http.close()


@pytest.mark.parametrize("credential", ["", " ", "two words", "pässword", "a\x00b"])
async def test_a_credential_that_no_header_can_hold(server: Misbehaving, credential: str) -> None:
    http = PartnerHttp(server.url, lambda: [credential], guarded=ONCE)
    with pytest.raises(DependencyError) as caught:
        await HttpReviews(http).ratings([ASIN], deadline_ms=MS)
    assert caught.value.reason == "credential is not a bearer token"
    assert server.requests == []
    http.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "partners.example.com",
        "ftp://partners.example.com",
        "http://partners.example.com",
        "https://",
        "https://user:password@partners.example.com",
        "https://partners.example.com/?a=b",
        "http://[bad",
    ],
)
def test_an_address_that_would_give_the_credential_away(url: str) -> None:
    with pytest.raises(ValueError, match="a partner's address is https://") as caught:
        PartnerHttp(url, lambda: ["credential"])
    assert "password@" not in str(caught.value)


def only(accepted: str) -> Script:
    """Stars for whoever knows the credential."""

    def script(connection: Connection) -> None:
        if connection.server.requests[-1].headers["authorization"] == f"Bearer {accepted}":
            rated(connection)
        else:
            answer({}, "401 Unauthorized", "application/problem+json", WWW_Authenticate="Bearer")(connection)

    return script


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    caches = (clients.client, partner_clients.partner_http, partner_clients._credential)
    for cached in caches:
        cached.cache_clear()
    with mock_aws():
        yield boto3.client("secretsmanager", region_name="us-east-1")
    for cached in caches:
        cached.cache_clear()


async def test_a_rotated_credential_is_picked_up_after_one_refusal(server: Misbehaving, secrets: Any) -> None:
    now = 0.0
    arn = secrets.create_secret(Name="partners", SecretString="first")["ARN"]
    versions = SecretVersions(secrets, arn, stages=("AWSCURRENT",), clock=lambda: now)
    http = PartnerHttp(server.url, versions.accepted, guarded=ONCE)
    server.will(only("first"))
    assert await HttpReviews(http).ratings([ASIN], deadline_ms=MS)
    secrets.put_secret_value(SecretId=arn, SecretString="second")
    now += MIN_AGE_SECONDS + 1
    server.will(only("second"))
    for _ in range(2):
        assert await HttpReviews(http).ratings([ASIN], deadline_ms=MS)
    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == ["Bearer first", "Bearer first", "Bearer second", "Bearer second"]
    server.will(only("third"))
    with pytest.raises(DependencyError, match="reviews: status 401"):
        await HttpReviews(http).ratings([ASIN], deadline_ms=MS)
    http.close()


def test_the_builder_keeps_one_client_for_each_address(server: Misbehaving, secrets: Any) -> None:
    arn = secrets.create_secret(Name="partners", SecretString="first")["ARN"]
    http = partner_clients.partner_http(server.url, arn)
    assert partner_clients.partner_http(server.url, arn) is http
    server.will(only("first"))
    assert asyncio.run(HttpReviews(http).ratings([ASIN], deadline_ms=MS))
    http.close()


async def test_a_credential_that_cannot_be_read_is_a_failed_dependency(
    server: Misbehaving, secrets: Any
) -> None:
    missing = "arn:aws:secretsmanager:us-east-1:123456789012:secret:no"
    http = partner_clients.partner_http(server.url, missing)
    with pytest.raises(DependencyError, match="ResourceNotFoundException"):
        await HttpReviews(http).ratings([ASIN], deadline_ms=MS)
    http.close()
    in_bytes = secrets.create_secret(Name="in-bytes", SecretBinary=b"first")["ARN"]
    http = partner_clients.partner_http(server.url, in_bytes)
    with pytest.raises(DependencyError, match="secrets: SecretString"):
        await HttpReviews(http).ratings([ASIN], deadline_ms=MS)
    assert server.requests == []
    http.close()
