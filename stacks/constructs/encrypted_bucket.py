"""Buckets for what is not public: under a key of ours, over TLS only, with versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct


class EncryptedBucket(s3.Bucket):
    """A bucket whose objects nobody reads without its key, and where what is overwritten can be brought back."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        key: kms.IKey,
        removal_policy: RemovalPolicy,
        lifecycle_rules: Sequence[s3.LifecycleRule],
        name: str | None = None,
        locked_for: Duration | None = None,
        reports_changes: bool = False,
    ) -> None:
        """
        Args:
            scope: the stack.
            id: construct id.
            key: one data key of it serves many objects, instead of a call to KMS for each.
            removal_policy: what happens to the objects when the stack goes.
            lifecycle_rules: when objects and versions end; every bucket has an end for its versions.
            name: where others must know it beforehand; otherwise CloudFormation makes one.
            locked_for: how long nobody deletes an object but with a permission of its own that no role here has.
            reports_changes: whether EventBridge hears of its objects.
        """
        super().__init__(
            scope,
            id,
            bucket_name=name,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=key,
            bucket_key_enabled=True,
            enforce_ssl=True,
            versioned=True,
            removal_policy=removal_policy,
            object_lock_enabled=True if locked_for else None,
            object_lock_default_retention=s3.ObjectLockRetention.governance(locked_for)
            if locked_for
            else None,
            lifecycle_rules=lifecycle_rules,
        )
        if reports_changes:
            self._report_changes()

    def _report_changes(self) -> None:
        # On the resource itself: the construct's own switch deploys a function with managed permissions to do it.
        resource = cast("s3.CfnBucket", self.node.default_child)
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(
                event_bridge_enabled=True
            )
        )
