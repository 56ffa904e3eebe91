"""``python -m tools.contracts``: write the contracts, verify them, and tell which have not been for too long."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tools.contracts import files, records
from tools.contracts.freshness import ADVICE, Freshness, judge

WRITE = "CONTRACTS_WRITE"
"""Set for the consumers' tests: write what they expect instead of comparing it."""

app = typer.Typer(
    help="Contracts between the assistant and the services it asks (docs/contracts.md).",
    no_args_is_help=True,
    add_completion=False,
)

Folder = Annotated[Path, typer.Option(help="Where the contracts are.")]


@app.command()
def generate() -> None:
    """Write contracts/*.json from the consumers' tests."""
    raise typer.Exit(_pytest("tests/contract/consumer", {WRITE: "1"}))


@app.command()
def verify() -> None:
    """Verify every contract against its provider and keep that it was (contracts/verified.json)."""
    status = _pytest("tests/contract/provider", {})
    known = [contract.name for contract in _contracts(files.FOLDER)]
    found = records.newest(records.load(files.RECORDS), records.left())
    # What was verified stays true whatever else failed.
    records.save(records.only(found, known), files.RECORDS)
    raise typer.Exit(status)


@app.command()
def freshness(
    folder: Folder = files.FOLDER,
    results: Annotated[Path, typer.Option(help="What test runs left.")] = records.RESULTS,
    now: Annotated[
        str | None, typer.Option(help="ISO 8601 with a zone, instead of this moment.", metavar="TIME")
    ] = None,
) -> None:
    """Exit 1 when a contract was not verified as it is now within the last 7 days."""
    moment = _moment(now)
    found = judge(
        _contracts(folder),
        records.newest(
            records.load(folder / files.RECORDS.name), records.left(results, now=moment), now=moment
        ),
        moment,
    )
    Console(width=120).print(_table(found))
    late = [each for each in found if each.verdict != "fresh"]
    if late:
        typer.echo(
            f"contracts: {len(late)} of {len(found)} not fresh; run: python -m tools.contracts verify",
            err=True,
        )
        raise typer.Exit(1)


def _contracts(folder: Path) -> list[files.Contract]:
    try:
        return files.contracts(folder)
    except files.BadContract as problem:
        typer.echo(f"contracts: {problem}", err=True)
        raise typer.Exit(1) from None


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise typer.BadParameter("write a time like 2026-11-02T09:30:00Z", param_hint="--now")
    return moment


def _table(found: list[Freshness]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("contract", "provider", "version", "verified", "age", "verdict"):
        table.add_column(heading, no_wrap=True)
    for each in found:
        last = each.verification
        table.add_row(
            each.contract.name,
            each.contract.provider,
            last.version if last else "-",
            last.verified_at if last else "-",
            _days(each.age) if each.age is not None else "-",
            ADVICE[each.verdict] or "fresh",
        )
    return table


def _days(age: timedelta) -> str:
    return f"{age / timedelta(days=1):.1f} d"


def _pytest(tests: str, variables: dict[str, str]) -> int:
    command = [sys.executable, "-m", "pytest", tests, "-q", "-p", "no:xdist"]
    return subprocess.run(command, cwd=files.ROOT, env={**os.environ, **variables}).returncode


if __name__ == "__main__":
    app()
