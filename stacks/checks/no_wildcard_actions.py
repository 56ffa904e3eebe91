"""No statement allows a family of actions."""

from __future__ import annotations

from collections.abc import Iterator

from stacks.checks.rule import Finding, Rule, Template, policy_statements


def _check(template: Template) -> Iterator[Finding]:
    for logical_id, location, statement in policy_statements(template):
        for action in statement["Action"]:
            if "*" in action:
                yield Finding(logical_id, f"{location}.Action={action}")


RULE = Rule(
    id="MangaAssist-NoWildcardActions",
    what="IAM statements name each action they allow",
    why="a wildcard also grants the actions AWS adds next year (SEC-4)",
    check=_check,
)
