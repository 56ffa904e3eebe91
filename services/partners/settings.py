"""How the program is told what to serve: arguments for places, the environment for credentials."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path

from services.partners.security import Credentials

DEFAULT_PORT = 4580


@dataclass(frozen=True)
class Settings:
    """``epoch`` is None for the Monday of this week."""

    host: str
    port: int
    database_url: str
    feed: Path
    epoch: datetime | None
    credentials: Credentials


def read_settings(
    arguments: Sequence[str] | None = None, variables: Mapping[str, str] = os.environ
) -> Settings:
    """The settings; argparse ends the program for wrong arguments.

    Raises:
        BadCredentials: a credential is missing or unfit.
    """
    parser = argparse.ArgumentParser(
        prog="python -m services.partners",
        description="The store's partner services on a synthetic world (nothing in it is real).",
        epilog="PARTNERS_CREDENTIAL and PARTNERS_ADMIN_CREDENTIAL, in the environment, are what callers must send.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="default %(default)s")
    parser.add_argument(
        "--port", type=_port, default=DEFAULT_PORT, help="default %(default)s; 0 takes a free one"
    )
    parser.add_argument(
        "--database",
        metavar="URL",
        default="sqlite:///partners.db",
        help="SQLAlchemy URL, default %(default)s",
    )
    parser.add_argument(
        "--feed", metavar="FOLDER", type=Path, required=True, help="JSONL parts of the catalogue feed"
    )
    parser.add_argument(
        "--epoch",
        metavar="DATE",
        type=_day,
        help="the day the world is told from (UTC), default: this week's Monday",
    )
    given = parser.parse_args(arguments)
    credentials = Credentials(
        variables.get("PARTNERS_CREDENTIAL", ""), variables.get("PARTNERS_ADMIN_CREDENTIAL", "")
    )
    return Settings(given.host, given.port, given.database, given.feed, given.epoch, credentials)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError("a port is a whole number up to 65535")
    return int(text)


def _day(text: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        raise argparse.ArgumentTypeError("a day is written like 2026-11-02") from None
