"""When CloudFront's origins move to the standby: what Route 53 watches, and the switch that people hold (RES-7).

Two checks, and the primary serves only while both are well:

- **Is its front door open?** A TCP connection from Route 53's checkers around the world to the regional address of the
  HTTP API, three failures 30 seconds apart. Not over HTTPS: API Gateway answers a request by that address, whose name is not
  ours, with 403, and a check by our own name would follow it to the standby and swing back.
- **Has nobody thrown the switch?** A metric in the standby's own region. Writing a metric needs neither the lost region
  nor Route 53's control plane, which is in us-east-1; changing a record or a check needs it.

The chat's own alarms are no third check. A release that fails, a model or a partner that is away fail in the standby as
well, with less capacity and no sign-in; and once shoppers have left, a metric of theirs has no data and would send them
back and forth. They wake somebody, who decides and throws the switch.
"""

from __future__ import annotations

from typing import Final

from aws_cdk import CfnOutput, Duration, Fn
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_route53 as route53
from constructs import Construct

from stacks.constructs.alarm import Severity, alarm
from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.python_function import METRICS_NAMESPACE
from stacks.environments import EnvironmentSettings

SWITCH_METRIC: Final = "StandbyInCharge"
"""1: the standby serves, whatever the primary looks like; 0: the primary does if its door is open."""
HEALTH_CHECK_OUTPUT: Final = "FailoverHealthCheckId"


def switch_name(settings: EnvironmentSettings) -> str:
    """Name of the alarm that is the switch, known beforehand: a health check of the primary reads it."""
    return f"{settings.resource_prefix}-replica-{standby_region(settings)}-standby-in-charge"


def standby_region(settings: EnvironmentSettings) -> str:
    """Where the names have their other certificate."""
    domains = settings.domains
    if domains is None or domains.standby_certificate_arn is None:
        raise ValueError(f"{settings.name} does not fail over")
    return domains.standby_certificate_arn.split(":")[3]


def switch_alarm(stack: EnvironmentStack, *, settings: EnvironmentSettings) -> cloudwatch.Alarm:
    """The switch, in the standby's region. Route 53 takes plain metrics and no "m out of n"."""
    return alarm(
        stack,
        "StandbyInChargeAlarm",
        settings=settings,
        what="Somebody has put the standby region in charge",
        runbook="region-loss",
        severity=Severity.TICKET,
        metric=cloudwatch.Metric(
            namespace=METRICS_NAMESPACE,
            metric_name=SWITCH_METRIC,
            dimensions_map={"environment": settings.name},
            statistic="Maximum",
            period=Duration.minutes(1),
        ),
        threshold=0,
        # No word since is not "off": the health check keeps what it was told last.
        missing_data=cloudwatch.TreatMissingData.MISSING,
    )


class FailoverCheck(Construct):
    """Whether the primary serves, as Route 53 sees it."""

    def __init__(
        self, scope: Construct, id: str, *, settings: EnvironmentSettings, regional_domain_name: str
    ) -> None:
        """
        Args:
            scope: the primary's stack.
            id: construct id.
            settings: of the primary.
            regional_domain_name: API Gateway's own name for the front door.
        """
        super().__init__(scope, id)
        door = route53.HealthCheck(
            self,
            "Door",
            type=route53.HealthCheckType.TCP,
            fqdn=regional_domain_name,
            port=443,
            request_interval=Duration.seconds(30),
            failure_threshold=3,
        )
        held = route53.HealthCheck(
            self,
            "Switch",
            type=route53.HealthCheckType.CLOUDWATCH_METRIC,
            alarm_identifier=route53.AlarmIdentifier(
                name=switch_name(settings), region=standby_region(settings)
            ),
            insufficient_data_health_status=route53.InsufficientDataHealthStatusEnum.LAST_KNOWN_STATUS,
        )
        self.check = route53.HealthCheck(
            self,
            "Serves",
            type=route53.HealthCheckType.CALCULATED,
            child_health_checks=[door, held],
            health_threshold=2,
        )
        CfnOutput(scope, HEALTH_CHECK_OUTPUT, value=self.check.health_check_id)


def watch_failover(
    stack: EnvironmentStack, *, settings: EnvironmentSettings, primary: EnvironmentStack, check: FailoverCheck
) -> None:
    """Page when the primary does not serve. Health checks have metrics in us-east-1 only: ``stack`` must be there."""
    check_id = check.check.health_check_id
    if primary.region != stack.region:
        stack.add_stack_dependency(primary, "reads its output across regions")
        check_id = Fn.get_stack_output(primary.stack_name, HEALTH_CHECK_OUTPUT, primary.region)
    alarm(
        stack,
        "FailedOverAlarm",
        settings=settings,
        what="Route 53 sends shoppers to the standby region",
        runbook="region-loss",
        severity=Severity.PAGE,
        metric=cloudwatch.Metric(
            namespace="AWS/Route53",
            metric_name="HealthCheckStatus",
            dimensions_map={"HealthCheckId": check_id},
            statistic="Minimum",
            period=Duration.minutes(1),
        ),
        threshold=1,
        comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        evaluation_periods=2,
    )
