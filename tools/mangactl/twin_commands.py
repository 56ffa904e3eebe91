"""``mangactl twin``: the local AWS of this checkout."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType

from stacks.environments import UnknownEnvironment, UnknownProfile, environment_named
from tools.mangactl.environments import running_twin
from tools.mangactl.failures import BadArgument, Unavailable
from tools.mangactl.options import JsonOption
from tools.mangactl.output import progress, show, table
from tools.twin.layout import LAST_PORT_BASE, LOCAL, Held
from tools.twin.supervisor import Twin, TwinStatus

app = typer.Typer(
    rich_markup_mode=None, help="The local AWS: start it, stop it, look at it, break it on purpose."
)

PortBaseOption = Annotated[
    int | None,
    typer.Option(
        "--port-base", min=1024, max=LAST_PORT_BASE, help="First of its ports; else TWIN_PORT_BASE."
    ),
]


@app.command()
def up(
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the state of earlier runs.")] = False,
    port_base: PortBaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start what does not run, deploy what changed, load the catalogue; the services run on."""
    _up(LOCAL, fresh, port_base, as_json)


@app.command()
def deploy(
    environment: Annotated[
        str, typer.Option("--environment", "-e", help="Whose templates: local, dev, staging or prod.")
    ] = "local",
    profile: Annotated[
        str, typer.Option(help="standard, or lean: without what costs while idle.")
    ] = "standard",
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the state of earlier runs.")] = False,
    port_base: PortBaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Like up, with the templates of any environment; one that held another starts with empty state.

    Until the next up, `-e local` in other commands means this twin.
    """
    try:
        environment_named(environment, profile)
    except (UnknownEnvironment, UnknownProfile) as problem:
        raise BadArgument(str(problem)) from None
    _up(Held(environment, profile), fresh, port_base, as_json)


def _up(held: Held, fresh: bool, port_base: int | None, as_json: bool) -> None:
    twin = Twin.from_environment(port_base=port_base, held=held)
    status = twin.up(fresh=fresh, on_progress=progress)
    show(status.as_document(), _rendered(status), as_json=as_json)


@app.command()
def down(as_json: JsonOption = False) -> None:
    """Stop everything; the state stays."""
    Twin.from_environment().down(on_progress=progress)
    show({"is_running": False}, "the twin is down", as_json=as_json)


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Show what runs, where and in how much memory; exit code 4 when the twin is down."""
    found = Twin.from_environment().status()
    is_partial = any(process.is_healthy for process in found.processes) and not found.is_running
    if not found.is_running and not is_partial and not as_json:
        raise Unavailable("the twin is not running: start it with `make up`")
    show(found.as_document(), _rendered(found), as_json=as_json)
    if not found.is_running:
        raise typer.Exit(Unavailable.exit_code)


@app.command()
def fault(
    service: Annotated[
        str | None, typer.Argument(help="Such as bedrock-runtime, search, dynamodb.", show_default=False)
    ] = None,
    kind: Annotated[
        str | None, typer.Argument(help="delay, error, throttle, truncate or garbage.", show_default=False)
    ] = None,
    share: Annotated[float, typer.Option(min=0, max=1, help="Share of the calls, 0 to 1.")] = 1.0,
    delay_ms: Annotated[
        int | None, typer.Option(min=0, help="For a delay: how long.", show_default=False)
    ] = None,
    status_code: Annotated[
        int | None,
        typer.Option(
            "--status", min=400, max=599, help="For an error or a throttle: its status.", show_default=False
        ),
    ] = None,
    match: Annotated[
        str | None, typer.Option(help="Only calls whose path contains this.", show_default=False)
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Mend SERVICE, or everything.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Break SERVICE on purpose, mend it (--clear), or list the faults in force."""
    if clear and kind is not None:
        raise BadArgument("--clear mends a service: leave KIND out")
    if not clear and service is not None and kind is None:
        raise BadArgument("say how to break it: delay, error, throttle, truncate or garbage; or --clear")
    twin = running_twin()
    if clear:
        twin.clear_faults(service)
    elif service is not None:
        wanted = {"kind": kind, "share": share, "delay_ms": delay_ms, "status": status_code, "match": match}
        twin.set_fault(service, {name: value for name, value in wanted.items() if value is not None})
    faults = twin.faults()
    show({"faults": faults}, _faults(faults), as_json=as_json)


ProcessArgument = Annotated[
    str, typer.Argument(metavar="PROCESS", help="As `mangactl twin status` names it.")
]


@app.command()
def kill(process: ProcessArgument, as_json: JsonOption = False) -> None:
    """End one process of the running twin as a crash does; everything else goes on."""
    running_twin().kill(process)
    show({"killed": process}, f"{process} is dead; mangactl twin revive {process}", as_json=as_json)


@app.command()
def revive(process: ProcessArgument, as_json: JsonOption = False) -> None:
    """Start a process that ended."""
    running_twin().revive(process)
    show({"revived": process}, f"{process} is back", as_json=as_json)


def _faults(faults: dict[str, dict[str, Any]]) -> RenderableType:
    if not faults:
        return "no faults"
    listed = table("service", "kind", "share", "delay", "status", "match", "hits")
    for name, each in sorted(faults.items()):
        cells = (
            f"{each['delay_ms']} ms" if each["kind"] == "delay" else "",
            each["status"] or "",
            each["match"],
        )
        listed.add_row(name, each["kind"], f"{each['share']:g}", *map(str, cells), str(each["hits"]))
    return listed


def _rendered(status: TwinStatus) -> RenderableType:
    listed = table("service", "health", "port", "pid", "workers", "memory", "log")
    for each in status.processes:
        health = "healthy" if each.is_healthy else "not answering" if each.is_running else "stopped"
        cells = (health, each.port, each.pid, each.workers, _megabytes(each.memory_bytes), each.log)
        listed.add_row(each.name, *map(str, cells))
    memory = f"\nmemory  {_megabytes(status.memory_bytes)} of {_megabytes(status.memory_budget_bytes)}"
    urls = "".join(f"\n{name:<10} {url}" for name, url in asdict(status.urls).items() if url)
    holds = f"\nholds   {Held(status.environment, status.profile)}"
    return Group(listed, holds + memory + urls)


def _megabytes(number: int) -> str:
    return f"{number / 1_000_000:.0f} MB"
