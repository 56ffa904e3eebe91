"""``python -m tools.twin.partners``: the partner services on their synthetic world, with the twin's fault injector around.

GET    /_twin/health
*      /_twin/faults...        tools/twin/faults.py; ``match`` picks one partner: ``/pricing/``, ``/reviews/`` …
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Final, cast

import uvicorn

from services.partners import logs
from services.partners.app import create_app, utc_now
from services.partners.database.sessions import Database
from services.partners.security import Credentials
from services.partners.world.feed import FeedError, open_feed
from services.partners.world.seeding import seed, this_week
from tools.twin.faults import Application, ErrorBody, FaultInjector, Kind, Receive, Scope, Send
from tools.twin.layout import HOST

SERVICE: Final = "partners"
HEALTH: Final = "/_twin/health"


def problem(service: str, kind: Kind) -> ErrorBody:
    """An injected failure as the partners word theirs."""
    document = {"type": "about:blank", "title": f"injected {kind} of {service}"}
    return {"content-type": "application/problem+json"}, json.dumps(document).encode()


def with_controls(app: Application) -> FaultInjector:
    """The application behind the injector, with the health path that every service of the twin has."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == HEALTH:
            scope = {**scope, "path": "/health", "raw_path": b"/health"}
        await app(scope, receive, send)

    return FaultInjector(served, services=(SERVICE,), service_of=lambda _: SERVICE, error_body=problem)


def main() -> int:
    """Lay out the world where it is not there yet, and serve it."""
    parser = argparse.ArgumentParser(prog="python -m tools.twin.partners")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", type=Path, required=True, help="SQLite file")
    parser.add_argument("--feed", type=Path, required=True, help="folder of the catalogue's feed")
    given = parser.parse_args()
    logs.configure()
    given.database.parent.mkdir(parents=True, exist_ok=True)
    database = Database(f"sqlite:///{given.database}")
    try:
        seed(database, open_feed(given.feed), this_week(utc_now()))
    except FeedError as error:
        print(f"partners: {error}", file=sys.stderr)
        return 1
    credentials = Credentials(
        os.environ.get("PARTNERS_CREDENTIAL", ""), os.environ.get("PARTNERS_ADMIN_CREDENTIAL", "")
    )
    app = with_controls(cast("Application", create_app(database, credentials)))
    try:
        uvicorn.run(app, host=HOST, port=given.port, log_config=None, access_log=False, ws="none")
    finally:
        database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
