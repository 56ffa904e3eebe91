"""Where alarms go: one encrypted topic per severity."""

from __future__ import annotations

from aws_cdk import CfnOutput
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from stacks.constructs.alarm import SEVERITIES, Severity, topic_name
from stacks.constructs.environment_stack import EnvironmentStack
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
        self.key = kms.Key(
            self,
            "Key",
            description=f"Alarm messages of {settings.name}",
            enable_key_rotation=True,
            removal_policy=self.removal_policy,
        )
        self.key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[
                    iam.ServicePrincipal("cloudwatch.amazonaws.com"),
                    iam.ServicePrincipal("budgets.amazonaws.com"),
                    iam.ServicePrincipal("events.amazonaws.com"),
                ],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
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
                topic.add_subscription(subscriptions.EmailSubscription(settings.alerting.email))
            self.topics[severity] = topic
            CfnOutput(self, f"{severity.capitalize()}TopicArn", value=topic.topic_arn)
