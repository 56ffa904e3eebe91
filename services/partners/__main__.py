"""``python -m services.partners``: lay out the world where it is not there yet, and serve it until SIGTERM.

Exit status 2 for wrong arguments or credentials, 1 for a feed or a database that cannot be used. The port opens when the
world is laid out: whoever can connect gets answers. SIGTERM lets running requests finish, then ends the process.
"""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Sequence

import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from services.partners import logs
from services.partners.app import create_app, utc_now
from services.partners.database.sessions import SEED_WAIT_SECONDS, Database, DatabaseError
from services.partners.security import BadCredentials
from services.partners.settings import Settings, read_settings
from services.partners.world.feed import FeedError, open_feed
from services.partners.world.seeding import seed, this_week

GRACE_SECONDS = 10
KEEP_ALIVE_SECONDS = 75
"""Longer than the clients' pools keep a connection, so that it is they who close it."""

log = logging.getLogger("services.partners")


class Server(uvicorn.Server):
    """Says when it serves, and on which port."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the port."""
        await super().startup(sockets)
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            log.info("serving", extra={"facts": {"event": "serving", "host": self.config.host, "port": port}})


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve; returns the exit status."""
    try:
        settings = read_settings(arguments)
    except BadCredentials as problem:
        print(f"partners: {problem}", file=sys.stderr)  # noqa: T201 - to whoever starts it
        return 2
    logs.configure()
    try:
        _seed(settings)
        database = Database(settings.database_url)
    except (FeedError, DatabaseError) as problem:
        print(f"partners: {problem}", file=sys.stderr)  # noqa: T201 - to whoever starts it
        return 1
    except (SQLAlchemyError, OSError) as problem:
        # The class only: a database URL may hold a password.
        print(f"partners: the database or the feed cannot be used: {type(problem).__name__}", file=sys.stderr)  # noqa: T201
        return 1
    app = create_app(database, settings.credentials)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    try:
        Server(config).run()
    finally:
        database.close()
    return 0


def _seed(settings: Settings) -> None:
    feed = open_feed(settings.feed)
    database = Database(settings.database_url, wait_seconds=SEED_WAIT_SECONDS)
    try:
        seeded = seed(database, feed, settings.epoch or this_week(utc_now()))
    finally:
        database.close()
    facts = {
        "event": "seeded",
        "new": seeded.is_new,
        "epoch": seeded.epoch.date().isoformat(),
        "products": seeded.products,
        "synthetic": True,
    }
    log.info("the world is laid out", extra={"facts": facts})


if __name__ == "__main__":
    raise SystemExit(main())
