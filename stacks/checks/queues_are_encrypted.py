"""Every queue and topic is encrypted and refuses plain HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stacks.checks.rule import Finding, Rule, Template, logical_id_of, resources

_KINDS = {
    "AWS::SQS::Queue": ("AWS::SQS::QueuePolicy", "Queues", ("KmsMasterKeyId", "SqsManagedSseEnabled")),
    "AWS::SNS::Topic": ("AWS::SNS::TopicPolicy", "Topics", ("KmsMasterKeyId",)),
}


def _check(template: Template) -> Iterator[Finding]:
    for kind, (policy_kind, attached, switches) in _KINDS.items():
        refusing = {
            logical_id_of(target)
            for _, policy in resources(template, policy_kind)
            if any(map(_refuses_http, policy["Properties"]["PolicyDocument"]["Statement"]))
            for target in policy["Properties"][attached]
        }
        for logical_id, resource in resources(template, kind):
            if not any(resource.get("Properties", {}).get(switch) for switch in switches):
                yield Finding(logical_id, "Properties")
            if logical_id not in refusing:
                yield Finding(logical_id, "policy")


def _refuses_http(statement: Mapping[str, Any]) -> bool:
    unsafe = statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
    return statement["Effect"] == "Deny" and unsafe == "false"


RULE = Rule(
    id="MangaAssist-QueuesAreEncrypted",
    what="every queue and topic is encrypted at rest and denies requests without TLS",
    why="messages carry what failed, and that may be what a shopper wrote",
    check=_check,
)
