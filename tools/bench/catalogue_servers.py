"""The two servers of the catalogue bench, each a process: ``python -m tools.bench.catalogue_servers grpc|http PORT``.

Both answer from the same cache over the same table in memory, so that what differs is the protocol: gRPC as the service
speaks it, and JSON over HTTP as Starlette under uvicorn (uvloop, httptools) would. Neither writes a log line per call.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from google.protobuf.json_format import MessageToDict

from mangaassist.adapters.dynamodb_catalogue import wire
from mangaassist.catalogue.items import series_item, volume_items
from services.catalogue.__main__ import serve
from services.catalogue.facts import Series, Volume, series_of, volume_of
from services.catalogue.model import ReadModel
from services.catalogue.products import CAPACITY, Products
from services.catalogue.settings import Settings
from services.catalogue.table import Tail
from services.catalogue.telemetry import configure_logs
from tools.catalogue import feed

DEADLINE_SECONDS = 5.0


class Memory:
    """The whole feed as the table would give it, at once."""

    def __init__(self) -> None:
        records = list(feed.series())
        self._series = {each.series_id: series_of(wire(series_item(each, ""))) for each in records}
        volumes = [volume_of(wire(item)) for each in records for item in volume_items(each)]
        self._volumes = {volume.asin: volume for volume in volumes}

    def volumes(self, asins: Sequence[str], *, until: float | None = None) -> dict[str, Volume]:
        return {asin: self._volumes[asin] for asin in asins if asin in self._volumes}

    def series(self, series_ids: Sequence[str], *, until: float | None = None) -> dict[str, Series]:
        return {each: self._series[each] for each in series_ids if each in self._series}

    def everything(self) -> tuple[list[Series], list[Volume]]:
        return list(self._series.values()), list(self._volumes.values())

    def with_volumes(self, series_ids: Sequence[str]) -> list[tuple[Series, list[Volume]]]:
        return []

    def tail(self, sequence: int) -> Tail:
        return Tail(None, ())


def http_app(table: Memory) -> Any:
    """The same read path behind ``POST /products``."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    model = ReadModel(*table.everything())
    products = Products(table, lambda: model)

    @lru_cache(maxsize=CAPACITY)
    def plain(asin: str) -> dict[str, Any]:
        """As gRPC's side keeps messages, this side keeps what json takes."""
        found = model.product(asin)
        return {} if found is None else MessageToDict(found, preserving_proto_field_name=True)

    async def get(request: Request) -> JSONResponse:
        asins = json.loads(await request.body())["asins"]
        found = await products.get(asins, until=time.monotonic() + DEADLINE_SECONDS)
        return JSONResponse(
            {
                "products": [plain(asin) for asin, each in found.items() if each is not None],
                "unknown_asins": [asin for asin, each in found.items() if each is None],
            }
        )

    return Starlette(routes=[Route("/products", get, methods=["POST"])])


def main() -> int:
    """Serve until stopped."""
    kind, port = sys.argv[1], int(sys.argv[2])
    table = Memory()
    if kind == "grpc":
        configure_logs("WARNING")
        settings = Settings(table="memory", port=port, poll_seconds=60, report_seconds=3_600)
        return asyncio.run(serve(table, settings))
    import uvicorn

    uvicorn.run(http_app(table), port=port, log_level="error", access_log=False)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
