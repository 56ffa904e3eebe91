"""HTTP connections whose every wait ends with the exchange it belongs to.

httpx bounds one read; a server that sends a byte now and then keeps such a client for ever. Here the time left of the
whole exchange bounds every connect, read and write, headers included, and whoever gives up wakes the thread that waits.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Final

import httpcore
import httpx

CONNECT_SECONDS: Final = 1.0
READ_SECONDS: Final = 10.0
WRITE_SECONDS: Final = 2.0
POOL_SECONDS: Final = 1.0
"""Longest single waits; the exchange's own end comes first if it is nearer."""
IDLE_SECONDS: Final = 20.0
"""A connection unused for longer is opened anew: load balancers drop idle ones without a word."""

_exchange: ContextVar[Exchange | None] = ContextVar("_exchange", default=None)


class Exchange:
    """One request and its answer in a worker thread, which any other thread may abandon."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends_at = clock() + seconds
        self._lock = threading.Lock()
        self._waiting: httpcore.NetworkStream | None = None
        self._abandoned = False

    @contextmanager
    def running(self) -> Generator[None]:
        """This thread's network calls belong to the exchange."""
        token = _exchange.set(self)
        try:
            yield
        finally:
            _exchange.reset(token)

    @property
    def timeout(self) -> httpx.Timeout:
        """For httpx: each wait, bounded by what is left."""
        left = max(self._left(), 0.001)
        return httpx.Timeout(
            connect=min(CONNECT_SECONDS, left),
            read=min(READ_SECONDS, left),
            write=min(WRITE_SECONDS, left),
            pool=min(POOL_SECONDS, left),
        )

    def bounded(self, timeout: float | None, exceeded: type[httpcore.TimeoutException]) -> float:
        """``timeout`` or what is left, in seconds.

        Raises:
            httpcore.TimeoutException: nothing is.
        """
        left = self._left()
        if left <= 0:
            raise exceeded("the exchange is over")
        return left if timeout is None else min(timeout, left)

    @contextmanager
    def waiting_on(self, stream: httpcore.NetworkStream) -> Generator[None]:
        """``abandon`` wakes what happens inside."""
        with self._lock:
            if self._abandoned:
                raise httpcore.ReadTimeout("the exchange was abandoned")
            self._waiting = stream
        try:
            yield
        finally:
            with self._lock:
                self._waiting = None

    def abandon(self) -> None:
        """End it now: the thread that waits for the network goes on with an error."""
        with self._lock:
            self._abandoned = True
            if self._waiting is not None:
                _shut_down(self._waiting)

    def _left(self) -> float:
        return 0.0 if self._abandoned else self._ends_at - self._clock()


def _shut_down(stream: httpcore.NetworkStream) -> None:
    connection = stream.get_extra_info("socket")
    with suppress(OSError):
        # The plain socket's: the TLS one's own would take the session away from the thread that reads it.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        exchange = _exchange.get()
        if exchange is None:
            return self._stream.read(max_bytes, timeout)
        with exchange.waiting_on(self._stream):
            return self._stream.read(max_bytes, exchange.bounded(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        exchange = _exchange.get()
        if exchange is None:
            return self._stream.write(buffer, timeout)
        with exchange.waiting_on(self._stream):
            return self._stream.write(buffer, exchange.bounded(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        exchange = _exchange.get()
        if exchange is not None:
            timeout = exchange.bounded(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        exchange = _exchange.get()
        if exchange is not None:
            timeout = exchange.bounded(timeout, httpcore.ConnectTimeout)
        return _Stream(self._backend.connect_tcp(host, port, timeout, local_address, socket_options))


class ExchangeTransport(httpx.HTTPTransport):
    """HTTP/1.1 with kept connections, at most ``connections`` of them, obeying the running ``Exchange``."""

    def __init__(self, connections: int, *, tls: ssl.SSLContext | None = None) -> None:
        # Nothing is read from the environment: no proxy and no .netrc may see or replace the credential.
        super().__init__(trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls or httpx.create_ssl_context(trust_env=False),
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=IDLE_SECONDS,
            http1=True,
            http2=False,
            network_backend=_Backend(),
        )
