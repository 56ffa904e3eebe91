"""``python -m tools.twin.catalogue``: the product's catalogue service over the twin's table, and the twin's controls.

The service is the one of ``services/catalogue``; the task on Fargate is what this process stands in for. It starts as
soon as the deployed stacks say which table is the catalogue's and whether the task has a role (``identity.py``), and
again when they say another one.

    GET    /_twin/health
    POST   /_twin/reload           look again at what is deployed; answers ``{"table", "role"}`` when the catalogue is
                                   served, both null when there is none yet, the role where no template declares one
    *      /_twin/faults...        tools/twin/faults.py, in gRPC's words (faults.py)
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from services.catalogue.server import CatalogueServer
from services.catalogue.settings import Settings
from services.catalogue.table import CatalogueTable
from services.catalogue.telemetry import configure_logs
from tools.twin import stack_outputs
from tools.twin.catalogue import identity
from tools.twin.catalogue.faults import SERVICE, GrpcFaults
from tools.twin.faults import FaultInjector
from tools.twin.layout import HOST, REGION

LOADED_WITHIN_SECONDS: Final = 60
GRACE_SECONDS: Final = 2.0
PACKAGE: Final = "mangaassist.catalogue.v1"


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Deployed:
    """What the service reads, and the role that it reads it under; ``None``: the account's own keys."""

    table: str
    role: str | None


class Host:
    """Runs the service over whichever table is deployed."""

    def __init__(self, outputs: Path, port: int) -> None:
        self._outputs, self._port = outputs, port
        self._deployed: Deployed | None = None
        self._server: CatalogueServer | None = None
        self._turn = asyncio.Lock()
        self.faults: FaultInjector | None = None

    async def reload(self) -> Deployed | None:
        """Serve what is deployed now; returns it once it is loaded, ``None`` while nothing is deployed.

        Raises:
            NoIdentity: it is unknown whom to sign as.
            TimeoutError: the table was not read in time.
        """
        async with self._turn:
            deployed = await asyncio.to_thread(self._look)
            if deployed != self._deployed:
                await self._stop()
                if deployed is not None:
                    await self._start(deployed)
            return deployed

    async def close(self) -> None:
        """End the service, running calls first."""
        async with self._turn:
            await self._stop()

    def _look(self) -> Deployed | None:
        table = stack_outputs.read(self._outputs).get("Ingest", {}).get("CatalogueTableName")
        # Asked for each time: an emulator that was started anew knows the role's keys again from then on.
        return None if table is None else Deployed(table, identity.task_role())

    async def _start(self, deployed: Deployed) -> None:
        assert self.faults is not None
        table = deployed.table
        settings = Settings(
            table=table, host=HOST, port=self._port, shard=REGION, grace_seconds=GRACE_SECONDS
        )
        dynamodb = await asyncio.to_thread(identity.dynamodb, deployed.role)
        server = CatalogueServer(
            CatalogueTable(dynamodb, table, settings.shard),
            settings,
            interceptors=(GrpcFaults(self.faults, package=PACKAGE),),
        )
        await server.start()
        self._server, self._deployed = server, deployed
        log.info("signing as", extra={"facts": {"role": deployed.role or "the account"}})
        async with asyncio.timeout(LOADED_WITHIN_SECONDS):
            await server.until_loaded()

    async def _stop(self) -> None:
        if self._server is not None:
            await self._server.stop()
        self._server = self._deployed = None


def create_app(host: Host) -> FaultInjector:
    """The controls, and the injector that the service's interceptor asks."""

    async def begin() -> None:
        try:
            await host.reload()
        except (TimeoutError, identity.NoIdentity) as error:
            # The emulator starts at the same time; a reload comes when it is well.
            log.info("not yet", extra={"facts": {"reason": str(error)}})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        # What an earlier run deployed is there already; a table that is not yet is told of by a reload.
        starting = asyncio.create_task(begin())
        yield
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await host.close()

    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def reload(_: Request) -> JSONResponse:
        try:
            found = await host.reload()
        except TimeoutError:
            return JSONResponse({"message": "the catalogue was not loaded in time; see its log"}, 503)
        except identity.NoIdentity as error:
            return JSONResponse({"message": str(error)}, 503)
        return JSONResponse({"table": found and found.table, "role": found and found.role})

    application = Starlette(
        routes=[Route("/_twin/health", health), Route("/_twin/reload", reload, methods=["POST"])],
        lifespan=lifespan,
    )
    host.faults = FaultInjector(application, services=(SERVICE,), service_of=lambda _: None)
    return host.faults


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m tools.twin.catalogue")
    parser.add_argument("--port", type=int, required=True, help="of the controls, over HTTP")
    parser.add_argument("--grpc-port", type=int, required=True, help="of the service")
    parser.add_argument("--outputs", type=Path, required=True, help="what the stacks put out")
    given = parser.parse_args()
    configure_logs("INFO")
    app = create_app(Host(given.outputs, given.grpc_port))
    uvicorn.run(app, host=HOST, port=given.port, log_level="warning", access_log=False, ws="none")


if __name__ == "__main__":
    main()
