"""Every way a partner can fail, over a real socket, and the one word the product has for it."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from mangaassist.adapters.partner_http import PartnerHttp
from mangaassist.adapters.partner_pricing import HttpPricing
from mangaassist.adapters.partner_reviews import HttpReviews
from mangaassist.errors import (
    DependencyError,
    DependencyThrottled,
    DependencyTimeout,
    DependencyUnavailable,
)
from mangaassist.resilience.breaker import (
    FAILURES,
    OPEN_SECONDS,
    CircuitOpen,
    ConsecutiveFailures,
    outcome_of,
)
from mangaassist.resilience.guarded import Guarded
from mangaassist.resilience.retrying import Retrying
from tests.functional.adapters.conftest import ONCE
from tests.functional.adapters.misbehaving import (
    Misbehaving,
    answer,
    drip,
    flood,
    hang_up,
    head,
    refused_url,
    reset_after,
    silence,
    time_out,
)

ASIN = "B0AAAAAAA1"
OFFER = {
    "asin": ASIN,
    "price": {"amount": "9.99", "currency": "USD"},
    "list_price": None,
    "in_stock": True,
    "stock": 3,
    "as_of": "2026-11-01T00:00:00Z",
}
OFFERS = {"offers": [OFFER], "unknown_asins": []}
SECRET_CONTENT = "taro@example.com"
PLENTY_MS = 60_000
"""For outcomes that do not wait: a test that used it up would hang visibly."""


async def ask(http: PartnerHttp, deadline_ms: int = PLENTY_MS) -> None:
    await HttpPricing(http).offers([ASIN], deadline_ms=deadline_ms)


def offers(**changes: object) -> dict[str, object]:
    return {"offers": [OFFER, {**OFFER, **changes}]}


@pytest.mark.req("RES-5", "CAT-2")
@pytest.mark.parametrize(
    ("script", "kind", "reason"),
    [
        pytest.param(
            answer(b"<html>taro@example.com</html>", content_type="text/html"),
            DependencyError,
            "content type is not JSON",
            id="html",
        ),
        pytest.param(
            answer(b"<html>taro@example.com</html>"),
            DependencyError,
            "answer: json_invalid",
            id="html as json",
        ),
        pytest.param(answer(b'{"offers": ['), DependencyError, "answer: json_invalid", id="half a document"),
        pytest.param(answer(b"\xff\xfe"), DependencyError, "answer: json_invalid", id="not text"),
        pytest.param(answer(b"[" * 100_000), DependencyError, "answer: json_invalid", id="nested for ever"),
        pytest.param(answer([]), DependencyError, "answer: model_type", id="a list"),
        pytest.param(answer({}), DependencyError, "offers: missing", id="missing list"),
        pytest.param(
            answer(offers(stock="3")), DependencyError, "offers.1.stock: int_type", id="number as text"
        ),
        pytest.param(
            answer(offers(price=9.99)), DependencyError, "offers.1.price: model_type", id="price as number"
        ),
        pytest.param(
            answer(offers(price={"amount": "taro@example.com", "currency": "USD"})),
            DependencyError,
            "offers.1.price.amount: string_pattern_mismatch",
            id="no amount",
        ),
        pytest.param(
            answer(offers(price={"amount": "9.99"})),
            DependencyError,
            "offers.1.price.currency: missing",
            id="missing field",
        ),
        pytest.param(
            answer({"offers": [{"asin": ASIN}]}),
            DependencyError,
            "offers.0.price: missing; offers.0.list_price: missing; offers.0.in_stock: missing; and 2 more",
            id="many missing fields",
        ),
        pytest.param(
            answer(offers(as_of="yesterday")),
            DependencyError,
            "offers.1.as_of: string_pattern_mismatch",
            id="no time",
        ),
        pytest.param(
            answer(offers(as_of="2026-02-31T00:00:00Z")),
            DependencyError,
            "offers.1.as_of: value_error",
            id="no such day",
        ),
        pytest.param(
            answer(offers(as_of="\uff12026-11-01T00:00:00Z")),
            DependencyError,
            "offers.1.as_of: string_pattern_mismatch",
            id="digits of another width",
        ),
        pytest.param(
            answer(offers(price={"amount": "\u0669.99", "currency": "USD"})),
            DependencyError,
            "offers.1.price.amount: string_pattern_mismatch",
            id="digits of another script",
        ),
        pytest.param(
            answer({}, "429 Too Many Requests", Retry_After="7"), DependencyThrottled, "status 429", id="429"
        ),
        pytest.param(
            answer(b"<html>", "500 Internal Server Error", content_type="text/html"),
            DependencyUnavailable,
            "status 500",
            id="500",
        ),
        pytest.param(answer({}, "503 Service Unavailable"), DependencyUnavailable, "status 503", id="503"),
        pytest.param(answer({}, "401 Unauthorized"), DependencyError, "status 401", id="401"),
        pytest.param(answer({}, "403 Forbidden"), DependencyError, "status 403", id="403"),
        pytest.param(
            answer({}, "404 Not Found", content_type="application/problem+json"),
            DependencyError,
            "status 404",
            id="404 of a list",
        ),
        pytest.param(
            answer({"errors": ["taro@example.com"]}, "422 Unprocessable", "application/problem+json"),
            DependencyError,
            "status 422",
            id="422",
        ),
        pytest.param(answer(b"", "204 No Content"), DependencyError, "status 204", id="nothing"),
        pytest.param(
            answer(OFFERS, "302 Found", Location="http://169.254.169.254/"),
            DependencyError,
            "status 302",
            id="redirect",
        ),
        pytest.param(
            answer(OFFERS, Content_Encoding="gzip"),
            DependencyError,
            "content encoding was not asked for",
            id="packed",
        ),
        pytest.param(
            reset_after(head(Content_Length="500") + b'{"offers": '),
            DependencyUnavailable,
            "ReadError",
            id="reset in the body",
        ),
        pytest.param(
            reset_after(b"HTTP/1.1 200"), DependencyUnavailable, "ReadError", id="reset in the head"
        ),
        pytest.param(hang_up, DependencyUnavailable, "RemoteProtocolError", id="hung up"),
        pytest.param(
            silence(b"220 smtp.example.com ESMTP\r\n\r\n"),
            DependencyUnavailable,
            "RemoteProtocolError",
            id="another protocol",
        ),
    ],
)
async def test_each_fault_has_its_outcome(
    server: Misbehaving, http: PartnerHttp, script: object, kind: type[DependencyError], reason: str
) -> None:
    server.will(script)  # pyright: ignore[reportArgumentType]
    with pytest.raises(DependencyError) as caught:
        await ask(http)
    assert isinstance(caught.value, kind)
    assert kind is not DependencyError or not isinstance(
        caught.value, DependencyThrottled | DependencyTimeout | DependencyUnavailable
    )
    assert caught.value.dependency == "pricing"
    assert caught.value.reason == reason
    assert SECRET_CONTENT not in repr(caught.value)
    assert caught.value.__cause__ is None, "a cause would carry the content along"


@pytest.mark.parametrize(
    ("status", "content_type", "refused"),
    [
        ("400 Bad Request", "application/problem+json", True),
        ("404 Not Found", "application/problem+json", True),
        ("422 Unprocessable", "application/problem+json", True),
        # About the credential, not about this request.
        ("401 Unauthorized", "application/problem+json", False),
        ("403 Forbidden", "application/problem+json", False),
        # A balancer's page: no service of ours wrote it.
        ("404 Not Found", "text/html", False),
        ("422 Unprocessable", "text/html", False),
    ],
)
async def test_only_a_refusal_of_this_very_request_leaves_the_circuit_closed(
    server: Misbehaving, http: PartnerHttp, status: str, content_type: str, refused: bool
) -> None:
    server.will(answer({}, status, content_type))
    with pytest.raises(DependencyError) as caught:
        await ask(http)
    assert outcome_of(caught.value) == ("answered" if refused else "failed")


async def test_fields_nobody_reads_may_come(server: Misbehaving, http: PartnerHttp) -> None:
    server.will(answer({"offers": [OFFER | {"surprise": {"deep": 1}}], "more": None}))
    found = await HttpPricing(http).offers([ASIN], deadline_ms=PLENTY_MS)
    assert found[ASIN].price.value == "9.99"


async def test_a_throttle_says_for_how_long(server: Misbehaving, http: PartnerHttp) -> None:
    for sent, told in (("7", 7.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None), ("99999", None)):
        server.will(answer({}, "429 Too Many Requests", Retry_After=sent))
        with pytest.raises(DependencyThrottled) as caught:
            await ask(http)
        assert caught.value.retry_after_seconds == told


async def test_nobody_at_the_address() -> None:
    http = PartnerHttp(refused_url(), lambda: ["credential"], guarded=ONCE)
    with pytest.raises(DependencyUnavailable, match="ConnectError"):
        await ask(http)
    http.close()


@pytest.mark.req("RES-5")
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(silence(), id="no answer"),
        pytest.param(silence(head(Content_Length="500")), id="no body"),
        pytest.param(silence(head(Content_Length="500") + b'{"offers"'), id="half a body"),
        pytest.param(drip(head(Content_Length="99999999"), b" "), id="dripping body"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nX-Drip: ", b"x"), id="dripping head"),
    ],
)
async def test_the_deadline_bounds_the_whole_exchange_and_frees_the_thread(
    server: Misbehaving, http: PartnerHttp, script: object
) -> None:
    server.will(script)  # pyright: ignore[reportArgumentType]
    await time_out(server, lambda deadline_ms: ask(http, deadline_ms=deadline_ms), "pricing")
    # The worker has let go of the connection: only then does the server see the client leave.
    assert await asyncio.to_thread(server.left.wait, 30)


@pytest.mark.parametrize(
    "script",
    [silence(), drip(b"HTTP/1.1 200 OK\r\nX-Drip: ", b"x"), drip(head(Content_Length="99999999"), b" ")],
)
async def test_a_caller_who_leaves_is_free_at_once_and_so_is_the_thread(
    server: Misbehaving, http: PartnerHttp, script: object
) -> None:
    server.will(script)  # pyright: ignore[reportArgumentType]
    call = asyncio.create_task(ask(http, deadline_ms=10 * 60_000))
    await asyncio.to_thread(server.asked.get, timeout=30)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await asyncio.to_thread(server.left.wait, 30)
    server.will(answer(OFFERS))
    await ask(http)


@pytest.mark.parametrize(
    "script",
    [
        flood(head(Transfer_Encoding="chunked"), b"10000\r\n" + b" " * 65_536 + b"\r\n"),
        flood(head(Content_Length="99999999999"), b" " * 65_536),
    ],
)
async def test_an_endless_body_is_not_read_to_its_end(server: Misbehaving, script: object) -> None:
    server.will(script)  # pyright: ignore[reportArgumentType]
    http = PartnerHttp(server.url, lambda: ["credential"], guarded=ONCE, max_bytes=200_000)
    with pytest.raises(DependencyError, match="pricing: answer is longer than 200000 bytes"):
        await ask(http)
    assert await asyncio.to_thread(server.left.wait, 30)
    http.close()


@pytest.mark.parametrize("deadline_ms", [0, -1])
async def test_past_the_deadline_nothing_is_sent(
    server: Misbehaving, http: PartnerHttp, deadline_ms: int
) -> None:
    server.will(answer(OFFERS))
    with pytest.raises(DependencyTimeout):
        await ask(http, deadline_ms=deadline_ms)
    assert server.requests == []


async def test_what_failed_for_the_moment_is_asked_again(server: Misbehaving) -> None:
    http = PartnerHttp(
        server.url, lambda: ["credential"], guarded=Guarded(Retrying(attempts=3, first_pause_ms=1))
    )
    server.will(reset_after(b"HTTP/1.1 200"), answer({}, "503 Service Unavailable"), answer(OFFERS))
    assert set(await HttpPricing(http).offers([ASIN], deadline_ms=PLENTY_MS)) == {ASIN}
    assert len(server.requests) == 3
    http.close()


async def test_a_kept_connection_that_the_server_closed_is_no_failure(
    server: Misbehaving, http: PartnerHttp
) -> None:
    gone = threading.Event()

    def and_close(connection):
        answer(OFFERS)(connection)
        hang_up(connection)
        gone.set()

    server.will(and_close, answer(OFFERS))
    await ask(http)
    # Asked sooner, the second request could still go out on the connection that is about to close.
    assert await asyncio.to_thread(gone.wait, 30)
    await ask(http)
    assert server.connections == 2


def test_one_client_serves_one_event_loop_after_another_over_one_connection(
    server: Misbehaving, http: PartnerHttp
) -> None:
    server.will(answer(OFFERS))
    for _ in range(3):
        asyncio.run(ask(http))
    assert len(server.requests) == 3
    assert server.connections == 1


def test_a_loop_that_ends_does_not_wait_for_a_silent_partner(server: Misbehaving, http: PartnerHttp) -> None:
    server.will(silence(), answer(OFFERS))
    with pytest.raises(DependencyTimeout):
        asyncio.run(ask(http, deadline_ms=50))
    asyncio.run(ask(http))


def test_two_event_loops_at_once(server: Misbehaving, http: PartnerHttp) -> None:
    server.will(answer(OFFERS))
    failures: list[BaseException] = []

    def run() -> None:
        try:
            for _ in range(20):
                asyncio.run(ask(http))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(server.requests) == 40


@pytest.mark.req("RES-5")
async def test_a_large_batch_closes_a_circuit_that_may_be_probed(server: Misbehaving) -> None:
    now = 0.0
    guarded = Guarded(Retrying(attempts=1), ConsecutiveFailures(lambda: now))
    http = PartnerHttp(server.url, lambda: ["credential"], guarded=guarded)
    many = [f"B{number:09d}" for number in range(250)]
    pricing = HttpPricing(http)
    server.will(answer({}, "500 Internal Server Error"))
    for _ in range(FAILURES):
        with pytest.raises(DependencyUnavailable):
            await ask(http)
    now += OPEN_SECONDS
    server.will(answer({"offers": []}))
    with pytest.raises(CircuitOpen):
        await pricing.offers(many, deadline_ms=PLENTY_MS)
    assert await pricing.offers(many, deadline_ms=PLENTY_MS) == {}
    http.close()


async def test_one_failing_part_of_a_large_batch_fails_it_all_at_once(
    server: Misbehaving, http: PartnerHttp
) -> None:
    server.will(silence(), silence(), answer({}, "500 Internal Server Error"))
    with pytest.raises(DependencyUnavailable):
        await HttpReviews(http).ratings([f"B{number:09}" for number in range(250)], deadline_ms=PLENTY_MS)
    assert len(server.requests) == 3


async def test_nothing_of_a_request_is_logged(
    server: Misbehaving, http: PartnerHttp, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server.will(answer(OFFERS))
    await ask(http)
    assert not [record for record in caplog.records if ASIN in record.getMessage()]
