"""The catalogue service over gRPC: one channel per execution environment, whatever event loops come and go over it.

``asyncio.run`` gives every invocation a loop of its own, so the channel is grpc's synchronous one, which has threads
instead of a loop; each call is bridged to the loop that waits for it.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar, cast

import grpc

from mangaassist.catalogue_api.v1 import catalogue_pb2 as pb
from mangaassist.errors import (
    DependencyError,
    DependencyThrottled,
    DependencyTimeout,
    DependencyUnavailable,
)
from mangaassist.resilience.breaker import AlwaysClosed, CircuitBreaker, RequestRefused
from mangaassist.resilience.guarded import Guarded
from mangaassist.resilience.retrying import Retrying
from mangaassist.resilience.together import all_or_none
from mangaassist.store.facts import Product
from mangaassist.store.ports import FindBy, Page

DEPENDENCY: Final = "catalogue"
SERVICE: Final = "mangaassist.catalogue.v1.CatalogueService"
BATCH: Final = 100
"""ASINs of one call, the service's limit."""
MOST_ASINS: Final = 1_000
"""ASINs of one ``get``: ten calls at once."""
MOST_PAGE: Final = 100
MOST_BYTES: Final = 64 * 1024
"""Of a request. The server's gRPC refuses a longer one with a throttle's code, which it is not."""
REQUEST_ID: Final = "x-request-id"

