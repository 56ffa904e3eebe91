"""What capacity remembers. Below the chat, which reads one item of it; the functions that write it are above the chat."""

from __future__ import annotations

from typing import Final

from aws_cdk import CfnOutput
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.python_function import PythonFunction
from stacks.environments import EnvironmentSettings
from stacks.sessions import KEY_ACTIONS

PROVISIONED_KEY: Final = "PROVISIONED"
"""Partition of the one item that a turn reads."""


class CapacityStateStack(EnvironmentStack):
    """The table of what was raised and bought: who is woken reads it, and a crashed tick goes on from it."""

    def __init__(self, scope: Construct, *, settings: EnvironmentSettings) -> None:
        super().__init__(
            scope, "CapacityState", settings=settings, description="What was raised and bought, and why"
        )
        self.key = self.own_key(f"Capacity records of {settings.name}")
        self.table = dynamodb.TableV2(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            encryption=dynamodb.TableEncryptionV2.customer_managed_key(self.key),
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=settings.protection.point_in_time_recovery
            ),
            deletion_protection=settings.protection.deletion_protection,
            removal_policy=self.removal_policy,
        )
        CfnOutput(self, "CapacityTableName", value=self.table.table_name)

    def grant(self, function: PythonFunction) -> None:
        """Let ``function`` keep the records."""
        function.allow("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", on=[self.table.table_arn])
        self._grant_key(function)

    def grant_read_published(self, function: PythonFunction) -> None:
        """Let ``function`` read what models resolve to, and nothing else."""
        function.allow(
            "dynamodb:GetItem",
            on=[self.table.table_arn],
            conditions={"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [PROVISIONED_KEY]}},
        )
        self._grant_key(function)

    def _grant_key(self, function: PythonFunction) -> None:
        function.allow(
            *KEY_ACTIONS,
            on=[self.key.key_arn],
            conditions={"StringEquals": {"kms:ViaService": f"dynamodb.{self.region}.amazonaws.com"}},
        )
