"""Where alarms go: one encrypted topic per severity, and a queue for what could not be delivered."""

from __future__ import annotations

from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from stacks.constructs.alarm import SEVERITIES, Severity, alarm, topic_name
from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.failure_queue import FailureQueue
from stacks.environments import EnvironmentSettings


class AlertsStack(EnvironmentStack):
    """The topics that every other stack's alarms tell."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: EnvironmentSettings,
        concern: str = "Alerts",
        region: str | None = None,
    ) -> None:
        super().__init__(
            scope,
            concern,
            settings=settings,
            description="Topics that alarms tell, by severity",
            region=region,
        )
        self.key = self.own_key(f"Alarm messages of {settings.name}")
        self.key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[
                    iam.ServicePrincipal("cloudwatch.amazonaws.com"),
                    iam.ServicePrincipal("budgets.amazonaws.com"),
                    iam.ServicePrincipal("events.amazonaws.com"),
                    # Puts what it could not deliver into the queue below.
                    iam.ServicePrincipal("sns.amazonaws.com"),
                ],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        # A pager integration that subscribes by itself names this queue in its redrive policy.
        self.undelivered = FailureQueue(self, "Undelivered", settings=settings, key=self.key)
        self.topics: dict[Severity, sns.Topic] = {}
        for severity in SEVERITIES:
            topic = sns.Topic(
                self,
                severity.capitalize(),
                topic_name=topic_name(settings, severity),
                display_name=f"MangaAssist {settings.name} {severity}",
                master_key=self.key,
                enforce_ssl=True,
            )
            topic.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[
                        iam.ServicePrincipal("cloudwatch.amazonaws.com"),
                        iam.ServicePrincipal("budgets.amazonaws.com"),
                        iam.ServicePrincipal("events.amazonaws.com"),
                    ],
                    actions=["sns:Publish"],
                    resources=[topic.topic_arn],
                    conditions={"StringEquals": {"aws:SourceAccount": self.account}},
                )
            )
            if settings.alerting.email:
                topic.add_subscription(
                    subscriptions.EmailSubscription(
                        settings.alerting.email, dead_letter_queue=self.undelivered
                    )
                )
            self.topics[severity] = topic
            CfnOutput(self, f"{severity.capitalize()}TopicArn", value=topic.topic_arn)
        CfnOutput(self, "UndeliveredQueueArn", value=self.undelivered.queue_arn)
        self._watch()

    def _watch(self) -> None:
        """Who watches the watchers: told by whichever topic still delivers."""
        alarm(
            self,
            "UndeliveredAlarm",
            settings=self.settings,
            what="An alarm could not be delivered to one who subscribed; it is in the queue of the undelivered",
            runbook="alerts-undelivered",
            severity=Severity.TICKET,
            metric=self.undelivered.metric_approximate_number_of_messages_visible(
                period=Duration.minutes(1), statistic="Maximum"
            ),
            threshold=0,
        )
        for severity, other in ((Severity.PAGE, Severity.TICKET), (Severity.TICKET, Severity.PAGE)):
            alarm(
                self,
                f"{severity.capitalize()}NotDeliveredAlarm",
                settings=self.settings,
                what=f"The topic for severity {severity} fails to deliver",
                runbook="alerts-undelivered",
                severity=other,
                metric=self.topics[severity].metric_number_of_notifications_failed(
                    period=Duration.minutes(5)
                ),
                threshold=0,
            )
