"""No security group admits a range of addresses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stacks.checks.rule import Finding, Rule, Template, resources

RANGES = ("CidrIp", "CidrIpv6")


def _check(template: Template) -> Iterator[Finding]:
    for logical_id, group in resources(template, "AWS::EC2::SecurityGroup"):
        for index, rule in enumerate(group["Properties"].get("SecurityGroupIngress", [])):
            if _by_range(rule):
                yield Finding(logical_id, f"Properties.SecurityGroupIngress[{index}]")
    for logical_id, rule in resources(template, "AWS::EC2::SecurityGroupIngress"):
        if _by_range(rule["Properties"]):
            yield Finding(logical_id, "Properties")


def _by_range(rule: Any) -> bool:
    return any(name in rule for name in RANGES)


RULE = Rule(
    id="MangaAssist-NoOpenIngress",
    what="security groups admit other security groups, never addresses",
    why="an address says nothing about who sends from it, and ranges only ever grow (IAC-2)",
    check=_check,
)
