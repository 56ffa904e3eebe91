"""What another region holds before data is copied there: the key of the replicas and the bucket of the feed's copy."""

from __future__ import annotations

from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.replicas import feed_replica_name, replica_key_alias
from stacks.environments import EnvironmentSettings


class ReplicaStack(EnvironmentStack):
    """One per replica region, deployed before the tables and the feed bucket that copy into it.

    The tables' replicas themselves belong to the tables' own stacks. The search collection has no replica anywhere:
    the index is built anew from the copy of the feed (RES-7).
    """

    def __init__(self, scope: Construct, *, settings: EnvironmentSettings, region: str) -> None:
        super().__init__(
            scope,
            f"Replica-{region}",
            settings=settings,
            description=f"Key and feed bucket of the replicas in {region}",
            region=region,
        )
        self.key = kms.Key(
            self,
            "Key",
            alias=replica_key_alias(settings),
            description=f"Replicas of {settings.name} in {region}",
            enable_key_rotation=True,
            removal_policy=self.removal_policy,
        )
        self.feed = s3.Bucket(
            self,
            "Feed",
            bucket_name=feed_replica_name(self, settings, region),
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self.key,
            bucket_key_enabled=True,
            enforce_ssl=True,
            versioned=True,
            removal_policy=self.removal_policy,
            lifecycle_rules=[s3.LifecycleRule(noncurrent_version_expiration=Duration.days(90))],
        )
        CfnOutput(self, "FeedReplicaBucketName", value=self.feed.bucket_name)
