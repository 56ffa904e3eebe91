"""Run every bench and print one table: what, against what, the ratio, and the budget where there is one."""

from __future__ import annotations

import json

import typer
from rich.console import Console
from rich.table import Table

from tools.bench import catalogue, cold_start, turn
from tools.bench.result import Result


def main(as_json: bool = typer.Option(False, "--json", help="Machine-readable output.")) -> None:
    """Measure; a ratio over its budget is marked, never an error: speed is judged by people."""
    results: list[Result] = [*cold_start.measure(), *turn.measure(), *catalogue.measure()]
    if as_json:
        print(json.dumps([result.as_document() for result in results], indent=2))
        return
    table = Table(title="bench: ratios against a baseline of the same run", title_justify="left", box=None)
    for heading in ("what", "measured", "baseline", "", "ratio", "budget"):
        table.add_column(heading, justify="right" if heading in ("measured", "ratio", "budget") else "left")
    for result in results:
        over = result.budget is not None and result.ratio > result.budget
        table.add_row(
            result.what,
            f"{_shown(result.measured)} {result.unit}",
            result.baseline,
            f"{_shown(result.baseline_measured)} {result.unit}",
            f"[red]{result.ratio:.2f}[/red]" if over else f"{result.ratio:.2f}",
            f"{result.budget:.2f}" if result.budget is not None else "",
        )
    Console().print(table)


def _shown(number: float) -> str:
    return f"{number:,.0f}" if number >= 1_000 else f"{number:.3f}"


if __name__ == "__main__":
    typer.run(main)
