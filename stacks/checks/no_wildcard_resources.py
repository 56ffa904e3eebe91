"""No statement reaches every resource, but for actions that know no resources."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from stacks.checks.rule import Finding, Rule, Statement, Template, policy_statements
from stacks.constructs.python_function import NETWORK_INTERFACES
from stacks.constructs.vpc_actions import MODEL_INTERFACES

WITHOUT_RESOURCES = frozenset(
    {
        "application-autoscaling:DescribeScalableTargets",
        "bedrock:ListProvisionedModelThroughputs",
        "cloudwatch:GetMetricStatistics",
        "cloudwatch:PutMetricData",
        "ecr:GetAuthorizationToken",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
        *NETWORK_INTERFACES,
        *MODEL_INTERFACES,
    }
)
"""Actions that take no resource, and those that Lambda and SageMaker check against all of them before they put a
function or a model instance into a VPC; these the function itself is denied."""

CONDITIONED: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "key": frozenset({"kms:ResourceAliases"}),
        "provisioned-model": frozenset({"aws:RequestTag/environment", "aws:ResourceTag/environment"}),
        "scalable-target": frozenset({"application-autoscaling:scalable-dimension"}),
    }
)
"""Types whose ids the service makes at run time, each with the conditions that hold a statement to ours: the alias of the
key in the other region, the tag of our purchases, the kinds of capacity that are raised."""

_EVERY = re.compile(r"[\w-]*[/:]?[*?]")
"""A resource part that is a wildcard, or one behind nothing but its type: ``table/*``, ``role/*``, ``*``."""


def _check(template: Template) -> Iterator[Finding]:
    for statement in policy_statements(template):
        if statement.not_resources:
            yield Finding(statement.owner, f"{statement.location}.NotResource")
        for resource in statement.resources:
            if _is_too_wide(resource, statement):
                yield Finding(statement.owner, f"{statement.location}.Resource={resource}")


def _is_too_wide(resource: str, statement: Statement) -> bool:
    if not _is_wild(resource):
        return False
    if resource == "*":
        return not set(statement.actions) <= WITHOUT_RESOURCES
    arn = resource.split(":", 5)
    if len(arn) < 6:
        # A reference to a resource of ours, and a path in it.
        return not resource.startswith("<")
    *place, name = arn
    if any(map(_is_wild, place)):
        return True
    if arn[2] == "s3":
        # Objects are named after their bucket, without a type.
        return _is_wild(name.split("/", 1)[0])
    if _EVERY.match(name) is None:
        return False
    asked = {
        key
        for operator, keys in statement.conditions.items()
        if "StringEquals" in operator
        for key, value in keys.items()
        if not _is_wild(str(value))
    }
    return name.rstrip("*")[-1:] not in "/:" or not asked & CONDITIONED.get(name[:-2], frozenset())


def _is_wild(text: str) -> bool:
    return "*" in text or "?" in text


RULE = Rule(
    id="MangaAssist-NoWildcardResources",
    what="IAM statements name the resources they allow by region, account and name, except for actions that take none",
    why="'*', NotResource and 'table/*' reach every table, bucket and model of the account (SEC-4)",
    check=_check,
)
