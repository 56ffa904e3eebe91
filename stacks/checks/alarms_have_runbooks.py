"""Every alarm tells somebody and names a runbook that exists."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stacks.checks.rule import Finding, Rule, Template, resources
from stacks.constructs.bundling import ROOT

_RUNBOOK = re.compile(r"Runbook: (?:\S*/)?([a-z0-9-]+)\.md$")


def _check(template: Template) -> Iterator[Finding]:
    for logical_id, alarm in resources(template, "AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"):
        properties = alarm["Properties"]
        if not properties.get("AlarmActions") or properties.get("ActionsEnabled") is False:
            yield Finding(logical_id, "Properties.AlarmActions")
        named = _RUNBOOK.search(str(properties.get("AlarmDescription", "")))
        if named is None or not (ROOT / "docs" / "runbooks" / f"{named[1]}.md").is_file():
            yield Finding(logical_id, "Properties.AlarmDescription")


RULE = Rule(
    id="MangaAssist-AlarmsHaveRunbooks",
    what="every alarm has an action and ends its description with a runbook of docs/runbooks",
    why="an alarm that nobody hears, or that does not say what to do, only teaches to ignore alarms",
    check=_check,
)
