"""No statement allows a family of actions."""

from __future__ import annotations

from collections.abc import Iterator

from stacks.checks.rule import Finding, Rule, Template, policy_statements


def _check(template: Template) -> Iterator[Finding]:
    for statement in policy_statements(template):
        if statement.not_actions:
            yield Finding(statement.owner, f"{statement.location}.NotAction")
        for action in statement.actions:
            if "*" in action or "?" in action:
                yield Finding(statement.owner, f"{statement.location}.Action={action}")


RULE = Rule(
    id="MangaAssist-NoWildcardActions",
    what="IAM statements name each action they allow, and never those they do not",
    why="a wildcard, and NotAction, also grant the actions AWS adds next year (SEC-4)",
    check=_check,
)
