"""``mangactl policy``: which model does which task."""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.text import Text

from mangaassist.generation.policy import ModelPolicy, parse_policy
from tools.mangactl import policy_edits
from tools.mangactl.environments import LOCAL, Environment
from tools.mangactl.failures import BadArgument, Declined, Unavailable
from tools.mangactl.options import EnvironmentOption, JsonOption
from tools.mangactl.output import console, progress, show, table
from tools.mangactl.policy_store import ChangeNote, Deployment, Place, PolicyStore, Strategy

app = typer.Typer(rich_markup_mode=None, help="Which model does which task: show it, flip it, undo it.")

MAX_REASON_CHARACTERS = 500
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept in the history.")]
YesOption = Annotated[
    bool,
    typer.Option(
        "--yes", "-y", help="Do not ask. Without a terminal only prod asks, and then --yes is needed."
    ),
]
GradualOption = Annotated[
    bool,
    typer.Option(
        "--gradual", help="Roll out a fifth every two minutes; `policy rollback` undoes it at any step."
    ),
]
FileArgument = Annotated[
    str, typer.Argument(metavar="FILE", help="A policy document; - reads it from stdin.")
]


@app.command("show")
def show_policy(environment: EnvironmentOption = LOCAL, as_json: JsonOption = False) -> None:
    """Show the policy in force, and a deployment that is under way."""
    place = Environment.named(environment)
    store = _store(place)
    current, running = store.in_force(), store.running()
    text = store.document(current.version)
    policy = parse_policy(text)
    document: dict[str, Any] = {
        "environment": environment,
        "version": current.version,
        "policy_version": policy.fingerprint,
        "deployment": _as_document(current, store.note(current.number)),
        "running": _as_document(running, store.note(running.number)) if running else None,
        "document": json.loads(text),
    }
    show(document, Group(_heading(document), _policy_table(policy)), as_json=as_json)


