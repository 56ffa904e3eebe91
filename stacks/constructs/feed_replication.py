"""Copies the catalogue feed to the other regions, so that one of them can build the index without the first (RES-7)."""

from __future__ import annotations

from typing import cast

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.constructs.alarm import Severity, alarm
from stacks.constructs.replicas import feed_replica_name, replica_key_alias, replica_key_arn
from stacks.environments import EnvironmentSettings


class FeedReplication(Construct):
    """The replication rules of the feed bucket, the role S3 copies with, and an alarm per region.

    Deletions are not copied: a feed that was removed by mistake is still over there.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: EnvironmentSettings,
        feed: s3.Bucket,
        key: kms.Key,
        prefix: str,
    ) -> None:
        """
        Args:
            scope: the stack of the bucket.
            id: construct id.
            settings: the environment, which names the regions.
            feed: what is copied.
            key: what it is encrypted with here.
            prefix: which of its objects are copied.
        """
        super().__init__(scope, id)
        stack = Stack.of(self)
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("s3.amazonaws.com"))
        self._allow("s3:GetReplicationConfiguration", "s3:ListBucket", on=[feed.bucket_arn])
        self._allow(
            "s3:GetObjectVersionAcl",
            "s3:GetObjectVersionForReplication",
            "s3:GetObjectVersionTagging",
            on=[feed.arn_for_objects(f"{prefix}*")],
        )
        self._allow(
            "kms:Decrypt",
            on=[key.key_arn],
            conditions={"StringEquals": {"kms:ViaService": f"s3.{stack.region}.amazonaws.com"}},
        )
        rules = [self._rule(stack, settings, region, prefix) for region in settings.replica_regions]
        # On the resource itself: the bucket construct would grant on the alias, which IAM does not take for a key.
        cast(
            "s3.CfnBucket", feed.node.default_child
        ).replication_configuration = s3.CfnBucket.ReplicationConfigurationProperty(
            role=self.role.role_arn, rules=rules
        )
        for region in settings.replica_regions:
            self._watch(settings, feed, region, feed_replica_name(stack, settings, region))

    def _rule(
        self, stack: Stack, settings: EnvironmentSettings, region: str, prefix: str
    ) -> s3.CfnBucket.ReplicationRuleProperty:
        target = f"arn:aws:s3:::{feed_replica_name(stack, settings, region)}"
        self._allow("s3:ReplicateObject", "s3:ReplicateTags", on=[f"{target}/{prefix}*"])
        # The key's id is made in the other region; its alias, which only the owner of both may set, names it.
        self._allow(
            "kms:Encrypt",
            on=[stack.format_arn(service="kms", region=region, resource="key", resource_name="*")],
            conditions={
                "StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"},
                "ForAnyValue:StringEquals": {"kms:ResourceAliases": replica_key_alias(settings)},
            },
        )
        on = {"status": "Enabled"}
        quarter_hour = s3.CfnBucket.ReplicationTimeValueProperty(minutes=15)
        return s3.CfnBucket.ReplicationRuleProperty(
            id=region,
            priority=settings.replica_regions.index(region),
            status="Enabled",
            filter=s3.CfnBucket.ReplicationRuleFilterProperty(prefix=prefix),
            delete_marker_replication=s3.CfnBucket.DeleteMarkerReplicationProperty(status="Disabled"),
            source_selection_criteria=s3.CfnBucket.SourceSelectionCriteriaProperty(
                sse_kms_encrypted_objects=s3.CfnBucket.SseKmsEncryptedObjectsProperty(**on)
            ),
            destination=s3.CfnBucket.ReplicationDestinationProperty(
                bucket=target,
                encryption_configuration=s3.CfnBucket.EncryptionConfigurationProperty(
                    replica_kms_key_id=replica_key_arn(stack, settings, region)
                ),
                metrics=s3.CfnBucket.MetricsProperty(event_threshold=quarter_hour, **on),
                replication_time=s3.CfnBucket.ReplicationTimeProperty(time=quarter_hour, **on),
            ),
        )

    def _watch(self, settings: EnvironmentSettings, feed: s3.Bucket, region: str, target: str) -> None:
        alarm(
            self,
            f"Failed-{region}",
            settings=settings,
            what=f"a catalogue feed was not copied to {region}",
            runbook="feed-not-replicated",
            severity=Severity.TICKET,
            metric=cloudwatch.Metric(
                namespace="AWS/S3",
                metric_name="OperationsFailedReplication",
                dimensions_map={
                    "SourceBucket": feed.bucket_name,
                    "DestinationBucket": target,
                    "RuleId": region,
                },
                statistic="Sum",
                period=Duration.minutes(5),
            ),
            threshold=0,
        )

    def _allow(self, *actions: str, on: list[str], conditions: dict[str, object] | None = None) -> None:
        self.role.add_to_policy(
            iam.PolicyStatement(actions=list(actions), resources=on, conditions=conditions or {})
        )
