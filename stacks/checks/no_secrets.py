"""No template carries a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stacks.checks.rule import Finding, Rule, Template, resources, strings

FORMS = re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY|\beyJ[\w-]{10,}\.[\w-]{10,}\.")
"""AWS access keys, private keys, signed tokens."""
NAMES = re.compile(r"(SECRET|PASSWORD|API_KEY|PRIVATE_KEY|TOKEN)$")
"""Variables that must hold a reference or an ARN; the functions read the secret itself at run time."""


def _check(template: Template) -> Iterator[Finding]:
    for logical_id, resource in resources(template):
        for path, text in strings(resource):
            if FORMS.search(text):
                yield Finding(logical_id, path)
    for logical_id, function in resources(template, "AWS::Lambda::Function"):
        variables = function["Properties"].get("Environment", {}).get("Variables", {})
        for name, value in variables.items():
            if NAMES.search(name) and isinstance(value, str) and not value.startswith("arn:"):
                yield Finding(logical_id, f"Properties.Environment.Variables.{name}")


RULE = Rule(
    id="MangaAssist-NoSecrets",
    what="no template contains a secret, and no function variable holds one",
    why="whoever may read a stack or a function's configuration would read the secret (SEC-6)",
    check=_check,
)
