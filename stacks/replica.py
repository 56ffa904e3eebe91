"""What another region holds before data is copied there: the key of the replicas and the bucket of the feed's copy."""

from __future__ import annotations

from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.constructs.encrypted_bucket import EncryptedBucket
from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.failover import standby_region, switch_alarm
from stacks.constructs.replicas import feed_replica_name, replica_key_alias, replica_key_export
from stacks.environments import EnvironmentSettings


class ReplicaStack(EnvironmentStack):
    """One per replica region, deployed before the tables and the feed bucket that copy into it.

    The replicas of tables and secrets themselves belong to the stacks of the originals. The search collection has no replica anywhere:
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
        self.key = self.own_key(f"Replicas of {settings.name} in {region}", alias=replica_key_alias(settings))
        self._admit_secrets(settings)
        self.feed = EncryptedBucket(
            self,
            "Feed",
            name=feed_replica_name(self, settings, region),
            key=self.key,
            removal_policy=self.removal_policy,
            lifecycle_rules=[s3.LifecycleRule(noncurrent_version_expiration=Duration.days(90))],
            # To the ingestion of the standby, whose rule is off until it serves.
            reports_changes=True,
        )
        if settings.fails_over and standby_region(settings) == region:
            switch_alarm(self, settings=settings)
        CfnOutput(self, "FeedReplicaBucketName", value=self.feed.bucket_name)
        CfnOutput(
            self, "DataKeyArn", value=self.key.key_arn, export_name=replica_key_export(settings, region)
        )

    def _admit_secrets(self, settings: EnvironmentSettings) -> None:
        """Let Secrets Manager encrypt the replicas of secrets for whoever changes the originals.

        As the key policy of its own key says it: the rotation functions of the primary need no statement about a key
        whose id is made here.
        """
        self.key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.AnyPrincipal()],
                actions=[
                    "kms:CreateGrant",
                    "kms:Decrypt",
                    "kms:DescribeKey",
                    "kms:Encrypt",
                    "kms:GenerateDataKey",
                ],
                resources=["*"],
                conditions={
                    "StringEquals": {
                        "kms:CallerAccount": self.account,
                        "kms:ViaService": [
                            f"secretsmanager.{each}.amazonaws.com" for each in (settings.region, self.region)
                        ],
                    }
                },
            )
        )
