"""The commands put together, and how they end."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from tools.mangactl import (
    capacity_commands,
    catalogue_commands,
    chat_commands,
    policy_commands,
    rehearsal_commands,
    store_commands,
    twin_commands,
)
from tools.mangactl.failures import BadArgument, CommandFailure, as_failure
from tools.mangactl.output import print_json

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    help="Operate MangaAssist: the model policy, a terminal chat, the local twin, the store's services, capacity and cost.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong arguments, 3 policy refused, 4 nothing there to work on, "
    "5 somebody else is changing it, 130 interrupted.",
)
app.add_typer(policy_commands.app, name="policy")
app.command("chat")(chat_commands.chat)
twin_commands.app.add_typer(rehearsal_commands.app, name="rehearse")
app.add_typer(twin_commands.app, name="twin")
app.add_typer(capacity_commands.app, name="capacity")
app.add_typer(catalogue_commands.app, name="catalogue")
app.add_typer(store_commands.app, name="store")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = app(args=given or ["--help"], prog_name="mangactl", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except typer.TyperException as error:
        return _report(BadArgument(f"{error.format_message()} (mangactl --help)"), given)
    except typer.Abort:
        return _report(CommandFailure("stopped: nothing was changed"), given)
    except Exception as error:
        if os.environ.get("MANGACTL_TRACEBACK"):
            raise
        return _report(as_failure(error), given)


def _report(failure: CommandFailure, arguments: Sequence[str]) -> int:
    if "--json" in arguments:
        print_json(failure.as_document())
    else:
        print(f"mangactl: {failure}", file=sys.stderr)
    return failure.exit_code
