"""An alarm says what is wrong, how bad it is, who hears of it and which runbook helps."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from stacks.environments import EnvironmentSettings


class Severity(StrEnum):
    """Who is told, and when."""

    PAGE = "page"
    """Shoppers are hurt now: wakes somebody."""
    TICKET = "ticket"
    """Looked at on the next working day."""


SEVERITIES: Final = tuple(Severity)


def topic_name(settings: EnvironmentSettings, severity: Severity) -> str:
    """Name of the topic for a severity. Known beforehand, so that no stack has to import it from another one."""
    return f"{settings.resource_prefix}-{severity}"


def topic_arn(stack: Stack, settings: EnvironmentSettings, severity: Severity) -> str:
    """ARN of the topic for a severity, in the region of ``stack``."""
    return stack.format_arn(service="sns", resource=topic_name(settings, severity))


def alarm(
    scope: Construct,
    id: str,
    *,
    settings: EnvironmentSettings,
    what: str,
    runbook: str,
    severity: Severity,
    metric: cloudwatch.IMetric,
    threshold: float,
    comparison: cloudwatch.ComparisonOperator = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
    evaluation_periods: int = 1,
    datapoints_to_alarm: int | None = None,
    missing_data: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
) -> cloudwatch.Alarm:
    """An alarm that tells its severity's topic when it starts and when it is over.

    Args:
        scope: where it belongs, which is beside what it watches.
        id: construct id.
        settings: the environment.
        what: one sentence about what is wrong, as on-call reads it.
        runbook: name of a page in ``docs/runbooks``, without ``.md``.
        severity: who is told.
        metric: what is watched, period and statistic included.
        threshold: the last value that is still well.
        comparison: on which side of the threshold it is not.
        evaluation_periods: how many periods are looked at.
        datapoints_to_alarm: how many of them must breach; all unless given.
        missing_data: what a period without data means.
    """
    made = cloudwatch.Alarm(
        scope,
        id,
        alarm_description=describe(settings, what, runbook, severity),
        metric=metric,
        threshold=threshold,
        comparison_operator=comparison,
        evaluation_periods=evaluation_periods,
        datapoints_to_alarm=datapoints_to_alarm,
        treat_missing_data=missing_data,
    )
    topic = sns.Topic.from_topic_arn(made, "Topic", topic_arn(Stack.of(scope), settings, severity))
    action = actions.SnsAction(topic)
    made.add_alarm_action(action)
    made.add_ok_action(action)
    return made


def describe(settings: EnvironmentSettings, what: str, runbook: str, severity: Severity) -> str:
    """The description of an alarm: severity, what is wrong, where the runbook is."""
    return f"[{severity}] {what}. Runbook: {settings.alerting.runbook_base}/{runbook}.md"
