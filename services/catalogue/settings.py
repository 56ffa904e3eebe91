"""How a server is told what to serve and where: arguments, or the environment in a container."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mangaassist.adapters.dynamodb_changes import default_shard

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything a server needs; the SDK finds the table's service by itself."""

    table: str
    host: str = "127.0.0.1"
    port: int = 4570
    shard: str = "local"
    poll_seconds: float = 1.0
    """Between two looks at the change log; half a read unit each."""
    most_calls: int = 256
    """At once; beyond them calls are refused. Some 100 ms of work of one core."""
    most_watches: int = 256
    grace_seconds: float = 20.0
    """For running calls after SIGTERM; ECS kills a task 30 s after it unless told otherwise."""
    report_seconds: float = 10.0
    log_level: str = "INFO"
    tls_certificate: Path | None = None
    tls_key: Path | None = None


def read_settings(
    arguments: Sequence[str] | None = None, variables: Mapping[str, str] = os.environ
) -> Settings:
    """The settings; argparse says what is wrong and exits with 2."""
    parser = argparse.ArgumentParser(prog="python -m services.catalogue", description=__doc__)
    add = parser.add_argument
    add("--table", default=variables.get("CATALOGUE_TABLE"), help="DynamoDB table (CATALOGUE_TABLE)")
    add("--host", default=variables.get("CATALOGUE_HOST", Settings.host), help="address to listen on")
    add("--port", type=_port, default=variables.get("CATALOGUE_PORT", str(Settings.port)), help="0 takes any")
    add("--shard", default=default_shard(), help="part of the change log to follow: the writer's Region")
    add("--poll-seconds", type=_positive, default=Settings.poll_seconds, help="between looks at the log")
    add("--most-calls", type=_count, default=Settings.most_calls, help="at once; more are refused")
    add("--most-watches", type=_count, default=Settings.most_watches, help="at once; more are refused")
    add("--grace-seconds", type=_positive, default=Settings.grace_seconds, help="for running calls")
    add("--report-seconds", type=_positive, default=Settings.report_seconds, help="between metrics")
    add("--log-level", choices=LEVELS, default=variables.get("LOG_LEVEL", Settings.log_level))
    add("--tls-certificate", type=Path, default=_path(variables.get("CATALOGUE_TLS_CERTIFICATE")))
    add("--tls-key", type=Path, default=_path(variables.get("CATALOGUE_TLS_KEY")))
    given = parser.parse_args(arguments)
    if not given.table:
        parser.error("no table: give --table or set CATALOGUE_TABLE")
    if (given.tls_certificate is None) != (given.tls_key is None):
        parser.error("TLS takes both --tls-certificate and --tls-key")
    return Settings(**vars(given))


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give 0 to 65535")
    return int(text)


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 86_400:
        raise argparse.ArgumentTypeError(f"{text!r}: give seconds above 0")
    return number


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 1")
    return int(text)


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
