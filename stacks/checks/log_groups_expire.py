"""Every log group has a retention."""

from __future__ import annotations

from collections.abc import Iterator

from stacks.checks.rule import Finding, Rule, Template, resources


def _check(template: Template) -> Iterator[Finding]:
    for logical_id, group in resources(template, "AWS::Logs::LogGroup"):
        if not group.get("Properties", {}).get("RetentionInDays"):
            yield Finding(logical_id, "Properties.RetentionInDays")


RULE = Rule(
    id="MangaAssist-LogGroupsExpire",
    what="every log group has a retention",
    why="CloudWatch keeps logs for ever unless told otherwise: for longer than we promise, and at a price",
    check=_check,
)
