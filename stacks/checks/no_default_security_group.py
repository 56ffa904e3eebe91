"""Nothing runs in the default security group of a VPC."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stacks.checks.rule import Finding, Rule, Template, resources

GROUPS = {
    "AWS::EC2::VPCEndpoint": ("SecurityGroupIds",),
    "AWS::ECS::Service": ("NetworkConfiguration", "AwsvpcConfiguration", "SecurityGroups"),
    "AWS::ElastiCache::ServerlessCache": ("SecurityGroupIds",),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": ("SecurityGroups",),
    "AWS::Lambda::Function": ("VpcConfig", "SecurityGroupIds"),
    "AWS::SageMaker::Model": ("VpcConfig", "SecurityGroupIds"),
}
"""Where a resource inside a VPC names its groups; one that names none gets the default group."""


def _check(template: Template) -> Iterator[Finding]:
    for logical_id, resource in resources(template, *GROUPS):
        properties, path = resource["Properties"], GROUPS[resource["Type"]]
        outside = len(path) > 1 and path[0] not in properties
        gateway = properties.get("VpcEndpointType") == "Gateway"
        if not outside and not gateway and not _at(properties, path):
            yield Finding(logical_id, f"Properties.{'.'.join(path)}")
    for logical_id, resource in resources(template):
        if _names_default(resource):
            yield Finding(logical_id, "Properties")


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        value = value.get(part, {})
    return value


def _names_default(value: Any) -> bool:
    if isinstance(value, dict):
        target = value.get("Fn::GetAtt")
        if isinstance(target, list) and target[1:] == ["DefaultSecurityGroup"]:
            return True
        return any(map(_names_default, value.values()))
    return isinstance(value, list) and any(map(_names_default, value))


RULE = Rule(
    id="MangaAssist-NoDefaultSecurityGroup",
    what="whatever runs in a VPC names security groups of its own",
    why="the default group admits all of its members to each other and lets them out to everywhere (IAC-2)",
    check=_check,
)
