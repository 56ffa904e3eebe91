"""What a rule of our own is: one fact about one template, checked on the JSON that CloudFormation will read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

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


POLICIES: Final = (
    "AWS::IAM::Group",
    "AWS::IAM::GroupPolicy",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::IAM::RolePolicy",
    "AWS::IAM::User",
    "AWS::IAM::UserPolicy",
)
"""Every type that can give an identity a permission."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One ``Allow`` statement of an identity policy."""

    owner: str
    location: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    """As ``texts`` writes them."""
    not_actions: tuple[str, ...]
    not_resources: tuple[str, ...]
    conditions: Mapping[str, Mapping[str, Any]]


def policy_statements(template: Template) -> Iterator[Statement]:
    """The ``Allow`` statements of identity policies."""
    for logical_id, resource in resources(template, *POLICIES):
        properties = resource.get("Properties", {})
        documents = [properties["PolicyDocument"]] if "PolicyDocument" in properties else []
        documents += [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        for document in documents:
            for index, statement in enumerate(_as_list(document["Statement"])):
                if statement["Effect"] == "Allow":
                    named = {
                        key: tuple(
                            text for value in _as_list(statement.get(key, [])) for text in texts(value)
                        )
                        for key in ("Action", "NotAction", "Resource", "NotResource")
                    }
                    yield Statement(
                        owner=logical_id,
                        location=f"Statement[{index}]",
                        actions=named["Action"],
                        resources=named["Resource"],
                        not_actions=named["NotAction"],
                        not_resources=named["NotResource"],
                        conditions=statement.get("Condition", {}),
                    )


def texts(value: Any) -> list[str]:
    """What a value may become, one text per branch of its conditions; what it refers to stands as ``<Name>``."""
    match value:
        case str():
            return [value]
        case {"Ref": name}:
            return [_placeholder(name)]
        case {"Fn::GetAtt": target}:
            return [_placeholder(target if isinstance(target, str) else ".".join(map(str, target)))]
        case {"Fn::Join": [delimiter, list(parts)]}:
            return [delimiter.join(found) for found in product(*map(texts, parts))]
        case {"Fn::If": [_, *branches]}:
            return [text for branch in branches for text in texts(branch)]
        case {"Fn::Sub": [str(pattern), dict(values)]}:
            return [
                _substituted(pattern, dict(zip(values, found, strict=True)))
                for found in product(*map(texts, values.values()))
            ]
        case {"Fn::Sub": str(pattern)}:
            return [_substituted(pattern, {})]
        case dict() if len(value) == 1:
            return [_placeholder(next(iter(value)))]
    return [str(value)]


def _substituted(pattern: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\$\{([^!}]+)\}", lambda found: values.get(found[1], _placeholder(found[1])), pattern)


def _placeholder(name: str) -> str:
    """Without colons, which part an ARN."""
    return f"<{name.replace('::', '.')}>"


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
