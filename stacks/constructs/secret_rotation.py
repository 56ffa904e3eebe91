"""Rotation of one secret by a function of ours, four steps at a time."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.constructs.alarm import Severity, alarm
from stacks.constructs.python_function import PythonFunction
from stacks.environments import EnvironmentSettings


class SecretRotation(Construct):
    """The function in ``lambdas/<folder>``, and when Secrets Manager calls it."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: EnvironmentSettings,
        folder: str,
        description: str,
        days: int,
        secret_arn: str,
        key: kms.IKey,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(scope, id)
        stack = Stack.of(self)
        self.function = PythonFunction(
            self,
            "Function",
            settings=settings,
            folder=folder,
            description=description,
            timeout_seconds=30,
            variables=variables,
        )
        self.function.allow(
            "secretsmanager:DescribeSecret",
            "secretsmanager:GetSecretValue",
            "secretsmanager:PutSecretValue",
            "secretsmanager:UpdateSecretVersionStage",
            on=[secret_arn],
        )
        self.function.allow(
            "kms:Decrypt",
            "kms:GenerateDataKey",
            on=[key.key_arn],
            conditions={"StringEquals": {"kms:ViaService": f"secretsmanager.{stack.region}.amazonaws.com"}},
        )
        self.function.alias.add_permission(
            "SecretsManager",
            principal=iam.ServicePrincipal("secretsmanager.amazonaws.com"),
            source_account=stack.account,
        )
        self.schedule = secretsmanager.CfnRotationSchedule(
            self,
            "Schedule",
            secret_id=secret_arn,
            rotation_lambda_arn=self.function.alias.function_arn,
            rotation_rules=secretsmanager.CfnRotationSchedule.RotationRulesProperty(
                automatically_after_days=days
            ),
            # A deploy changes no secret: what it has just read would be the previous one a moment later.
            rotate_immediately_on_update=False,
        )
        # Secrets Manager calls the function once to see whether it may.
        self.schedule.node.add_dependency(self.function)
        alarm(
            self,
            "FailedAlarm",
            settings=settings,
            what=f"A secret keeps its old value: the {folder} function failed",
            runbook="secret-not-rotated",
            severity=Severity.TICKET,
            metric=self.function.alias.metric_errors(period=Duration.minutes(5)),
            threshold=0,
            missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
