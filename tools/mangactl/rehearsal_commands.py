"""``mangactl twin rehearse``: play through on the twin what production does seldom."""

from __future__ import annotations

import typer

from tools.mangactl.capacity_rehearsals import Stage, rehearse_prewarm, rehearse_throughput
from tools.mangactl.environments import running_twin
from tools.mangactl.failures import Unavailable
from tools.mangactl.lifecycle_rehearsals import LifecycleRehearsal, rehearsal_layout
from tools.mangactl.options import JsonOption
from tools.mangactl.output import progress, show
from tools.mangactl.restore_rehearsal import rehearse_restore
from tools.twin.layout import LOCAL
from tools.twin.supervisor import Twin

app = typer.Typer(rich_markup_mode=None, help="Play through on the twin what production does seldom.")


@app.command()
def prewarm(as_json: JsonOption = False) -> None:
    """A sale with a moved clock: capacity up at T-15, one step failing, mended, back after the end."""
    _play(rehearse_prewarm, as_json, moves_clock=True)


@app.command()
def throughput(as_json: JsonOption = False) -> None:
    """Model throughput with a moved clock: bought, crashed, found again, published, given back."""
    _play(rehearse_throughput, as_json, moves_clock=True)


@app.command()
def restore(as_json: JsonOption = False) -> None:
    """The restore drill: items damaged and copied back from a backup, the index lost and built again."""
    _play(rehearse_restore, as_json)


@app.command()
def upgrade(as_json: JsonOption = False) -> None:
    """On a twin of its own: prod of the release before with data in it, then this release over it."""
    _live_through(["upgrade"], as_json)


@app.command()
def rollback(as_json: JsonOption = False) -> None:
    """After an upgrade, which it begins with if there was none: a deployment fails, all is as before."""
    _live_through(["rollback"], as_json)


@app.command()
def destroy(as_json: JsonOption = False) -> None:
    """The end, after an upgrade: what holds data survives, all else goes; the rehearsals' twin stops."""
    _live_through(["destroy"], as_json)


def _live_through(parts: list[str], as_json: bool) -> None:
    layout = rehearsal_layout(Twin.from_environment().layout)
    rehearsal = LifecycleRehearsal(layout, progress)
    if not rehearsal.twin.is_running() and parts != ["upgrade"]:
        parts = ["upgrade", *parts]
    for part in parts:
        getattr(rehearsal, part)()
    if parts[-1] == "destroy":
        rehearsal.end()
    else:
        progress("the rehearsals' twin runs on for rollback and destroy; destroy stops it")
    show(
        {"rehearsed": True, "steps": rehearsal.steps},
        f"{len(rehearsal.steps)} steps came true",
        as_json=as_json,
    )


def _play(rehearse: object, as_json: bool, *, moves_clock: bool = False) -> None:
    stage = Stage(running_twin(), progress)
    held = stage.twin.layout.held
    if moves_clock and held.environment != LOCAL.environment:
        raise Unavailable(
            f"the twin holds {held}, whose functions refuse a moved clock: rehearse this on environment local"
            " (`mangactl twin deploy --environment local`)"
        )
    assert callable(rehearse)
    rehearse(stage)
    show({"rehearsed": True, "steps": stage.steps}, f"{len(stage.steps)} steps came true", as_json=as_json)
