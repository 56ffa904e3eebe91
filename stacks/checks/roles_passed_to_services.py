"""Who may hand a role to AWS says to which service."""

from __future__ import annotations

from collections.abc import Iterator

from stacks.checks.rule import Finding, Rule, Statement, Template, policy_statements

HANDED = "iam:passrole"
"""IAM reads actions without regard to case."""


def _check(template: Template) -> Iterator[Finding]:
    for statement in policy_statements(template):
        if HANDED in map(str.lower, statement.actions) and not _names_service(statement):
            yield Finding(statement.owner, f"{statement.location}.Condition")


def _names_service(statement: Statement) -> bool:
    # Neither StringLike nor the IfExists of an operator: both let through a request that names no service of ours.
    asked = statement.conditions.get("StringEquals", {}).get("iam:PassedToService", [])
    return bool(asked) and "*" not in str(asked)


RULE = Rule(
    id="MangaAssist-RolesPassedToServices",
    what="iam:PassRole is allowed with the condition iam:PassedToService",
    why="a role that can be handed to any service is a role for whoever can start one there (SEC-4)",
    check=_check,
)
