"""One key for what the product writes about itself: log groups and queues of failures (SEC-5).

One per region and not one per stack: whoever may read the logs of one function may read those of all, so more keys
would cost a dollar a month each and separate nobody. Made by the first that asks for it, because CloudWatch Logs takes
the ARN of a key and no alias, and every stack has log groups.
"""

from __future__ import annotations

from typing import Final

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.constructs.environment_stack import EnvironmentStack
from stacks.environments import EnvironmentSettings

CONCERN: Final = "Keys"


class KeysStack(EnvironmentStack):
    """The key of one region; it knows those who use it by their names, not by reference."""

    def __init__(self, scope: Construct, concern: str, *, settings: EnvironmentSettings, region: str) -> None:
        super().__init__(
            scope,
            concern,
            settings=settings,
            description="The key of log groups and queues",
            region=region,
        )
        self.key = self.own_key(f"Log groups and queues of {settings.name}")
        self.key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(f"logs.{self.region}.amazonaws.com")],
                actions=["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"],
                resources=["*"],
                conditions={
                    "ArnLike": {
                        "kms:EncryptionContext:aws:logs:arn": [
                            self._log_groups(name)
                            for name in (
                                f"/mangaassist/{settings.name}/*",
                                f"/aws/sagemaker/Endpoints/{settings.resource_prefix}-*",
                                f"aws-waf-logs-{settings.resource_prefix}*",
                            )
                        ]
                    }
                },
            )
        )
        # Rules put events that failed into the queues, without a role of ours.
        self.key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )

    def _log_groups(self, name: str) -> str:
        return self.format_arn(
            service="logs",
            resource="log-group",
            resource_name=name,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )


def operations_key(scope: Construct, settings: EnvironmentSettings) -> kms.IKey | None:
    """The key for log groups and queues in the region of ``scope``; ``None`` where the services' own keys do."""
    if not settings.operations_key:
        return None
    region = Stack.of(scope).region
    concern = CONCERN if region == settings.region else f"{CONCERN}-{region}"
    app = scope.node.root
    found = app.node.try_find_child(f"MangaAssist-{settings.name}-{concern}")
    keys = (
        found if isinstance(found, KeysStack) else KeysStack(app, concern, settings=settings, region=region)
    )
    return keys.key
