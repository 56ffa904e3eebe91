"""The help of every command as one page: ``python -m tools.mangactl.reference > docs/mangactl.md``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from tools.mangactl import failures
from tools.mangactl.cli import app

WIDTH = 100


def render() -> str:
    """The page, which depends on the commands alone and not on the terminal."""
    exit_codes = (failures.__doc__ or "").split("\n\n", 1)[1].strip()
    parts = [
        "# mangactl",
        "Generated from the commands by `make docs`.",
        "`make setup` puts `mangactl` into `.venv/bin`; `python -m tools.mangactl` is the same. "
        "With `--json` a command prints one JSON document (`chat`: one frame a line) on stdout, and a failure as "
        '`{"error": {"code", "message", "exit_code"}}`, with `problems` where a policy was refused; '
        "progress goes to stderr.",
        "## Exit codes",
        exit_codes,
    ]
    for path, help_text in _pages(typer.main.get_command(app), ("mangactl",)):
        parts += [f"{'#' * (len(path) + 1)} {' '.join(path)}", f"```text\n{help_text}\n```"]
    return "\n\n".join(parts) + "\n"


def _pages(command: Any, path: tuple[str, ...], parent: Any = None) -> Iterator[tuple[tuple[str, ...], str]]:
    name = path[-1]
    with command.context_class(
        command, info_name=name, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH
    ) as context:
        yield path, "\n".join(line.rstrip() for line in command.get_help(context).strip().splitlines())
        for child in getattr(command, "commands", {}):
            yield from _pages(command.commands[child], (*path, child), context)


if __name__ == "__main__":
    print(render(), end="")
