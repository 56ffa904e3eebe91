"""No security group admits anything but other security groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stacks.checks.rule import Finding, Rule, Template, resources

SOURCES = frozenset(
    {"CidrIp", "CidrIpv6", "SourcePrefixListId", "SourceSecurityGroupId", "SourceSecurityGroupName"}
)
GROUP = frozenset({"SourceSecurityGroupId"})
PROTOCOLS = ("tcp", "udp", "icmp", "icmpv6")
"""By name, so that neither ``-1``, which is all of them, nor a number that somebody would have to look up gets by."""


def _check(template: Template) -> Iterator[Finding]:
    for logical_id, group in resources(template, "AWS::EC2::SecurityGroup"):
        admitted = group["Properties"].get("SecurityGroupIngress", [])
        for index, rule in enumerate(admitted if isinstance(admitted, list) else [admitted]):
            if not _admits_a_group(rule):
                yield Finding(logical_id, f"Properties.SecurityGroupIngress[{index}]")
    for logical_id, rule in resources(template, "AWS::EC2::SecurityGroupIngress"):
        if not _admits_a_group(rule["Properties"]):
            yield Finding(logical_id, "Properties")


def _admits_a_group(rule: Any) -> bool:
    return SOURCES & set(rule) == GROUP and rule.get("IpProtocol") in PROTOCOLS


RULE = Rule(
    id="MangaAssist-NoOpenIngress",
    what="security groups admit other security groups by a named protocol, never addresses or lists of them",
    why="an address says nothing about who sends from it, and ranges only ever grow (IAC-2)",
    check=_check,
)
