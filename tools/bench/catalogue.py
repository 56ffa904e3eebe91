"""A batch get of 50 products from the catalogue service, against the same data as JSON over HTTP."""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from mangaassist.adapters.grpc_catalogue import GrpcProducts, connect
from mangaassist.store.facts import Product
from tools.bench.result import Result
from tools.catalogue import feed

ROOT = Path(__file__).resolve().parents[2]
BATCH = 50
WARM_UP, CALLS, ROUNDS = 50, 480, 5
AT_ONCE = 16
DEADLINE_MS = 30_000
BASELINE = "JSON over HTTP"

Get = Callable[[Sequence[str]], Awaitable[dict[str, Product]]]


@dataclass(frozen=True)
class Cost:
    """Of one call: milliseconds of waiting and of CPU on either side, bytes both ways; and calls a core can serve."""

    latency_ms: float
    client_ms: float
    server_ms: float
    bytes: float
    per_core: float


def measure() -> list[Result]:
    """Bytes, CPU and latency of one call, and how many of them a core of the server takes, as ratios."""
    asins = [volume.asin for record in _some(feed.series(), BATCH) for volume in record.volumes[:1]]
    with _server("grpc") as grpc_server, _server("http") as http_server:
        costs = asyncio.run(_interleaved(asins, grpc_server, http_server))
    rpc, http = costs["grpc"], costs["http"]
    get = f"batch get of {BATCH} over gRPC"
    return [
        Result(f"bytes of a {get}, both ways", rpc.bytes, BASELINE, http.bytes, unit="B"),
        Result(f"latency of a {get}", rpc.latency_ms, BASELINE, http.latency_ms),
        Result(f"server's CPU of a {get}, {AT_ONCE} at once", rpc.server_ms, BASELINE, http.server_ms),
        Result(f"client's CPU of a {get}, {AT_ONCE} at once", rpc.client_ms, BASELINE, http.client_ms),
        Result(f"{get}: calls a core serves", rpc.per_core, BASELINE, http.per_core, unit="/s"),
    ]


async def _interleaved(asins: Sequence[str], grpc_server: _Server, http_server: _Server) -> dict[str, Cost]:
    """Both measured in turns, so that a busy moment of the machine hits both; medians of the rounds."""
    rounds: dict[str, list[Cost]] = {"grpc": [], "http": []}
    async with _Relay(grpc_server.port) as rpc_relay, _Relay(http_server.port) as http_relay:
        with ExitStack() as open_clients:
            channel = open_clients.enter_context(connect(f"127.0.0.1:{rpc_relay.port}"))
            http = open_clients.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{http_relay.port}"))
            direct_channel = open_clients.enter_context(connect(f"127.0.0.1:{grpc_server.port}"))
            direct_http = open_clients.enter_context(
                httpx.Client(
                    base_url=f"http://127.0.0.1:{http_server.port}",
                    limits=httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE),
                )
            )
            sides: dict[str, tuple[Get, Get, _Relay, _Server]] = {
                "grpc": (_over_grpc(direct_channel), _over_grpc(channel), rpc_relay, grpc_server),
                "http": (_over_http(direct_http), _over_http(http), http_relay, http_server),
            }
            for name, (get, relayed, _, _) in sides.items():
                assert len(await get(asins)) == BATCH, f"{name} does not answer with every product"
                await _repeat(get, asins, WARM_UP)
                await _repeat(relayed, asins, 1)
            for _ in range(ROUNDS):
                for name, side in sides.items():
                    rounds[name].append(await _round(asins, *side))
    return {
        name: Cost(*(statistics.median(values) for values in zip(*map(astuple, costs), strict=True)))
        for name, costs in rounds.items()
    }


async def _round(asins: Sequence[str], get: Get, relayed: Get, relay: _Relay, server: _Server) -> Cost:
    latencies = await _repeat(get, asins, CALLS // 4)
    own, theirs = time.process_time(), server.cpu_seconds()
    await asyncio.gather(*(_repeat(get, asins, CALLS // AT_ONCE) for _ in range(AT_ONCE)))
    calls = CALLS // AT_ONCE * AT_ONCE
    own, theirs = time.process_time() - own, server.cpu_seconds() - theirs
    before = relay.bytes
    await _repeat(relayed, asins, 20)
    return Cost(
        statistics.median(latencies),
        own / calls * 1_000,
        theirs / calls * 1_000,
        (relay.bytes - before) / 20,
        calls / theirs,
    )


async def _repeat(get: Get, asins: Sequence[str], times: int) -> list[float]:
    """Milliseconds of each call."""
    spent: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        await get(asins)
        spent.append((time.perf_counter() - began) * 1_000)
    return spent


def _over_grpc(channel: Any) -> Get:
    products = GrpcProducts(channel)
    return lambda asins: products.get(asins, deadline_ms=DEADLINE_MS)


def _over_http(client: httpx.Client) -> Get:
    def ask(asins: Sequence[str]) -> dict[str, Product]:
        answer = client.post("/products", json={"asins": asins}).raise_for_status().json()
        return {each["asin"]: _product(each) for each in answer["products"]}

    return lambda asins: asyncio.to_thread(ask, asins)


def _product(found: dict[str, Any]) -> Product:
    return Product(
        asin=found["asin"],
        series_id=found["series_id"],
        title=found["title"],
        series_title=found["series_title"],
        title_ja=found.get("series_title_ja"),
        volume=found.get("volume"),
        creators=tuple(found.get("creators", ())),
        genres=tuple(found.get("genres", ())),
        publisher=found.get("publisher"),
        status=found.get("status"),
        mature=found.get("mature", False),
        buyable=found.get("buyable", False),
        creators_ja=tuple(found.get("creators_ja", ())),
        year=found.get("year"),
        volume_count=found.get("volume_count"),
        demographics=tuple(found.get("demographics", ())),
    )


class _Relay:
    """Passes bytes on and counts them."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._pumps: set[asyncio.Task[None]] = set()
        self.bytes = 0
        self.port = 0

    async def __aenter__(self) -> _Relay:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._to)
        for source, sink in ((reader, there_writer), (there_reader, writer)):
            self._pumps.add(asyncio.create_task(self._pump(source, sink)))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while some := await source.read(65_536):
            self.bytes += len(some)
            sink.write(some)
            await sink.drain()
        sink.close()


@dataclass(frozen=True)
class _Server:
    port: int
    process: psutil.Process

    def cpu_seconds(self) -> float:
        times = self.process.cpu_times()
        return times.user + times.system


@contextmanager
def _server(kind: str) -> Generator[_Server]:
    """A server of ``tools.bench.catalogue_servers`` that answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = int(free.getsockname()[1])
    roots = os.pathsep.join((str(ROOT), str(ROOT / "layers" / "core" / "python")))
    started = subprocess.Popen(
        [sys.executable, "-m", "tools.bench.catalogue_servers", kind, str(port)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": roots, "POWERTOOLS_SERVICE_NAME": "catalogue"},
        stdout=subprocess.DEVNULL,
    )
    try:
        while not _accepts(port):
            if started.poll() is not None:
                raise SystemExit(f"bench: the {kind} server of the catalogue ended with {started.returncode}")
            time.sleep(0.05)
        yield _Server(port, psutil.Process(started.pid))
    finally:
        started.terminate()
        started.wait()


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _some(records: Any, count: int) -> list[Any]:
    return [
        record for record, _ in zip((each for each in records if each.volumes), range(count), strict=False)
    ]
