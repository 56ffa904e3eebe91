"""The server's life: listen, load, serve, and on SIGTERM say so, drain and go.

The port is open before the catalogue is loaded; health says NOT_SERVING until then and again from SIGTERM on, which is
what load balancers, clients and the container's own check go by.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final, Protocol

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from mangaassist.catalogue_api.v1 import catalogue_pb2_grpc
from services.catalogue.calls import Calls
from services.catalogue.follower import Follower, Store
from services.catalogue.health import NOT_SERVING, SERVICE_NAME, SERVING, Health
from services.catalogue.products import Books, Products
from services.catalogue.service import NAME, CatalogueService
from services.catalogue.settings import Settings
from services.catalogue.telemetry import Meters

OPTIONS: Final = (
    # Requests are small: 100 ASINs take 1.2 KB, the longest title 1.2 KB.
    ("grpc.max_receive_message_length", 64 * 1024),
    ("grpc.max_send_message_length", 8 * 1024 * 1024),
    # A dead peer is found before an NLB forgets the connection after 350 s of silence.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # Clients in frozen execution environments ping when they thaw; they are not to be cut off for it.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    # Connections are long-lived: renewed now and then, they find the tasks that autoscaling added.
    ("grpc.max_connection_age_ms", 600_000),
    ("grpc.max_connection_age_grace_ms", 30_000),
    ("grpc.so_reuseport", 0),
)
STREAMS_PER_CALL: Final = 16
"""Of everything together, health watches of idle clients included; the hard stop behind the service's own limits."""

log = logging.getLogger(__name__)


class Table(Store, Books, Protocol):
    """All that is read of the table."""


class CatalogueServer:
    """One server over one table."""

    def __init__(
        self, table: Table, settings: Settings, *, interceptors: Sequence[grpc.aio.ServerInterceptor] = ()
    ) -> None:
        """
        Args:
            table: what is served.
            settings: how.
            interceptors: stand before the service's own, so that what they do to a call is not counted as its doing.
        """
        self._settings = settings
        self._interceptors = tuple(interceptors)
        self._meters = Meters()
        self._follower = Follower(
            table,
            poll_seconds=settings.poll_seconds,
            on_loaded=self._loaded,
            on_failed=lambda reason: log.warning("the table failed", extra={"facts": {"reason": reason}}),
            on_changed=self._changed,
        )
        self._products = Products(table, lambda: self._follower.model, on_stale=self._meters.stale)
        self._health = Health()
        self._server: Any = None
        self._tasks: list[asyncio.Task[None]] = []
        self._changes: set[asyncio.Task[None]] = set()
        self._port = 0
        self._is_loaded = asyncio.Event()

    @property
    def port(self) -> int:
        """Where it listens, once started."""
        return self._port

    async def start(self) -> None:
        """Listen, and begin to load.

        Raises:
            RuntimeError: the port cannot be had.
        """
        settings = self._settings
        calls = Calls(NAME, self._meters, most_calls=settings.most_calls, most_watches=settings.most_watches)
        self._server = grpc.aio.server(
            interceptors=(*self._interceptors, calls),
            options=OPTIONS,
            maximum_concurrent_rpcs=STREAMS_PER_CALL * (settings.most_calls + settings.most_watches),
        )
        catalogue_pb2_grpc.add_CatalogueServiceServicer_to_server(
            CatalogueService(self._products, self._follower), self._server
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection((NAME, SERVICE_NAME, reflection.SERVICE_NAME), self._server)
        await self._health.say(NOT_SERVING, "", NAME)
        address = f"{settings.host}:{settings.port}"
        credentials = _credentials(settings)
        self._port = (
            self._server.add_insecure_port(address)
            if credentials is None
            else self._server.add_secure_port(address, credentials)
        )
        await self._server.start()
        log.info(
            "listening",
            extra={"facts": {"port": self._port, "table": settings.table, "shard": settings.shard}},
        )
        self._tasks = [asyncio.create_task(self._follower.run()), asyncio.create_task(self._report())]

    async def stop(self) -> None:
        """Take no new calls, end the watches, finish what runs, within the grace."""
        await self._health.close()
        await self._follower.close()
        await self._server.stop(self._settings.grace_seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._products.close()
        self._meters.report(series=len(self._follower.model), age_seconds=self._follower.age_seconds)
        log.info("stopped")

    async def until_loaded(self) -> None:
        """Wait until it serves."""
        await self._is_loaded.wait()

    async def until_stopped(self) -> None:
        """Wait until ``stop`` is through."""
        await self._server.wait_for_termination()

    def _loaded(self, count: int) -> None:
        log.info("serving", extra={"facts": {"port": self._port, "series": count}})
        task = asyncio.create_task(self._serve())
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)

    async def _serve(self) -> None:
        await self._health.say(SERVING, "", NAME)
        self._is_loaded.set()

    def _changed(self, series_ids: Sequence[str]) -> None:
        model = self._follower.model
        listed = (asin for series_id in series_ids for asin in model.asins(series_id))
        self._products.forget(listed, of_series=series_ids)
        log.info("changed", extra={"facts": {"series": len(series_ids)}})

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(self._settings.report_seconds)
            self._meters.report(series=len(self._follower.model), age_seconds=self._follower.age_seconds)


def _credentials(settings: Settings) -> Any:
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    pair = (settings.tls_key.read_bytes(), settings.tls_certificate.read_bytes())
    return grpc.ssl_server_credentials([pair])
