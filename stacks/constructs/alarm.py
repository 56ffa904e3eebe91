"""An alarm says what is wrong, how bad it is, who hears of it and which runbook helps.

Names are known beforehand, from where an alarm stands in the tree: a pager shows one that reads, and a composite alarm
can name alarms of other stacks without importing from them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, cast

from aws_cdk import Duration, Stack
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
SUPPRESSOR_PATIENCE: Final = Duration.minutes(2)
"""How long a composite alarm waits for the one that explains it, and stays silent after that one is over."""


def topic_name(settings: EnvironmentSettings, severity: Severity) -> str:
    """Name of the topic for a severity. Known beforehand, so that no stack has to import it from another one."""
    return f"{settings.resource_prefix}-{severity}"


def topic_arn(stack: Stack, settings: EnvironmentSettings, severity: Severity) -> str:
    """ARN of the topic for a severity, in the region of ``stack``."""
    return stack.format_arn(service="sns", resource=topic_name(settings, severity))


def alarm_name(scope: Construct, id: str, settings: EnvironmentSettings) -> str:
    """``mangaassist-<environment>-<concern>-<path>``, unique because the path is."""
    concern = Stack.of(scope).node.id.removeprefix(f"MangaAssist-{settings.name}-")
    inside = [*scope.node.path.split("/")[1:], id.removesuffix("Alarm")]
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", "-".join((concern, *inside)))
    return f"{settings.resource_prefix}-{words.lower()}"


def name_of(alarm: cloudwatch.AlarmBase) -> str:
    """The name of an alarm made here, as plain text."""
    resource = alarm.node.default_child
    if isinstance(resource, cloudwatch.CfnCompositeAlarm):
        return cast(str, resource.alarm_name)
    return cast(str, cast("cloudwatch.CfnAlarm", resource).alarm_name)


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
    ignore_few_samples: bool = False,
) -> cloudwatch.Alarm:
    """An alarm that tells its severity's topic when it starts and when it is over.

    Args:
        scope: where it belongs, which is beside what it watches.
        id: construct id.
        settings: the environment.
        what: one sentence about what is wrong, as on-call reads it.
        runbook: name of a page in ``docs/runbooks``, without ``.md``.
        severity: who is told.
        metric: what is watched, period and statistic included; a metric or an expression over some.
        threshold: the last value that is still well.
        comparison: on which side of the threshold it is not.
        evaluation_periods: how many periods are looked at.
        datapoints_to_alarm: how many of them must breach; all unless given.
        missing_data: what a period without data means.
        ignore_few_samples: whether a percentile of too few values to mean something is passed over.
    """
    made = cloudwatch.Alarm(
        scope,
        id,
        alarm_name=alarm_name(scope, id, settings),
        alarm_description=describe(settings, what, runbook, severity),
        metric=metric,
        threshold=threshold,
        comparison_operator=comparison,
        evaluation_periods=evaluation_periods,
        datapoints_to_alarm=datapoints_to_alarm,
        treat_missing_data=missing_data,
        evaluate_low_sample_count_percentile="ignore" if ignore_few_samples else None,
    )
    _tell(made, settings, severity)
    return made


def anomaly(
    scope: Construct,
    id: str,
    *,
    settings: EnvironmentSettings,
    what: str,
    runbook: str,
    severity: Severity,
    metric: cloudwatch.IMetric,
    width: float = 3,
    evaluation_periods: int = 3,
    datapoints_to_alarm: int = 2,
) -> cloudwatch.AnomalyDetectionAlarm:
    """An alarm on a value outside the band that CloudWatch learns from two weeks of it, on either side.

    Args:
        scope: where it belongs.
        id: construct id.
        settings: the environment.
        what: one sentence about what is unusual.
        runbook: name of a page in ``docs/runbooks``.
        severity: who is told.
        metric: what is watched.
        width: half the width of the band, in standard deviations.
        evaluation_periods: how many periods are looked at.
        datapoints_to_alarm: how many of them must be outside.
    """
    made = cloudwatch.AnomalyDetectionAlarm(
        scope,
        id,
        alarm_name=alarm_name(scope, id, settings),
        alarm_description=describe(settings, what, runbook, severity),
        metric=metric,
        std_devs=width,
        evaluation_periods=evaluation_periods,
        datapoints_to_alarm=datapoints_to_alarm,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
    _tell(made, settings, severity)
    return made


def composite(
    scope: Construct,
    id: str,
    *,
    settings: EnvironmentSettings,
    what: str,
    runbook: str,
    severity: Severity,
    any_of: Sequence[cloudwatch.AlarmBase],
    suppressed_by: cloudwatch.CompositeAlarm | None = None,
) -> cloudwatch.CompositeAlarm:
    """One alarm for a trouble that shows in several places, so that it is told once.

    Args:
        scope: where it belongs.
        id: construct id.
        settings: the environment.
        what: one sentence about what is wrong.
        runbook: name of a page in ``docs/runbooks``.
        severity: who is told.
        any_of: the alarms of which one is enough, of any stack in the region.
        suppressed_by: the bigger trouble that explains this one; while it lasts, nobody is told.
    """
    made = cloudwatch.CompositeAlarm(
        scope,
        id,
        composite_alarm_name=alarm_name(scope, id, settings),
        alarm_description=describe(settings, what, runbook, severity),
        alarm_rule=cloudwatch.AlarmRule.any_of(
            *(cloudwatch.AlarmRule.from_string(f'ALARM("{name_of(part)}")') for part in any_of)
        ),
        actions_suppressor=suppressed_by,
        actions_suppressor_wait_period=SUPPRESSOR_PATIENCE if suppressed_by else None,
        actions_suppressor_extension_period=SUPPRESSOR_PATIENCE if suppressed_by else None,
    )
    # By name there is no reference that would order them.
    made.node.add_dependency(*any_of)
    _tell(made, settings, severity)
    return made


def describe(settings: EnvironmentSettings, what: str, runbook: str, severity: Severity) -> str:
    """The description of an alarm: severity, what is wrong, where the runbook is."""
    return f"[{severity}] {what}. Runbook: {settings.alerting.runbook_base}/{runbook}.md"


def _tell(made: cloudwatch.AlarmBase, settings: EnvironmentSettings, severity: Severity) -> None:
    topic = sns.Topic.from_topic_arn(made, "Topic", topic_arn(Stack.of(made), settings, severity))
    action = actions.SnsAction(topic)
    made.add_alarm_action(action)
    made.add_ok_action(action)
