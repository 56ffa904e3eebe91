"""Capacity before a sale: what is raised and brought back, what is bought and given back.

One schedule per function, every five minutes, instead of one per sale: each tick makes the capacity of its minute so,
whatever was missed before it. A schedule per sale is lost with one undelivered event, goes stale when the calendar
changes and knows nothing of a deploy that reset what it had raised.
"""

from __future__ import annotations

import json
from typing import Any, Final

from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.capacity_state import CapacityStateStack
from stacks.chat import ChatStack
from stacks.constructs.alarm import Severity, alarm
from stacks.constructs.bundling import ROOT
from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.python_function import METRICS_NAMESPACE, PythonFunction
from stacks.environments import EnvironmentSettings
from stacks.raised import raised_resources
from stacks.search import SearchStack

CAPACITY_DATA: Final = ROOT / "layers" / "core" / "python" / "mangaassist" / "capacity" / "data"
OFFERS: Final = CAPACITY_DATA / "throughput.json"
TICK_MINUTES: Final = 5
"""``mangaassist.capacity.calendar.TICK_MINUTES``; a test holds the two together."""
PATIENCE_SECONDS: Final = 120
"""How long one tick waits for capacity to arrive; with the rest of its work it must end before the next one."""


class CapacityStack(EnvironmentStack):
    """Two functions that a schedule calls every five minutes, and the alarms about them."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: EnvironmentSettings,
        state: CapacityStateStack,
        chat: ChatStack,
        search: SearchStack,
    ) -> None:
        super().__init__(
            scope,
            "Capacity",
            settings=settings,
            description="Raises capacity before sales, and brings it back",
        )
        self._chat = chat
        self._search = search
        self.missed = sqs.Queue(
            self,
            "MissedTicks",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        self.prewarm = self._prewarm(state)
        self.model_capacity = self._model_capacity(state)
        # In UTC: a cron expression without a zone means the same on AWS and on the twin. Aligned to the clock, because
        # sales start on five-minute marks and T-15 is then a tick and not something between two.
        self.schedules = {
            "prewarm": self._tick("PrewarmTick", self.prewarm, "Makes the capacity of this minute so"),
            "model_capacity": self._tick(
                "ThroughputTick",
                self.model_capacity,
                "Buys and gives back model throughput",
                enabled=bool(settings.capacity.throughput),
            ),
        }
        self._prewarm_alarms()
        self._throughput_alarms()
        CfnOutput(self, "PrewarmFunctionName", value=self.prewarm.function.function_name)
        CfnOutput(self, "ModelCapacityFunctionName", value=self.model_capacity.function.function_name)

    # --- functions ------------------------------------------------------------------------------------

    def _prewarm(self, state: CapacityStateStack) -> PythonFunction:
        settings = self.settings
        function = PythonFunction(
            self,
            "Prewarm",
            settings=settings,
            folder="prewarm",
            description="Raises capacity before sales, verifies it, says so and brings it back",
            timeout_seconds=PATIENCE_SECONDS + 60,
            # Scheduler invokes asynchronously: it only knows that an event was taken, Lambda knows that it failed.
            failures=self.missed,
            variables={
                "CAPACITY_TABLE": state.table.table_name,
                "CAPACITY_RESOURCES": self.to_json_string(self._resources()),
                "CALENDAR_SHARE_PERCENT": str(settings.capacity.calendar_share_percent),
                "BUSINESS_HOURS": "on" if settings.capacity.business_hours else "off",
                # On the twin capacity is there at once or never.
                "PATIENCE_SECONDS": str(0 if settings.name == "local" else PATIENCE_SECONDS),
            },
        )
        state.grant(function)
        dimensions = sorted({each["kind"] for each in self._resources()} & set(SCALING))
        if dimensions:
            function.allow("application-autoscaling:DescribeScalableTargets", on=["*"])
            function.allow(
                "application-autoscaling:RegisterScalableTarget",
                # The id in a target's ARN is made by the service; the conditions say which targets are meant.
                on=[self.format_arn(service="application-autoscaling", resource="scalable-target/*")],
                conditions={
                    "StringEquals": {
                        "application-autoscaling:scalable-dimension": [SCALING[kind] for kind in dimensions]
                    }
                },
            )
        if settings.message_provisioned_concurrency is not None:
            # Lambda's authorization reference names the alias; some evaluations compare the function without it.
            function.allow(
                "lambda:GetProvisionedConcurrencyConfig",
                on=[
                    self._chat.message.function.function_arn,
                    self._chat.message.alias.function_arn,
                ],
            )
        endpoints = [
            each["address"]["endpoint"] for each in self._resources() if "endpoint" in each["address"]
        ]
        if endpoints:
            function.allow(
                "sagemaker:DescribeEndpoint",
                on=[
                    self.format_arn(service="sagemaker", resource="endpoint", resource_name=name)
                    for name in endpoints
                ],
            )
        services = [each["address"] for each in self._resources() if each["kind"] == "ecs-service"]
        if services:
            function.allow(
                "ecs:DescribeServices",
                on=[
                    self.format_arn(
                        service="ecs",
                        resource="service",
                        resource_name=f"{address['cluster']}/{address['service']}",
                    )
                    for address in services
                ],
            )
        function.allow(
            "aoss:BatchGetCollectionGroup", "aoss:UpdateCollectionGroup", on=[self._search.group.attr_arn]
        )
        return function

    def _resources(self) -> list[dict[str, Any]]:
        return raised_resources(self.settings, message_function=self._chat.message.function.function_name)

    def _model_capacity(self, state: CapacityStateStack) -> PythonFunction:
        settings = self.settings
        plans = settings.capacity.throughput
        function = PythonFunction(
            self,
            "ModelCapacity",
            settings=settings,
            folder="model_capacity",
            description="Buys model throughput before sales and gives it back after them",
            timeout_seconds=120,
            failures=self.missed,
            variables={
                "CAPACITY_TABLE": state.table.table_name,
                "CALENDAR_SHARE_PERCENT": str(settings.capacity.calendar_share_percent),
                "RESOURCE_PREFIX": settings.resource_prefix,
                "THROUGHPUT_PLANS": json.dumps([plan.model_dump(mode="json") for plan in plans]),
            },
        )
        state.grant(function)
        if not plans:
            return function
        bought = self.format_arn(service="bedrock", resource="provisioned-model", resource_name="*")
        ours = {"StringEquals": {"aws:ResourceTag/environment": settings.name}}
        function.allow("bedrock:ListProvisionedModelThroughputs", on=["*"])
        function.allow("cloudwatch:GetMetricStatistics", on=["*"])
        function.allow(
            "bedrock:CreateProvisionedModelThroughput",
            on=[
                *(
                    f"arn:{self.partition}:bedrock:{self.region}::foundation-model/{offer}"
                    for offer in offer_ids(plan.model_id for plan in plans)
                ),
                bought,
            ],
            conditions={"StringEqualsIfExists": {"aws:RequestTag/environment": settings.name}},
        )
        function.allow(
            "bedrock:TagResource",
            on=[bought],
            conditions={"StringEquals": {"aws:RequestTag/environment": settings.name}},
        )
        function.allow("bedrock:DeleteProvisionedModelThroughput", on=[bought], conditions=ours)
        return function

    # --- schedules ------------------------------------------------------------------------------------

    def _tick(
        self, id: str, function: PythonFunction, description: str, *, enabled: bool = True
    ) -> scheduler.CfnSchedule:
        role = iam.Role(
            self,
            f"{id}Role",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            ),
        )
        role.add_to_policy(
            iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[function.alias.function_arn])
        )
        role.add_to_policy(
            iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[self.missed.queue_arn])
        )
        return scheduler.CfnSchedule(
            self,
            id,
            description=description,
            state="ENABLED" if enabled else "DISABLED",
            schedule_expression=f"cron(0/{TICK_MINUTES} * * * ? *)",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=function.alias.function_arn,
                role_arn=role.role_arn,
                input="{}",
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=self.missed.queue_arn),
                # A late tick is worth nothing once the next one is there.
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=TICK_MINUTES * 60, maximum_retry_attempts=2
                ),
            ),
        )

    # --- alarms ---------------------------------------------------------------------------------------

    def _prewarm_alarms(self) -> None:
        alarm(
            self,
            "PrewarmFailedAlarm",
            settings=self.settings,
            what="Capacity for a sale could not be raised or brought back",
            runbook="prewarm-failed",
            severity=Severity.PAGE,
            metric=_metric(self.settings, "PrewarmStepFailed", "Sum"),
            threshold=0,
        )
        alarm(
            self,
            "NotReadyAlarm",
            settings=self.settings,
            what="Ten minutes after it was due, the capacity of a sale is still not there",
            runbook="warm-capacity-not-ready",
            severity=Severity.PAGE,
            metric=_metric(self.settings, "WarmCapacityReady", "Minimum"),
            threshold=1,
            comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            evaluation_periods=2,
        )
        alarm(
            self,
            "PrewarmStoppedAlarm",
            settings=self.settings,
            what="The pre-warm function has not run for half an hour",
            runbook="prewarm-stopped",
            severity=Severity.PAGE,
            metric=self.prewarm.alias.metric_invocations(period=Duration.minutes(30)),
            threshold=1,
            comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            missing_data=cloudwatch.TreatMissingData.BREACHING,
        )
        alarm(
            self,
            "MissedTicksAlarm",
            settings=self.settings,
            what="A capacity tick could not be delivered or failed",
            runbook="prewarm-stopped",
            severity=Severity.TICKET,
            metric=self.missed.metric_approximate_number_of_messages_visible(
                period=Duration.minutes(5), statistic="Maximum"
            ),
            threshold=0,
        )
        for id, name, function in (
            ("PrewarmErrorsAlarm", "prewarm", self.prewarm),
            ("ModelCapacityErrorsAlarm", "model_capacity", self.model_capacity),
        ):
            alarm(
                self,
                id,
                settings=self.settings,
                what=f"The {name} function ends in errors",
                runbook="prewarm-stopped",
                severity=Severity.TICKET,
                metric=function.alias.metric_errors(period=Duration.minutes(TICK_MINUTES)),
                threshold=0,
                evaluation_periods=3,
                datapoints_to_alarm=2,
            )

    def _throughput_alarms(self) -> None:
        if not self.settings.capacity.throughput:
            return
        for id, what, runbook, metric in (
            (
                "ThroughputFailedAlarm",
                "Model throughput could not be bought, watched or given back; what is not given back is billed",
                "throughput-failed",
                "ThroughputStepFailed",
            ),
            (
                "ThroughputOrphanAlarm",
                "Model throughput is billed that the schedule knows nothing about",
                "throughput-failed",
                "ThroughputOrphan",
            ),
            (
                "ThroughputIdleAlarm",
                "Less than half of the bought model throughput was used for two weeks",
                "throughput-idle",
                "ThroughputIdle",
            ),
        ):
            alarm(
                self,
                id,
                settings=self.settings,
                what=what,
                runbook=runbook,
                severity=Severity.TICKET,
                metric=_metric(self.settings, metric, "Maximum"),
                threshold=0,
            )


SCALING: Final = {
    "ecs-service": "ecs:service:DesiredCount",
    "lambda-provisioned-concurrency": "lambda:function:ProvisionedConcurrency",
    "sagemaker-variant": "sagemaker:variant:DesiredInstanceCount",
}
"""Dimension that Application Auto Scaling knows a kind by."""


def offer_ids(model_ids: Any) -> list[str]:
    """What is bought for these models, by the list of offers."""
    offers = {each["model_id"]: each for each in json.loads(OFFERS.read_text("utf-8"))["models"]}
    return sorted({offers[model_id].get("offer_id", model_id) for model_id in model_ids})


def _metric(settings: EnvironmentSettings, name: str, statistic: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=METRICS_NAMESPACE,
        metric_name=name,
        # Every metric of the product carries the environment: several may share an account.
        dimensions_map={"environment": settings.name},
        statistic=statistic,
        period=Duration.minutes(TICK_MINUTES),
    )
