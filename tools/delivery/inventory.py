"""The reader's table of docs/infrastructure.md: what each stack holds, who may do what, what alarms, what it costs idle.

Read from the templates in ``cdk.out/``, so run ``make synth`` before; ``make docs`` and ``make check`` do.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tools.cost.idle import idle_cost_of_template
from tools.synth import ROOT

START: Final = "<!-- generated from the templates by `make docs`: begin -->"
END: Final = "<!-- generated: end -->"
SHOWN: Final = ("dev", "staging", "prod", "prod-lean")
"""Folders of ``cdk.out`` whose idle cost is shown; resources, roles and alarms are those of prod."""
PLUMBING: Final = frozenset(
    {
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Version",
        "AWS::CDK::Metadata",
    }
)
_NAMED = re.compile(r"^\[(\w+)\] (.+)\. Runbook: (?:\S*/)?([a-z0-9-]+)\.md$")

Templates = Mapping[str, Mapping[str, Any]]


class NotSynthesized(RuntimeError):
    """There are no templates to read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"no templates in {folder.relative_to(ROOT)}: run `make synth` first")


def section() -> str:
    """The generated section, markers included."""
    assemblies = {name: _templates(name) for name in SHOWN}
    prod = assemblies["prod"]
    concerns = list(dict.fromkeys(concern for templates in assemblies.values() for concern in templates))
    lines = [
        START,
        "",
        "| stack | resources | alarms | " + " | ".join(f"{name}, USD" for name in SHOWN) + " |",
        "| --- | --: | --: |" + " --: |" * len(SHOWN),
    ]
    totals: defaultdict[str, float] = defaultdict(float)
    for concern in concerns:
        cells: list[str] = []
        for name, templates in assemblies.items():
            cost = _idle(concern, templates[concern]) if concern in templates else None
            totals[name] += cost or 0
            cells.append("" if cost is None else f"{cost:,.0f}")
        template = prod.get(concern)
        counts = (
            ["", ""]
            if template is None
            else [str(len(template["Resources"])), str(sum(1 for _ in _alarms(template)))]
        )
        lines.append(f"| {_linked(concern, prod)} | {' | '.join(counts)} | {' | '.join(cells)} |")
    lines.append("| **all** | | | " + " | ".join(f"**{totals[name]:,.0f}**" for name in SHOWN) + " |")
    lines += [
        "",
        "The cost is that of a month in which nobody asks anything, by the dated prices of"
        " [`tools/cost/data`](../tools/cost/data); `mangactl capacity cost` explains each line.",
    ]
    for concern, template in prod.items():
        lines += ["", *_of_stack(concern, template)]
    return "\n".join([*lines, "", END])


def into(document: str) -> str:
    """``document`` with its generated section as it should be."""
    before, _, rest = document.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{section()}{after}"


def _of_stack(concern: str, template: Mapping[str, Any]) -> Iterator[str]:
    resources = template["Resources"]
    types = Counter(body["Type"] for body in resources.values() if body["Type"] not in PLUMBING)
    yield f"### {concern}"
    yield ""
    yield template.get("Description", "") + "."
    yield ""
    yield ", ".join(
        f"{count} {type.removeprefix('AWS::')}" if count > 1 else type.removeprefix("AWS::")
        for type, count in sorted(types.items())
    )
    if roles := list(_roles(resources)):
        yield ""
        yield "| role | may |"
        yield "| --- | --- |"
        yield from (f"| `{role}` | {may} |" for role, may in roles)
    if alarms := sorted(_alarms(template)):
        yield ""
        yield "| alarm | severity | runbook |"
        yield "| --- | --- | --- |"
        yield from (
            f"| {what} | {severity} | [{runbook}](runbooks/{runbook}.md) |"
            for what, severity, runbook in alarms
        )


def _roles(resources: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    allowed: dict[str, set[str]] = defaultdict(set)
    names = _role_names(resources)
    for body in resources.values():
        if body["Type"] != "AWS::IAM::Policy":
            continue
        for role in body["Properties"].get("Roles", []):
            for statement in body["Properties"]["PolicyDocument"]["Statement"]:
                if statement["Effect"] == "Allow":
                    actions = statement["Action"]
                    allowed[names.get(role.get("Ref"), str(role.get("Ref")))].update(
                        actions if isinstance(actions, list) else [actions]
                    )
    for role, actions in sorted(allowed.items()):
        by_service: dict[str, list[str]] = defaultdict(list)
        for action in sorted(actions):
            service, _, name = action.partition(":")
            by_service[service].append(name)
        yield role, "; ".join(f"{service}: {', '.join(names)}" for service, names in by_service.items())


def _role_names(resources: Mapping[str, Any]) -> dict[str, str]:
    """Roles by logical id, named after the function they are for."""
    names: dict[str, str] = {}
    for body in resources.values():
        if body["Type"] == "AWS::Lambda::Function":
            folder = body["Properties"].get("Environment", {}).get("Variables", {})
            role = body["Properties"]["Role"].get("Fn::GetAtt", [""])[0]
            names[role] = folder.get("POWERTOOLS_SERVICE_NAME", role)
    for logical_id, body in resources.items():
        if body["Type"] == "AWS::IAM::Role" and logical_id not in names:
            names[logical_id] = re.sub(r"[0-9A-F]{8}$", "", logical_id)
    return names


def _alarms(template: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for body in template["Resources"].values():
        if body["Type"] in ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"):
            named = _NAMED.match(body["Properties"].get("AlarmDescription", ""))
            if named:
                yield named[2], named[1], named[3]


def _idle(concern: str, template: Mapping[str, Any]) -> float:
    return sum(cost.usd_per_month for cost in idle_cost_of_template(concern, template))


def _linked(concern: str, prod: Templates) -> str:
    return f"[{concern}](#{concern.lower()})" if concern in prod else concern


def _templates(name: str) -> dict[str, Mapping[str, Any]]:
    folder = ROOT / "cdk.out" / name
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        raise NotSynthesized(folder)
    artifacts = json.loads(manifest.read_text("utf-8"))["artifacts"]
    prefix = f"MangaAssist-{name.partition('-')[0]}-"
    return {
        stack.removeprefix(prefix): json.loads(
            (folder / body["properties"]["templateFile"]).read_text("utf-8")
        )
        for stack, body in sorted(artifacts.items())
        if body["type"] == "aws:cloudformation:stack"
    }
