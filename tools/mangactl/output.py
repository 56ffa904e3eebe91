"""What a command prints: one JSON document, or something for people. Progress goes to stderr, out of the way."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from rich.console import Console, RenderableType
from rich.table import Table

WIDTH_WITHOUT_TERMINAL = 140
"""A pipe has no width; this keeps model ids on one line."""


def console(*, stderr: bool = False) -> Console:
    """A console on the current stdout or stderr."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(
        stderr=stderr,
        width=None if stream.isatty() else WIDTH_WITHOUT_TERMINAL,
        highlight=False,
        markup=False,
        emoji=False,
    )


def show(document: Mapping[str, object], rendered: RenderableType, *, as_json: bool) -> None:
    """Print ``document`` for programs, or ``rendered`` for people."""
    if as_json:
        print_json(document)
    else:
        console().print(rendered)


def print_json(document: Mapping[str, object]) -> None:
    """One line of JSON."""
    print(json.dumps(document, ensure_ascii=False, default=str), flush=True)


def progress(line: str) -> None:
    """Tell what is going on."""
    console(stderr=True).print(f"  {line}", style="dim")


def table(*columns: str, title: str | None = None) -> Table:
    """An empty table in the house style."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made
