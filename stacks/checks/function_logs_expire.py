"""Every function writes to a log group of ours, and the group forgets."""

from __future__ import annotations

from collections.abc import Iterator

from stacks.checks.rule import Finding, Rule, Template, logical_id_of, resources


def _check(template: Template) -> Iterator[Finding]:
    expiring = {
        logical_id
        for logical_id, group in resources(template, "AWS::Logs::LogGroup")
        if "RetentionInDays" in group["Properties"]
    }
    for logical_id, function in resources(template, "AWS::Lambda::Function"):
        group = function["Properties"].get("LoggingConfig", {}).get("LogGroup")
        if logical_id_of(group) not in expiring:
            yield Finding(logical_id, "Properties.LoggingConfig.LogGroup")


RULE = Rule(
    id="MangaAssist-FunctionLogsExpire",
    what="every function logs to a log group of its stack that has a retention",
    why="a group that Lambda makes by itself keeps its lines, and their cost, for ever (SEC-7)",
    check=_check,
)
