"""Templates of an environment, and how the tests look into them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from aws_cdk import App

from stacks.application import build
from stacks.environments import EnvironmentSettings
from stacks.standby import build_standby

ROOT = Path(__file__).resolve().parents[2]
ALWAYS = (
    "Alerts",
    "Sessions",
    "Search",
    "ModelPolicy",
    "Ingest",
    "Guardrail",
    "CapacityState",
    "Chat",
    "Capacity",
    "Web",
)


@dataclass(frozen=True)
class Synthesized:
    """One environment's templates by concern."""

    settings: EnvironmentSettings
    templates: Mapping[str, Mapping[str, Any]]
    directory: Path
    """The cloud assembly, with its manifest."""
    regions: Mapping[str, str] = field(default_factory=dict)
    """Where each stack goes."""

    def resources(self, type: str, concern: str | None = None) -> dict[str, dict[str, Any]]:
        """Resources of a type by logical id, in one stack or in all."""
        return {
            logical_id: resource
            for name, template in self.templates.items()
            if concern in (None, name)
            for logical_id, resource in template["Resources"].items()
            if resource["Type"] == type
        }

    def only(self, type: str, concern: str) -> dict[str, Any]:
        """The one resource of this type in a stack."""
        (resource,) = self.resources(type, concern).values()
        return resource

    def function(self, folder: str) -> dict[str, Any]:
        """Properties of the function in ``lambdas/<folder>``."""
        return self.functions()[folder]["Properties"]

    def functions(self) -> dict[str, dict[str, Any]]:
        """The functions by their folder."""
        return {
            function["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]: function
            for function in self.resources("AWS::Lambda::Function").values()
        }

    def logical_id(self, folder: str) -> str:
        """The logical id of a function."""
        (found,) = [
            logical_id
            for logical_id, function in self.resources("AWS::Lambda::Function").items()
            if function["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] == folder
        ]
        return found

    def permissions(self, folder: str) -> dict[str, list[str]]:
        """What the function's role allows: action by action, the resources, in readable form."""
        role = self.function(folder)["Role"]["Fn::GetAtt"][0]
        allowed: dict[str, list[str]] = {}
        for policy in self.resources("AWS::IAM::Policy").values():
            if {"Ref": role} not in policy["Properties"]["Roles"]:
                continue
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                if statement["Effect"] == "Deny":
                    continue
                for action in _list(statement["Action"]):
                    allowed.setdefault(action, []).extend(map(readable, _list(statement["Resource"])))
        return {action: sorted(set(resources)) for action, resources in sorted(allowed.items())}


@cache
def synthesize(settings: EnvironmentSettings) -> Synthesized:
    """Build and render one environment as ``cdk synth`` would, layers left unbuilt."""
    flags = json.loads((ROOT / "cdk.json").read_text("utf-8"))["context"]
    app = App(context={**flags, "aws:cdk:bundling-stacks": []})
    (build_standby if settings.standby_of else build)(app, settings)
    assembly = app.synth()
    prefix = f"MangaAssist-{settings.name}-"
    return Synthesized(
        settings,
        {stack.stack_name.removeprefix(prefix): stack.template for stack in assembly.stacks},
        Path(assembly.directory),
        {stack.stack_name.removeprefix(prefix): stack.environment.region for stack in assembly.stacks},
    )


def readable(value: Any) -> str:
    """A CloudFormation value as one line: ``${Ref}``, ``${Id.Attribute}``, imports without their hash.

    Parameters are as a deployment without any finds them: a condition on one that is given does not hold.
    """
    match value:
        case str():
            return value
        case {"Ref": name}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"${{{name}.{attribute}}}"
        case {"Fn::ImportValue": name}:
            return f"${{import:{name.split(':', 1)[1]}}}"
        case {"Fn::Join": ["", parts]}:
            return "".join(map(readable, parts))
        case {"Fn::Sub": text}:
            return text
        case {"Fn::If": [_, _, {"Ref": "AWS::NoValue"}]}:
            return ""
        case {"Fn::If": [_, _, otherwise]}:
            return readable(otherwise)
    raise AssertionError(f"unexpected value in a template: {value}")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
