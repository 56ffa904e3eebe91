"""What a key must allow before CloudWatch Logs encrypts a log group with it."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

from stacks.constructs.log_group import log_group_name
from stacks.environments import EnvironmentSettings


def admit_logs(key: kms.Key, *, settings: EnvironmentSettings, name: str, others: Sequence[str] = ()) -> None:
    """Let CloudWatch Logs use ``key`` for the log group ``name``, for ``others`` by their whole names, and for no more."""
    stack = Stack.of(key)
    arns = [
        stack.format_arn(
            service="logs",
            resource="log-group",
            resource_name=group,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        for group in (log_group_name(settings, name), *others)
    ]
    key.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
            actions=["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"],
            resources=["*"],
            conditions={
                "ArnEquals": {
                    "kms:EncryptionContext:aws:logs:arn": arns[0] if len(arns) == 1 else arns,
                }
            },
        )
    )
