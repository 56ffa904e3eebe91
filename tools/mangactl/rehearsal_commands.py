"""``mangactl twin rehearse``: play through on the twin what production does seldom."""

from __future__ import annotations

import typer

from tools.mangactl.capacity_rehearsals import Stage, rehearse_prewarm, rehearse_throughput
from tools.mangactl.environments import running_twin
from tools.mangactl.options import JsonOption
from tools.mangactl.output import progress, show

app = typer.Typer(rich_markup_mode=None, help="Play through on the twin what production does seldom.")


@app.command()
def prewarm(as_json: JsonOption = False) -> None:
    """A sale with a moved clock: capacity up at T-15, one step failing, mended, back after the end."""
    _play(rehearse_prewarm, as_json)


@app.command()
def throughput(as_json: JsonOption = False) -> None:
    """Model throughput with a moved clock: bought, crashed, found again, published, given back."""
    _play(rehearse_throughput, as_json)


def _play(rehearse: object, as_json: bool) -> None:
    stage = Stage(running_twin(), progress)
    assert callable(rehearse)
    rehearse(stage)
    show({"rehearsed": True, "steps": stage.steps}, f"{len(stage.steps)} steps came true", as_json=as_json)