@app.command("set")
def set_tier(
    task: Annotated[str, typer.Argument(help="Such as answer_synthesis.", show_default=False)],
    tier: Annotated[str, typer.Argument(help="A tier of the policy, such as economy.", show_default=False)],
    reason: ReasonOption,
    fallback: Annotated[
        str | None,
        typer.Option(help="Tiers that step in, with commas. Else: the chain as it is, without TIER."),
    ] = None,
    waiver: Annotated[
        str | None, typer.Option(help="Why a cheap task may use a strong tier.", show_default=False)
    ] = None,
    gradual: GradualOption = False,
    yes: YesOption = False,
    environment: EnvironmentOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Put TASK on TIER. Running handlers follow within 60 s; nothing is deployed but the policy."""
    place, store = _opened(environment, reason)
    base = store.in_force()
    before = store.document(base.version)
    chain = [name.strip() for name in fallback.split(",") if name.strip()] if fallback is not None else None
    after = policy_edits.bind(json.loads(before), task, tier, fallback=chain, waiver=waiver)
    _change(place, store, base, before, after, f"set {task} {tier}", reason, gradual, yes, as_json)


@app.command("apply")
def apply_file(
    file: FileArgument,
    reason: ReasonOption,
    gradual: GradualOption = False,
    yes: YesOption = False,
    environment: EnvironmentOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Put the whole document FILE in force."""
    text = _read(file)
    policy_edits.judge(text, today=_today())
    place, store = _opened(environment, reason)
    base = store.in_force()
    name = "stdin" if file == "-" else Path(file).name
    change = f"apply {name}"
    _change(
        place,
        store,
        base,
        store.document(base.version),
        json.loads(text),
        change,
        reason,
        gradual,
        yes,
        as_json,
    )


@app.command("validate")
def validate_file(file: FileArgument, as_json: JsonOption = False) -> None:
    """Judge the document FILE by schema and meaning; needs no environment and changes nothing."""
    policy = policy_edits.judge(_read(file), today=_today())
    document = {"valid": True, "policy_version": policy.fingerprint}
    show(document, f"valid (policy {policy.fingerprint})", as_json=as_json)


@app.command("history")
def show_history(
    limit: Annotated[int, typer.Option(min=1, max=50, help="How many deployments, newest first.")] = 10,
    environment: EnvironmentOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """List what was put in force, by whom and why."""
    store = _store(Environment.named(environment))
    deployments = store.deployments()
    current = next((each.number for each in deployments if each.state == "COMPLETE"), None)
    rows = [
        {**_as_document(each, store.note(each.number)), "in_force": each.number == current}
        for each in deployments[:limit]
    ]
    listed = table("", "deployment", "version", "state", "when", "change", "reason", "by")
    for row in rows:
        mark = "→" if row["in_force"] else ""
        cells = [row[key] for key in ("number", "version", "state", "at", "change", "reason", "actor")]
        listed.add_row(mark, *map(str, cells))
    show({"environment": environment, "history": rows}, listed, as_json=as_json)


@app.command("rollback")
def roll_back(
    to: Annotated[
        int | None, typer.Option("--to", metavar="VERSION", help="Instead of the version in force before.")
    ] = None,
    reason: ReasonOption = "rollback",
    yes: YesOption = False,
    environment: EnvironmentOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Undo the last flip at once: stop a running deployment, or put the version before back in force."""
    place, store = _opened(environment, reason)
    running, base = store.running(), store.in_force()
    if running and to is None:
        _confirm(place, [f"stop deployment {running.number} of version {running.version}"], yes, as_json)
        store.stop(running)
        _done(environment, store, changed=True, as_json=as_json)
        return
    version = to if to is not None else _version_before(store, base)
    before, after = store.document(base.version), store.document(version)
    policy_edits.judge(after, place.settings, today=_today())
    if version == base.version:
        _done(environment, store, changed=False, as_json=as_json)
        return
    _confirm(place, policy_edits.differences(before, after), yes, as_json)
    note = ChangeNote.now(f"rollback to version {version}", reason, place.actor())
    store.deploy(version, note, "instant")
    place.keep()
    _done(environment, store, changed=True, as_json=as_json)


def _change(
    place: Environment,
    store: PolicyStore,
    base: Deployment,
    before: str,
    after: dict[str, Any],
    change: str,
    reason: str,
    gradual: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Judge, show, ask, write, deploy; nothing changes before the last two."""
    if not policy_edits.differences(before, json.dumps(after)):
        _done(place.name, store, changed=False, as_json=as_json)
        return
    after["version_note"] = f"{change}: {reason}"
    text = policy_edits.dump(after)
    policy_edits.judge(text, place.settings, today=_today())
    if gradual:
        store.require_idle()
    latest = store.latest_version()
    shown = policy_edits.differences(before, text)
    if running := store.running():
        shown.append(f"! deployment {running.number} will be stopped")
    _confirm(place, shown, yes, as_json)
    note = ChangeNote.now(change, reason, place.actor())
    version = store.write(text, note, after=latest)
    strategy: Strategy = "gradual" if gradual else "instant"
    store.deploy(version, note, strategy)
    place.keep()
    _done(place.name, store, changed=True, as_json=as_json)


def _opened(environment: str, reason: str) -> tuple[Environment, PolicyStore]:
    if not reason.strip():
        raise BadArgument("--reason is empty: say why, for whoever reads the history")
    if len(reason) > MAX_REASON_CHARACTERS:
        raise BadArgument(f"--reason has {len(reason)} characters: keep it within {MAX_REASON_CHARACTERS}")
    place = Environment.named(environment)
    return place, _store(place)


def _store(place: Environment) -> PolicyStore:
    ids = Place.from_outputs(place.outputs("ModelPolicy"))
    return PolicyStore(place.client("appconfig"), ids, on_progress=progress)


def _version_before(store: PolicyStore, base: Deployment) -> int:
    for deployment in store.deployments():
        if deployment.state == "COMPLETE" and deployment.version != base.version:
            return deployment.version
    raise Unavailable(
        f"version {base.version} is the only one that was ever in force: there is nothing to go back to"
    )


def _confirm(place: Environment, lines: list[str], yes: bool, as_json: bool) -> None:
    """Show what will change; ask where somebody is there to answer, and never change prod unasked."""
    shown = console(stderr=as_json)
    for line in lines:
        style = {"+": "green", "-": "red", "@": "cyan", "!": "yellow"}.get(line[:1], "")
        shown.print(line, style=style)
    if yes:
        return
    if sys.stdin.isatty() and not as_json:
        if not typer.confirm(f"Do this in {place.title}?"):
            raise Declined("declined: nothing was changed")
    elif place.title == "prod":
        raise BadArgument("prod is changed only with --yes when nobody is there to ask")


def _done(environment: str, store: PolicyStore, *, changed: bool, as_json: bool) -> None:
    current = store.in_force()
    fingerprint = parse_policy(store.document(current.version)).fingerprint
    document = {
        "environment": environment,
        "changed": changed,
        "version": current.version,
        "policy_version": fingerprint,
        "deployment": current.number,
    }
    state = (
        "is in force; handlers follow within 60 s" if changed else "is in force already; nothing was changed"
    )
    show(document, f"version {current.version} (policy {fingerprint}) {state}", as_json=as_json)


def _as_document(deployment: Deployment, note: ChangeNote) -> dict[str, Any]:
    started = deployment.started_at.isoformat(timespec="seconds") if deployment.started_at else ""
    return {
        "number": deployment.number,
        "version": deployment.version,
        "state": deployment.state,
        "percentage": deployment.percentage,
        "change": note.change,
        "reason": note.reason,
        "actor": note.actor,
        "at": note.at or started,
    }


def _heading(document: dict[str, Any]) -> Text:
    note = document["deployment"]
    told = ", ".join(filter(None, (note["change"], note["reason"], note["actor"], note["at"])))
    heading = Text(
        f"{document['environment']}: version {document['version']} (policy {document['policy_version']})"
    )
    heading.append(f"\n{told}", style="dim")
    if running := document["running"]:
        line = f"\ndeployment {running['number']} of version {running['version']} is {running['state']}"
        heading.append(f"{line}, {running['percentage']:.0f}%", style="yellow")
    return heading.append("\n")


def _policy_table(policy: ModelPolicy) -> Any:
    listed = table("task", "tier", "model", "then", "tokens", "timeout")
    for task, binding in policy.tasks.items():
        first, *rest = policy.chain(task)
        then = ", ".join(choice.tier for choice in rest)
        timeout = f"{binding.timeout_ms} ms"
        listed.add_row(task, first.tier, first.model_id, then, str(binding.max_tokens), timeout)
    return listed


def _read(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise BadArgument(f"{file} is not text in UTF-8: give a JSON document") from None
    except OSError as error:
        raise BadArgument(f"cannot read {file}: {error.strerror}") from None


def _today() -> date:
    return datetime.now(UTC).date()
