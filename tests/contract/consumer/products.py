"""What the assistant expects of pricing, reviews and promotions."""

from __future__ import annotations

from datetime import UTC, datetime

from pact import match

from mangaassist.adapters.partner_pricing import HttpPricing
from mangaassist.adapters.partner_promotions import HttpPromotions
from mangaassist.adapters.partner_reviews import HttpReviews
from mangaassist.store.facts import Amount
from tests.contract.consumer.expectations import (
    BOOK,
    CHEAP_BOOK,
    DEADLINE_MS,
    SERIES,
    UNKNOWN_BOOK,
    Expectation,
    asin,
    asked,
    instant,
    money,
)

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
NOON_TEXT = "2026-11-02T12:00:00Z"

PRICING = (
    Expectation(
        "a request for the offers of a reduced book, one at its list price and an unknown one",
        "a reduced book and one at its list price are on offer",
        "/pricing/v1/offers",
        asked(
            lambda http: HttpPricing(http).offers([BOOK, CHEAP_BOOK, UNKNOWN_BOOK], deadline_ms=DEADLINE_MS)
        ),
        lambda found: (
            set(found) == {BOOK, CHEAP_BOOK}
            and found[BOOK].list_price == Amount("12.99", "USD")
            and found[CHEAP_BOOK].list_price is None
        ),
        body={
            "offers": [
                {
                    "asin": BOOK,
                    "price": money("9.99"),
                    "list_price": money("12.99"),
                    "in_stock": match.boolean(True),
                    "stock": match.integer(7),
                    "as_of": instant("2026-10-01T09:00:00Z"),
                },
                {
                    "asin": CHEAP_BOOK,
                    "price": money("4.99"),
                    "list_price": None,
                    "in_stock": match.boolean(False),
                    "stock": match.integer(0),
                    "as_of": instant("2026-10-01T09:00:00Z"),
                },
            ],
        },
        query=(("asin", BOOK), ("asin", CHEAP_BOOK), ("asin", UNKNOWN_BOOK)),
    ),
    Expectation(
        "a request for the offers of unknown books alone",
        "no book is on offer",
        "/pricing/v1/offers",
        asked(lambda http: HttpPricing(http).offers([UNKNOWN_BOOK], deadline_ms=DEADLINE_MS)),
        lambda found: found == {},
        body={"offers": []},
        query=(("asin", UNKNOWN_BOOK),),
    ),
    Expectation(
        "a request for the trust signals of a book with comparable ones",
        "a book of a series with comparable prices is on offer",
        "/pricing/v1/trust-signals",
        asked(lambda http: HttpPricing(http).trust([BOOK], deadline_ms=DEADLINE_MS)),
        lambda found: found[BOOK].seller_age_days == 900 and found[BOOK].listing_trust_score == 0.91,
        body={
            "signals": match.each_like(
                {
                    "asin": asin(BOOK),
                    "listing_trust_score": match.number(0.91),
                    "listing_age_days": match.integer(400),
                    "established_title": match.boolean(True),
                    "seller": {"age_days": match.integer(900)},
                    "price": money("9.99"),
                    "comparable_price": money("10.99"),
                },
                min=1,
            )
        },
        query=(("asin", BOOK),),
    ),
)

REVIEWS = (
    Expectation(
        "a request for the stars of a book and an unknown one",
        "a book was rated",
        "/reviews/v1/summaries",
        asked(lambda http: HttpReviews(http).ratings([BOOK, UNKNOWN_BOOK], deadline_ms=DEADLINE_MS)),
        lambda found: set(found) == {BOOK},
        body={
            "summaries": match.each_like(
                {"asin": asin(BOOK), "average": match.number(4.5), "count": match.integer(12)}, min=1
            )
        },
        query=(("asin", BOOK), ("asin", UNKNOWN_BOOK)),
    ),
)

PROMOTIONS = (
    Expectation(
        "a request for what runs for a series",
        "a promotion with a code runs for a series",
        "/promotions/v1/promotions",
        asked(
            lambda http: HttpPromotions(http, now=lambda: NOON).running(
                series_ids=[SERIES], deadline_ms=DEADLINE_MS
            )
        ),
        lambda found: found[0].percent_off == 15 and found[0].code == "AUTUMN15",
        body={
            "promotions": match.each_like(
                {
                    "promotion_id": match.type("promo-contract"),
                    "title": {"en": match.type("Autumn reading"), "ja": match.type("秋の読書")},
                    "percent_off": match.integer(15),
                    "starts_at": instant("2026-11-01T00:00:00Z"),
                    "ends_at": instant("2026-12-01T00:00:00Z"),
                    "series_ids": match.each_like(match.type(SERIES), min=1),
                    "code": match.type("AUTUMN15"),
                },
                min=1,
            )
        },
        query=(("active_at", instant(NOON_TEXT)), ("series_id", SERIES)),
    ),
    Expectation(
        "a request for everything that runs while nothing does",
        "no promotion runs",
        "/promotions/v1/promotions",
        asked(lambda http: HttpPromotions(http, now=lambda: NOON).running(deadline_ms=DEADLINE_MS)),
        lambda found: found == (),
        body={"promotions": []},
        query=(("active_at", instant(NOON_TEXT)),),
    ),
)
