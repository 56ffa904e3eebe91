"""``python -m services.catalogue --port N --table NAME``: serve until SIGTERM; ``--help`` names the rest."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

from mangaassist.adapters.clients import client
from services.catalogue.server import CatalogueServer, Table
from services.catalogue.settings import Settings, read_settings
from services.catalogue.table import CatalogueTable
from services.catalogue.telemetry import SERVICE, configure_logs

log = logging.getLogger("services.catalogue")


async def serve(table: Table, settings: Settings) -> int:
    """Serve until told to stop; 1 when the port cannot be had."""
    server = CatalogueServer(table, settings)
    try:
        await server.start()
    except (RuntimeError, OSError) as error:
        log.error("cannot listen", extra={"facts": {"port": settings.port, "reason": str(error)}})
        return 1
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await stopping.wait()
    await server.stop()
    return 0


def main() -> int:
    """The program."""
    settings = read_settings()
    os.environ.setdefault("POWERTOOLS_SERVICE_NAME", SERVICE)
    configure_logs(settings.log_level)
    # Slower than this, the read model answers better.
    dynamodb = client("dynamodb", read_timeout_seconds=2.0, attempts=2)
    return asyncio.run(serve(CatalogueTable(dynamodb, settings.table, settings.shard), settings))


if __name__ == "__main__":
    sys.exit(main())
