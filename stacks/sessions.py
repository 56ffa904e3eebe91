"""Connections, sessions and their turns: one table, encrypted with a key of our own, emptied by time to live."""

from __future__ import annotations

from typing import Final

from aws_cdk import CfnOutput
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.python_function import PythonFunction
from stacks.constructs.replicas import key_of_replicas, replica_keys, replicated_table
from stacks.environments import EnvironmentSettings

KEY_ACTIONS: Final = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey")


class SessionsStack(EnvironmentStack):
    """The sessions table; in the standby the replica of it, which the primary's table made."""

    def __init__(self, scope: Construct, *, settings: EnvironmentSettings) -> None:
        super().__init__(
            scope, "Sessions", settings=settings, description="Connections, sessions and their turns"
        )
        self.key: kms.IKey
        self.table: dynamodb.ITableV2
        if settings.standby_of:
            self.key = key_of_replicas(self, "Key", settings)
            self.table = replicated_table(self, "Table", parameter="SessionsTable", key=self.key)
        else:
            self.key, self.table = self._own(settings)
        CfnOutput(self, "SessionsTableName", value=self.table.table_name)

    def _own(self, settings: EnvironmentSettings) -> tuple[kms.Key, dynamodb.TableV2]:
        key = self.own_key(f"Sessions of {settings.name}")
        table = dynamodb.TableV2(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            time_to_live_attribute="expires_at",
            dynamo_stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
            encryption=dynamodb.TableEncryptionV2.customer_managed_key(key, replica_keys(self, settings)),
            # A replica inherits protection and recovery from the table.
            replicas=[dynamodb.ReplicaTableProps(region=region) for region in settings.replica_regions],
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=settings.protection.point_in_time_recovery
            ),
            deletion_protection=settings.protection.deletion_protection,
            removal_policy=self.removal_policy,
        )
        return key, table

    def grant(self, function: PythonFunction, *actions: str) -> None:
        """Let ``function`` perform ``actions`` on the table, and use the key through DynamoDB only."""
        function.allow(*actions, on=[self.table.table_arn])
        function.allow(
            *KEY_ACTIONS,
            on=[self.key.key_arn],
            conditions={"StringEquals": {"kms:ViaService": f"dynamodb.{self.region}.amazonaws.com"}},
        )
