"""Queues in which events end that nobody could process: encrypted, over TLS only, kept for as long as SQS keeps."""

from __future__ import annotations

from typing import cast

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.constructs.operations_key import operations_key
from stacks.environments import EnvironmentSettings


class FailureQueue(sqs.Queue):
    """A queue under a key of ours, or under SQS's where the environment has none for its operations."""

    def __init__(
        self, scope: Construct, id: str, *, settings: EnvironmentSettings, key: kms.IKey | None = None
    ) -> None:
        """
        Args:
            scope: the stack.
            id: construct id.
            settings: the environment.
            key: one that admits the services which send; without it the environment's key for operations.
        """
        super().__init__(
            scope,
            id,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        self._key = key or operations_key(self, settings)
        if self._key is not None:
            # On the resource itself: a construct that knows its key hands it to every sender without a condition, and
            # to EventBridge for whatever account.
            resource = cast("sqs.CfnQueue", self.node.default_child)
            resource.kms_master_key_id = self._key.key_arn
            resource.sqs_managed_sse_enabled = None

    def grant_key(self, role: iam.Role) -> None:
        """Let ``role``, which may send, use the key to do so, and for nothing else."""
        if self._key is not None:
            role.add_to_policy(
                iam.PolicyStatement(
                    actions=["kms:Decrypt", "kms:GenerateDataKey"],
                    resources=[self._key.key_arn],
                    conditions={
                        "StringEquals": {"kms:ViaService": f"sqs.{Stack.of(self).region}.amazonaws.com"}
                    },
                )
            )
