"""Every function has the alias ``live``."""

from __future__ import annotations

from collections.abc import Iterator

from stacks.checks.rule import Finding, Rule, Template, logical_id_of, resources


def _check(template: Template) -> Iterator[Finding]:
    aliased = {
        logical_id_of(alias["Properties"]["FunctionName"])
        for _, alias in resources(template, "AWS::Lambda::Alias")
        if alias["Properties"]["Name"] == "live"
    }
    for logical_id, _ in resources(template, "AWS::Lambda::Function"):
        if logical_id not in aliased:
            yield Finding(logical_id, "Properties")


RULE = Rule(
    id="MangaAssist-FunctionsBehindAlias",
    what="every function has an alias named live on a published version",
    why="code and layers are updated by two calls; only a version switches them together",
    check=_check,
)
