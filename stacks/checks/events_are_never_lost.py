"""Whatever calls a function and does not wait for it has a queue for what failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stacks.checks.rule import Finding, Rule, Template, logical_id_of, resources


def _check(template: Template) -> Iterator[Finding]:
    for logical_id, rule in resources(template, "AWS::Events::Rule"):
        for index, target in enumerate(rule["Properties"].get("Targets", [])):
            if "DeadLetterConfig" not in target and _is_function(template, target["Arn"]):
                yield Finding(logical_id, f"Properties.Targets[{index}]")
    for logical_id, schedule in resources(template, "AWS::Scheduler::Schedule"):
        if "DeadLetterConfig" not in schedule["Properties"]["Target"]:
            yield Finding(logical_id, "Properties.Target")
    for logical_id, mapping in resources(template, "AWS::Lambda::EventSourceMapping"):
        source = str(mapping["Properties"].get("EventSourceArn", ""))
        is_stream = "StartingPosition" in mapping["Properties"] or "stream" in source
        if is_stream and "DestinationConfig" not in mapping["Properties"]:
            yield Finding(logical_id, "Properties")


def _is_function(template: Template, arn: Any) -> bool:
    """A queue, a topic or a log group keeps what reaches it; EventBridge tries those for a day."""
    target = template["Resources"].get(logical_id_of(arn), {}).get("Type")
    return target.startswith("AWS::Lambda::") if target else ":function:" in str(arn)


RULE = Rule(
    id="MangaAssist-EventsAreNeverLost",
    what="every rule, schedule and stream that calls a function has a dead-letter queue",
    why="nobody waits for the outcome, so a failed call would vanish",
    check=_check,
)
