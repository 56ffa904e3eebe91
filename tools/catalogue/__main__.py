"""``python -m tools.catalogue``: build the feed, and say how its source was made."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tools.catalogue import feed, source
from tools.catalogue.genres import measure

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
console = Console()

FullTable = Annotated[
    Path,
    typer.Option("--from", exists=True, dir_okay=False, help="The full source table (see source/README.md)."),
]


@app.command()
def build(
    out: Annotated[Path, typer.Option(help="Folder for the JSONL parts.")] = Path("build/feed"),
    parts: Annotated[int, typer.Option(min=1, max=1_000, help="Number of files.")] = 4,
) -> None:
    """Write the feed as JSONL parts, one series a line."""
    for path in feed.write_parts(out, parts):
        console.print(f"{path}  {path.stat().st_size:,} bytes")


@app.command("refresh-source")
def refresh_source(table: FullTable) -> None:
    """Trim the full table to the committed copy: which rows and columns are kept is code, so anyone can check."""
    kept = source.trim(_read(table))
    source.write(kept)
    console.print(f"{source.SERIES_CSV}: {len(kept):,} series")


@app.command("genre-rules")
def genre_rules(table: FullTable) -> None:
    """Measure how often each genre rule is right about works whose genres the table states."""
    comics = [
        cells for cells in _read(table) if cells["type"] in source.KEPT_TYPES and cells["fanservice"] != "1"
    ]
    rows = [
        source.parse({**cells, "end_year": ""}) for cells in comics if cells["start_year"] and cells["score"]
    ]
    report = Table("rule", "genre", "holds", "of")
    for rule, genre, share, works in measure(rows):
        report.add_row(rule, genre, f"{share:.2f}", str(works))
    console.print(report)


def _read(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        cells = list(csv.DictReader(file))
    missing = {column for column in source.KEPT_COLUMNS if column != "end_year"} - set(
        cells[0] if cells else {}
    )
    if missing:
        raise typer.BadParameter(
            f"{table} lacks the columns {', '.join(sorted(missing))}; is it the full table?"
        )
    return cells


if __name__ == "__main__":
    app()
