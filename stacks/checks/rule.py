"""What a rule of our own is: one fact about one template, checked on the JSON that CloudFormation will read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Template = Mapping[str, Any]
Resource = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """Where a rule is broken: a resource, and the place inside it."""

    logical_id: str
    location: str


@dataclass(frozen=True, kw_only=True)
class Rule:
    """``what`` must hold, and ``why``; ``check`` yields every place where it does not."""

    id: str
    what: str
    why: str
    check: Callable[[Template], Iterator[Finding]]


def resources(template: Template, *types: str) -> Iterator[tuple[str, Resource]]:
    """Logical ids and bodies of the resources of these types; of all, when none is named."""
    for logical_id, resource in template.get("Resources", {}).items():
        if not types or resource["Type"] in types:
            yield logical_id, resource


def strings(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every string inside ``value``, keys included, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield f"{path}.{key}", key
            yield from strings(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from strings(inner, f"{path}[{index}]")


def logical_id_of(reference: Any) -> str | None:
    """The logical id that a ``Ref`` or ``Fn::GetAtt`` points to."""
    if not isinstance(reference, Mapping):
        return None
    if "Ref" in reference:
        return str(reference["Ref"])
    target = reference.get("Fn::GetAtt")
    return str(target[0]) if target else None


def policy_statements(template: Template) -> Iterator[tuple[str, str, Mapping[str, list[Any]]]]:
    """The ``Allow`` statements of identity policies: owner, location, and ``Action`` and ``Resource`` as lists."""
    for logical_id, resource in resources(
        template, "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::Role"
    ):
        properties = resource["Properties"]
        documents = [properties["PolicyDocument"]] if "PolicyDocument" in properties else []
        documents += [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        for document in documents:
            for index, statement in enumerate(document["Statement"]):
                if statement["Effect"] == "Allow":
                    lists = {key: _as_list(statement.get(key, [])) for key in ("Action", "Resource")}
                    yield logical_id, f"Statement[{index}]", lists


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