SERVICE_CONFIG: Final[Mapping[str, Any]] = {
    # Every address the name resolves to, and of those only the ones that say they are serving.
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": SERVICE},
    "methodConfig": [
        {
            "name": [{"service": SERVICE}],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.05s",
                "maxBackoff": "0.5s",
                "backoffMultiplier": 2,
                # Every method only reads. A throttled server is not asked again: that is for the caller to decide.
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    # After a run of failures retries pause: they would only add to the trouble.
    "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
}
OPTIONS: Final = (
    ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
    ("grpc.enable_retries", 1),
    # A frozen environment wakes up to connections that may be gone: the ping that is overdue then finds out.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 2_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.max_receive_message_length", 8 * 1024 * 1024),
)
STATUSES: Final[Mapping[int, str]] = {
    number: name.removeprefix("SERIES_STATUS_").lower() for name, number in pb.SeriesStatus.items() if number
}
KINDS: Final[Mapping[str, type[DependencyError]]] = {
    "INVALID_ARGUMENT": RequestRefused,
    "DEADLINE_EXCEEDED": DependencyTimeout,
    "RESOURCE_EXHAUSTED": DependencyThrottled,
    "UNAVAILABLE": DependencyUnavailable,
}

_ASIN: Final = re.compile(r"[A-Z0-9]{10}")

Response = TypeVar("Response")


class TooManyProducts(ValueError):
    """More than ``MOST_ASINS`` products were asked for at once; ``asked`` says how many."""

    def __init__(self, asked: int) -> None:
        self.asked = asked
        super().__init__(f"{asked} products at once: ask for at most {MOST_ASINS}, in several batches")


def connect(target: str, *, tls: bool = False, root_certificates: bytes | None = None) -> grpc.Channel:
    """A channel to ``target`` (``host:port``); it connects on first use.

    Args:
        target: where the service is.
        tls: whether to speak TLS.
        root_certificates: PEM of the authorities to trust; the system's own without it.
    """
    if tls:
        credentials = grpc.ssl_channel_credentials(root_certificates)
        return grpc.secure_channel(target, credentials, options=OPTIONS)
    return grpc.insecure_channel(target, options=OPTIONS)


class GrpcProducts:
    """Implements ``store.ports.Products``; ``request_id`` gives the id of the request that is being answered."""

    def __init__(
        self,
        channel: grpc.Channel,
        *,
        request_id: Callable[[], str] = lambda: "",
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self._request_id = request_id
        # The channel repeats what may be repeated, in less time than a second call takes.
        self._guarded = Guarded(Retrying(attempts=1), breaker or AlwaysClosed())
        self._get_products = _method(channel, "GetProducts", pb.GetProductsRequest, pb.GetProductsResponse)
        self._find_products = _method(
            channel, "FindProducts", pb.FindProductsRequest, pb.FindProductsResponse
        )

    async def get(self, asins: Sequence[str], *, deadline_ms: int) -> dict[str, Product]:
        """Those of ``asins`` that are products of the store, in the order asked; what has no ASIN's form is none.

        Raises:
            TooManyProducts: there are more than 1,000 of them.
            DependencyError: the service failed, or one of its kinds: timeout, throttled, unavailable (also when the
                ``breaker`` knows it to be down, and it was not asked).
        """
        asked = list(dict.fromkeys(asins))
        if len(asked) > MOST_ASINS:
            raise TooManyProducts(len(asked))
        asked = [asin for asin in asked if _ASIN.fullmatch(asin)]
        answers = await all_or_none(
            [
                self._call(
                    self._get_products, pb.GetProductsRequest(asins=asked[start : start + BATCH]), deadline_ms
                )
                for start in range(0, len(asked), BATCH)
            ]
        )
        found = {each.asin: each for answer in answers for each in answer.products}
        # What was not asked for is not believed.
        return {asin: _product(found[asin]) for asin in asked if asin in found}

    async def find(
        self,
        by: FindBy,
        term: str,
        *,
        page_size: int,
        page_token: str = "",
        deadline_ms: int,
        every_volume: bool = False,
    ) -> Page[Product]:
        """One page of a search: the first volume of each series, unless ``every_volume`` or the series is asked for.

        Raises:
            DependencyError: as ``get``; ``INVALID_ARGUMENT`` for a token of another query, or a term that is empty,
                too long or no text that can be sent.
        """
        field = "series_id" if by == "series" else by
        try:
            request = pb.FindProductsRequest(
                page_size=min(page_size, MOST_PAGE), page_token=page_token, every_volume=every_volume
            )
            setattr(request, field, term)
        except ValueError:
            # Half a surrogate pair, which JSON can bring and UTF-8 cannot; or a number that is none of 32 bits.
            raise RequestRefused(DEPENDENCY, "INVALID_ARGUMENT") from None
        if request.ByteSize() > MOST_BYTES:
            raise RequestRefused(DEPENDENCY, "INVALID_ARGUMENT")
        answer = await self._call(self._find_products, request, deadline_ms)
        return Page(tuple(map(_product, answer.products)), answer.next_page_token)

    async def _call(self, method: Callable[..., Any], request: Any, deadline_ms: int) -> Any:
        if deadline_ms <= 0:
            raise DependencyTimeout(DEPENDENCY, "deadline")
        request_id = self._request_id()
        metadata = ((REQUEST_ID, request_id),) if request_id.isascii() and request_id.isprintable() else ()

        async def attempt(seconds: float) -> Any:
            return await _answered(method(request, timeout=seconds, metadata=metadata if request_id else ()))

        return await self._guarded.call(DEPENDENCY, attempt, deadline_ms=deadline_ms)


async def _answered(call: Any) -> Any:
    """The answer of a call that has begun; who stops waiting cancels it."""
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def wake() -> None:
        if not ended.done():
            ended.set_result(None)

    def on_end(_: object) -> None:
        # In one of grpc's threads, and maybe after the loop has gone: then nobody waits.
        if not loop.is_closed():
            try:
                loop.call_soon_threadsafe(wake)
            except RuntimeError:
                return

    call.add_done_callback(on_end)
    try:
        await ended
    except asyncio.CancelledError:
        call.cancel()
        raise
    code: grpc.StatusCode = call.code()
    if code is grpc.StatusCode.OK:
        return call.result()
    raise KINDS.get(code.name, DependencyError)(DEPENDENCY, code.name)


def _method(channel: grpc.Channel, name: str, request: Any, response: Any) -> Callable[..., Any]:
    """A method as a call that begins at once and is waited for later."""
    bound = cast(Any, channel).unary_unary(
        f"/{SERVICE}/{name}",
        request_serializer=request.SerializeToString,
        response_deserializer=response.FromString,
    )
    return bound.future


def _product(message: pb.Product) -> Product:
    return Product(
        asin=message.asin,
        series_id=message.series_id,
        title=message.title,
        series_title=message.series_title,
        title_ja=message.series_title_ja or None,
        volume=message.volume if message.HasField("volume") else None,
        creators=tuple(message.creators),
        genres=tuple(message.genres),
        publisher=message.publisher or None,
        status=STATUSES.get(message.status),
        mature=message.mature,
        buyable=message.buyable,
        creators_ja=tuple(message.creators_ja),
        year=message.year or None,
        volume_count=message.volume_count or None,
        demographics=tuple(message.demographics),
    )
