"""What CloudFront does: its access log and its alarms, which live in one region wherever the distribution was made."""

from __future__ import annotations

from typing import Final

from aws_cdk import Duration, Fn
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.chat import ChatStack
from stacks.constructs.alarm import Severity, alarm
from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.failover import watch_failover
from stacks.edge import EDGE_REGION, EdgeStack
from stacks.environments import EnvironmentSettings
from stacks.web import DISTRIBUTION_ID_OUTPUT, WebStack

FIELDS: Final = (
    "date",
    "time",
    "x-edge-location",
    "sc-bytes",
    "c-ip",
    "cs-method",
    "cs-uri-stem",
    "sc-status",
    "cs(User-Agent)",
    "x-edge-result-type",
    "x-edge-request-id",
    "x-host-header",
    "cs-protocol",
    "cs-bytes",
    "time-taken",
    "ssl-protocol",
    "ssl-cipher",
    "x-edge-response-result-type",
    "cs-protocol-version",
    "time-to-first-byte",
    "x-edge-detailed-result-type",
    "sc-content-type",
)
"""Neither query strings, which name sessions, nor cookies, nor where somebody came from."""


class EdgeWatchStack(EnvironmentStack):
    """Access log and alarms of the distribution."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: EnvironmentSettings,
        edge: EdgeStack,
        web: WebStack,
        chat: ChatStack,
    ) -> None:
        super().__init__(
            scope,
            "EdgeWatch",
            settings=settings,
            description="Access log and alarms of CloudFront",
            region=EDGE_REGION,
        )
        distribution = web.distribution.distribution_id
        if web.region != self.region:
            self.add_stack_dependency(web, "reads its output across regions")
            distribution = Fn.get_stack_output(web.stack_name, DISTRIBUTION_ID_OUTPUT, web.region)
        self._log(settings, edge, distribution)
        alarm(
            self,
            "ServerErrorsAlarm",
            settings=settings,
            what="Over 5% of the answers at the edge are server errors",
            runbook="edge-errors",
            severity=Severity.TICKET,
            metric=cloudwatch.Metric(
                namespace="AWS/CloudFront",
                metric_name="5xxErrorRate",
                dimensions_map={"DistributionId": distribution, "Region": "Global"},
                statistic="Average",
                period=Duration.minutes(1),
            ),
            threshold=5,
            evaluation_periods=5,
            datapoints_to_alarm=3,
        )
        if chat.failover is not None:
            watch_failover(self, settings=settings, primary=chat, check=chat.failover)

    def _log(self, settings: EnvironmentSettings, edge: EdgeStack, distribution: str) -> None:
        name = f"{settings.resource_prefix}-cloudfront"
        source = logs.CfnDeliverySource(
            self,
            "AccessLogSource",
            name=name,
            log_type="ACCESS_LOGS",
            resource_arn=f"arn:aws:cloudfront::{self.account}:distribution/{distribution}",
        )
        destination = logs.CfnDeliveryDestination(
            self,
            "AccessLogDestination",
            name=name,
            destination_resource_arn=edge.access_log.log_group_arn,
            output_format="json",
        )
        delivery = logs.CfnDelivery(
            self,
            "AccessLogDelivery",
            delivery_source_name=name,
            delivery_destination_arn=destination.attr_arn,
            record_fields=list(FIELDS),
        )
        delivery.add_resource_dependency(source)
