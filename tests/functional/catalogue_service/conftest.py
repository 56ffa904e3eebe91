"""The catalogue server on a real port over moto's DynamoDB, in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mangaassist.adapters.dynamodb_catalogue import DynamoDBCatalogue
from mangaassist.adapters.grpc_catalogue import GrpcProducts, connect
from mangaassist.catalogue.records import SeriesRecord, read_line
from mangaassist.catalogue_api.v1 import catalogue_pb2_grpc
from services.catalogue.facts import Volume
from services.catalogue.server import CatalogueServer
from services.catalogue.settings import Settings
from services.catalogue.table import CatalogueTable
from tests.functional.catalogue.conftest import TABLE, Stores, stores
from tests.unit.catalogue.fakes import line

__all__ = ["stores"]

REGION = "us-east-1"
WAIT_SECONDS = 60
"""A test that waits longer for a signal has failed."""


class Serialised:
    """A dynamodb client that runs one call at a time: moto's transactions are visible half done to other threads."""

    def __init__(self, client: Any, lock: threading.Lock) -> None:
        self._client = client
        self._lock = lock

    def __getattr__(self, operation: str) -> Any:
        def call(**arguments: Any) -> Any:
            with self._lock:
                return getattr(self._client, operation)(**arguments)

        return call


ONE_AT_A_TIME = threading.Lock()


class GatedTable(CatalogueTable):
    """Reads of books tell that they were ``asked`` and wait until the gate is ``open``."""

    def __init__(self, client: Any) -> None:
        super().__init__(Serialised(client, ONE_AT_A_TIME), TABLE, REGION)
        self.asked = threading.Event()
        self.open = threading.Event()
        self.open.set()
        self.reads: list[list[str]] = []

    def volumes(self, asins: Sequence[str], *, until: float | None = None) -> dict[str, Volume]:
        self.reads.append(list(asins))
        self.asked.set()
        assert self.open.wait(WAIT_SECONDS)
        return super().volumes(asins, until=until)


@dataclass
class Running:
    """A server; ``ended`` are the calls that it has dealt with, as method and code."""

    server: CatalogueServer
    table: GatedTable
    loop: asyncio.AbstractEventLoop
    target: str
    channel: grpc.Channel
    stub: Any
    ended: list[tuple[str, str]] = field(default_factory=list)
    one_ended: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def run(self, work: Any) -> Any:
        """Run a coroutine in the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(WAIT_SECONDS)

    def client(self, **options: Any) -> GrpcProducts:
        return GrpcProducts(self.channel, **options)


Serve = Callable[..., AbstractContextManager[Running]]


def record(number: int, **changes: Any) -> SeriesRecord:
    return read_line(line(f"MG{number:05d}", **changes))


def write(stores: Stores, *records: SeriesRecord) -> None:
    """As ingest writes them."""
    client = Serialised(stores.dynamodb, ONE_AT_A_TIME)
    DynamoDBCatalogue(client, TABLE).write([(each, f"hash of {each.series_id}") for each in records])


def until_serving(channel: grpc.Channel) -> None:
    """Wait for the health service to say so; the watch is a signal, not a poll."""
    stub: Any = health_pb2_grpc.HealthStub(channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest(), timeout=WAIT_SECONDS, wait_for_ready=True)
    for state in watch:
        if state.status == health_pb2.HealthCheckResponse.SERVING:
            watch.cancel()
            return
    raise AssertionError("the server never said that it serves")


@pytest.fixture
def serve(stores: Stores) -> Serve:
    """Start a server with these settings over the test's table."""

    @contextmanager
    def started(*, loaded: bool = True, **changes: Any) -> Iterator[Running]:
        table = GatedTable(stores.dynamodb)
        settings = Settings(
            **{
                "table": TABLE,
                "port": 0,
                "shard": REGION,
                "poll_seconds": 0.02,
                "grace_seconds": 5.0,
                **changes,
            }
        )
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()

        async def start() -> CatalogueServer:
            server = CatalogueServer(table, settings)
            await server.start()
            return server

        try:
            server = asyncio.run_coroutine_threadsafe(start(), loop).result(WAIT_SECONDS)
            target = f"127.0.0.1:{server.port}"
            with connect(target) as channel:
                stub = catalogue_pb2_grpc.CatalogueServiceStub(channel)
                running = Running(server, table, loop, target, channel, stub)
                _listen(running)
                if loaded:
                    until_serving(channel)
                yield running
                table.open.set()
                running.run(server.stop())
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    return started


def _listen(running: Running) -> None:
    """Hear of every call that ends."""
    meters = running.server._meters
    count = meters.call

    def heard(method: str, code: str, milliseconds: float | None) -> None:
        count(method, code, milliseconds)
        running.ended.append((method, code))
        running.one_ended.release()

    meters.call = heard  # type: ignore[method-assign]


@pytest.fixture
def running(stores: Stores, serve: Serve) -> Iterator[Running]:
    """A server that knows three series: Uzumaki, Tomie and Yotsuba."""
    write(
        stores,
        record(1),
        record(
            2,
            titles={"en": "Tomie", "romaji": "Tomie", "ja": "富江"},
            rating={"average": 4.0, "count": 80},
        ),
        record(
            3,
            titles={"en": "Yotsuba&!", "romaji": "Yotsuba to!", "ja": "よつばと！"},
            genres=["Comedy"],
            creators=[{"name": "Kiyohiko Azuma", "name_ja": "あずまきよひこ", "role": "story_and_art"}],
        ),
    )
    with serve() as running:
        yield running
