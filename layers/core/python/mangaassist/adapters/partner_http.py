"""One pooled HTTP client for a partner's services, and every way they can fail in the product's words.

httpx's synchronous client works in threads of our own: a message function starts an event loop for each invocation, and
a pool made in one loop is of no use in the next. The loop's default threads will not do either, because the loop's
end waits for them.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import ssl
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import CookieJar, DefaultCookiePolicy
from itertools import islice
from typing import Final, TypeVar

import httpx

from mangaassist.adapters.partner_transport import Exchange, ExchangeTransport
from mangaassist.adapters.partner_wire import Wire, read
from mangaassist.errors import (
    DependencyError,
    DependencyThrottled,
    DependencyTimeout,
    DependencyUnavailable,
)
from mangaassist.observability import current_request_id
from mangaassist.resilience.breaker import RequestRefused
from mangaassist.resilience.guarded import Guarded

W = TypeVar("W", bound=Wire)

CONNECTIONS: Final = 16
"""Connections and worker threads alike, so that no thread waits for a connection."""
MAX_BYTES: Final = 2 * 1024 * 1024
"""Longest answer that is read; a hundred items of any list are a tenth of it."""
LONGEST_WAIT_SECONDS: Final = 3_600
"""A ``Retry-After`` beyond it is taken for garbage."""

_REQUEST_ID = re.compile(r"[!-~]{1,128}")

Parameters = Sequence[tuple[str, str]]
Credentials = Callable[[], Iterable[str]]
"""The bearer credential that counts now and, for whoever asks on, what it may have been changed to meanwhile."""

# At INFO httpx logs every URL, and the partners' URLs hold customer and order ids.
logging.getLogger("httpx").setLevel(logging.WARNING)


class PartnerHttp:
    """Typed GETs of one base address, bounded as a whole and repeated where ``guarded`` says so.

    Safe in any thread and any event loop; make one per execution environment and base address.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        *,
        guarded: Guarded | None = None,
        request_id: Callable[[], str] = current_request_id,
        max_bytes: int = MAX_BYTES,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """
        Args:
            base_url: ``https``, or ``http`` to this machine; a path in it is kept.
            credentials: asked in a worker thread before each request, so it may block.
            guarded: retries and circuit breaker; two attempts and no breaker without it.
            request_id: of the request being served, sent along; a new one where it is none that a header can hold.
            max_bytes: longest answer.
            tls: whose certificates to trust, where it is not the public authorities'.

        Raises:
            ValueError: ``base_url`` is not such an address.
        """
        self._base_url = _checked(base_url)
        self._credentials = credentials
        self._guarded = guarded or Guarded()
        self._request_id = request_id
        self._max_bytes = max_bytes
        self._client = httpx.Client(
            transport=ExchangeTransport(CONNECTIONS, tls=tls),
            trust_env=False,
            follow_redirects=False,
            # Shoppers share the pool: a cookie set for one must not be sent for another.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="partner")

    async def get(
        self, dependency: str, path: str, wire: type[W], parameters: Parameters = (), *, deadline_ms: int
    ) -> W:
        """The answer to ``GET path``, checked.

        Args:
            dependency: who answers, for errors and the circuit breaker.
            path: below the base address, ids in it already quoted.
            wire: the shape of the answer.
            parameters: of the query, in order.
            deadline_ms: time for everything, retries included.

        Raises:
            DependencyThrottled: 429, with the wait the service asked for.
            DependencyUnavailable: 5xx, no connection or a broken one.
            DependencyTimeout: ``deadline_ms`` passed, or one of the shorter waits.
            DependencyError: anything that is not the answer: redirects, refused credentials or requests, a body that
                is too long, no JSON, or of another shape. The reason names fields and rules, never content.
        """
        found = await self.find(dependency, path, wire, parameters, deadline_ms=deadline_ms)
        if found is None:
            raise RequestRefused(dependency, "status 404")
        return found

    async def find(
        self, dependency: str, path: str, wire: type[W], parameters: Parameters = (), *, deadline_ms: int
    ) -> W | None:
        """As ``get``; ``None`` when the service says that it does not know the resource (404 with a problem document)."""
        request_id = self._request_id()
        if not _REQUEST_ID.fullmatch(request_id):
            request_id = uuid.uuid4().hex

        async def attempt(seconds: float) -> W | None:
            exchange = Exchange(seconds)
            working = self._threads.submit(
                self._exchange, exchange, dependency, path, wire, parameters, request_id
            )
            try:
                return await asyncio.wrap_future(working)
            except asyncio.CancelledError:
                exchange.abandon()
                raise

        return await self._guarded.call(dependency, attempt, deadline_ms=deadline_ms)

    def close(self) -> None:
        """Close the connections and let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _exchange(
        self,
        exchange: Exchange,
        dependency: str,
        path: str,
        wire: type[W],
        parameters: Parameters,
        request_id: str,
    ) -> W | None:
        with exchange.running():
            try:
                body = self._body(exchange, dependency, path, parameters, request_id)
            except httpx.TimeoutException as error:
                raise DependencyTimeout(dependency, type(error).__name__) from None
            except (httpx.InvalidURL, UnicodeEncodeError) as error:
                # A parameter of half a surrogate pair, or of more than an address holds: this request's own fault.
                raise RequestRefused(dependency, type(error).__name__) from None
            except httpx.LocalProtocolError as error:
                raise DependencyError(dependency, type(error).__name__) from None
            except httpx.TransportError as error:
                raise DependencyUnavailable(dependency, type(error).__name__) from None
        return None if body is None else read(dependency, wire, body)

    def _body(
        self, exchange: Exchange, dependency: str, path: str, parameters: Parameters, request_id: str
    ) -> bytes | None:
        # Once more after a refusal: the credential may have been rotated since it was read.
        for credential in islice(self._credentials(), 2):
            request = self._client.build_request(
                "GET",
                f"{self._base_url}{path}",
                params=tuple(parameters),
                headers={
                    "Authorization": f"Bearer {_header_value(dependency, credential)}",
                    "Accept": "application/json",
                    # The limit on the answer's length would not hold for what it unpacks to.
                    "Accept-Encoding": "identity",
                    "X-Request-Id": request_id,
                },
                timeout=exchange.timeout,
            )
            response = self._client.send(request, stream=True)
            try:
                if response.status_code != 401:
                    return self._answer(dependency, response)
            finally:
                response.close()
        raise DependencyError(dependency, "status 401")

    def _answer(self, dependency: str, response: httpx.Response) -> bytes | None:
        status, content_type = response.status_code, _content_type(response)
        if status == 404 and content_type == "application/problem+json":
            return None
        if status != 200:
            raise _refusal(dependency, response)
        if content_type != "application/json":
            raise DependencyError(dependency, "content type is not JSON")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise DependencyError(dependency, "content encoding was not asked for")
        body = bytearray()
        for piece in response.iter_raw():
            body += piece
            if len(body) > self._max_bytes:
                raise DependencyError(dependency, f"answer is longer than {self._max_bytes} bytes")
        return bytes(body)


def _refusal(dependency: str, response: httpx.Response) -> DependencyError:
    status = response.status_code
    reason = f"status {status}"
    if status == 429:
        return DependencyThrottled(
            dependency, reason, retry_after_seconds=_seconds(response.headers.get("Retry-After", ""))
        )
    if status >= 500:
        return DependencyUnavailable(dependency, reason)
    # 403 is about the credential, not about this request; so is a 404 that no service of ours wrote.
    refused = 400 <= status < 500 and status != 403 and _content_type(response) == "application/problem+json"
    return (RequestRefused if refused else DependencyError)(dependency, reason)


def _seconds(retry_after: str) -> float | None:
    """Delta seconds; the other form, a date, would need clocks that agree."""
    if not (retry_after.isascii() and retry_after.isdigit()) or len(retry_after) > 6:
        return None
    seconds = int(retry_after)
    return float(seconds) if seconds <= LONGEST_WAIT_SECONDS else None


def _content_type(response: httpx.Response) -> str:
    return response.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _header_value(dependency: str, credential: str) -> str:
    """A secret that was typed in often ends with a line break; anything else odd is a mistake."""
    value = credential.strip()
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        raise DependencyError(dependency, "credential is not a bearer token")
    return value


def _checked(base_url: str) -> str:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        raise ValueError(_ADVICE) from None
    safe = url.scheme == "https" or (url.scheme == "http" and _is_this_machine(url.host))
    if not safe or not url.host or url.query or url.fragment or url.userinfo:
        raise ValueError(_ADVICE)
    return base_url.rstrip("/")


_ADVICE = (
    "a partner's address is https://host[:port][/path], or http:// to this machine: "
    "every request to it carries a credential"
)


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
