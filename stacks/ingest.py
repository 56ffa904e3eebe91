"""The catalogue: the feed bucket, the table of products, and the function that turns one into the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.constructs.alarm import Severity, alarm
from stacks.constructs.encrypted_bucket import EncryptedBucket
from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.failure_queue import FailureQueue
from stacks.constructs.feed_replication import FeedReplication
from stacks.constructs.python_function import PythonFunction
from stacks.constructs.replicas import (
    feed_replica_name,
    key_of_replicas,
    replica_keys,
    replicated_table,
)
from stacks.environments import EnvironmentSettings
from stacks.model_access import embedding_model_id, model_arns
from stacks.model_policy import ModelPolicyStack
from stacks.network import NetworkStack
from stacks.search import SearchStack
from stacks.sessions import KEY_ACTIONS

READ_KEY_ACTIONS: Final = ("kms:Decrypt", "kms:DescribeKey")
"""Of ``KEY_ACTIONS``, what a reader needs (DynamoDB guide, encryption at rest)."""
FEED_PREFIX: Final = "feed/"
QUARANTINE_PREFIX: Final = "quarantine/"
"""Where ingestion puts the lines of a feed that it refuses."""
SEARCH_ALIAS: Final = "catalogue-live"


class IngestStack(EnvironmentStack):
    """A file under ``feed/`` starts the ingest function; what it cannot digest ends in the failure queue.

    In the standby it reads the copy of the feed and writes the replica of the table, and nothing starts it by itself until
    the standby serves: both regions at once would write each other's items.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        settings: EnvironmentSettings,
        search: SearchStack,
        policy: ModelPolicyStack,
        network: NetworkStack | None,
    ) -> None:
        super().__init__(
            scope, "Ingest", settings=settings, description="Catalogue feed, table and index loader"
        )
        self.key: kms.IKey
        self.catalogue: dynamodb.ITableV2
        self.feed: s3.IBucket
        self.replication: FeedReplication | None = None
        if settings.standby_of:
            self.key = key_of_replicas(self, "Key", settings)
            self.catalogue = replicated_table(self, "Catalogue", parameter="CatalogueTable", key=self.key)
            self.feed = s3.Bucket.from_bucket_name(
                self, "Feed", feed_replica_name(self, settings, settings.region)
            )
        else:
            self.key = self.own_key(f"Catalogue of {settings.name}")
            self.catalogue = self._own_catalogue()
            self.feed = self._own_feed()
        self.failures = FailureQueue(self, "Failures", settings=settings)
        self.function = PythonFunction(
            self,
            "Ingest",
            settings=settings,
            folder="ingest",
            description="Loads a catalogue feed into the table and the search index",
            timeout_seconds=900,
            memory_mb=1_769,
            network=network.placement() if network else None,
            failures=self.failures,
            variables={
                "CATALOGUE_TABLE": self.catalogue.table_name,
                "SEARCH_ENDPOINT": search.endpoint,
                "SEARCH_ALIAS": SEARCH_ALIAS,
                **policy.variables,
            },
        )
        self.grant_catalogue(
            self.function,
            "dynamodb:BatchGetItem",
            "dynamodb:BatchWriteItem",
            # A series and its entry in the change log are one transaction, which needs each of its parts.
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
        )
        self.function.allow("s3:GetObject", on=[self.feed.arn_for_objects(f"{FEED_PREFIX}*")])
        self.function.allow("s3:PutObject", on=[self.feed.arn_for_objects(f"{QUARANTINE_PREFIX}*")])
        self.function.allow(
            "kms:Decrypt",
            "kms:GenerateDataKey",
            on=[self.key.key_arn],
            conditions={"StringEquals": {"kms:ViaService": f"s3.{self.region}.amazonaws.com"}},
        )
        self.function.allow("bedrock:InvokeModel", on=model_arns(self, embedding_model_id()))
        search.grant_index(self.function)
        policy.grant_read(self.function)
        self._start_on_upload()
        if settings.replica_regions:
            self.replication = FeedReplication(
                self, "Replication", settings=settings, feed=self.feed, key=self.key, prefix=FEED_PREFIX
            )
        alarm(
            self,
            "FailuresAlarm",
            settings=settings,
            what="A catalogue feed could not be ingested; its event is in the failure queue",
            runbook="ingest-failed",
            severity=Severity.TICKET,
            metric=self.failures.metric_approximate_number_of_messages_visible(
                period=Duration.minutes(1), statistic="Maximum"
            ),
            threshold=0,
        )
        CfnOutput(self, "CatalogueTableName", value=self.catalogue.table_name)
        CfnOutput(self, "FeedBucketName", value=self.feed.bucket_name)
        CfnOutput(self, "IngestFunctionName", value=self.function.function.function_name)

    def _own_catalogue(self) -> dynamodb.TableV2:
        settings = self.settings
        return dynamodb.TableV2(
            self,
            "Catalogue",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            encryption=dynamodb.TableEncryptionV2.customer_managed_key(
                self.key, replica_keys(self, settings)
            ),
            replicas=[dynamodb.ReplicaTableProps(region=region) for region in settings.replica_regions],
            # Of entries of the change log; products and series have no such attribute.
            time_to_live_attribute="expires_at",
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=settings.protection.point_in_time_recovery
            ),
            deletion_protection=settings.protection.deletion_protection,
            removal_policy=self.removal_policy,
        )

    def _own_feed(self) -> s3.Bucket:
        return EncryptedBucket(
            self,
            "Feed",
            key=self.key,
            removal_policy=self.removal_policy,
            lifecycle_rules=[
                s3.LifecycleRule(
                    noncurrent_version_expiration=Duration.days(90),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                ),
                s3.LifecycleRule(prefix=QUARANTINE_PREFIX, expiration=Duration.days(90)),
            ],
            reports_changes=True,
        )

    def grant_catalogue(self, function: PythonFunction, *actions: str) -> None:
        """Let ``function`` perform ``actions`` on the table, and use its key through DynamoDB only."""
        self._grant(function.role, actions, KEY_ACTIONS)

    def grant_catalogue_read(self, role: iam.Role, *actions: str) -> None:
        """Let ``role`` perform ``actions`` on the table, and use its key to read, through DynamoDB only."""
        self._grant(role, actions, READ_KEY_ACTIONS)

    def _grant(self, role: iam.Role, actions: Sequence[str], key_actions: Sequence[str]) -> None:
        role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=[self.catalogue.table_arn]))
        role.add_to_policy(
            iam.PolicyStatement(
                actions=list(key_actions),
                resources=[self.key.key_arn],
                conditions={"StringEquals": {"kms:ViaService": f"dynamodb.{self.region}.amazonaws.com"}},
            )
        )

    def _start_on_upload(self) -> None:
        events.Rule(
            self,
            "FeedUploaded",
            description="A catalogue feed was uploaded",
            enabled=self.settings.standby_of is None,
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={
                    "bucket": {"name": [self.feed.bucket_name]},
                    "object": {"key": [{"prefix": FEED_PREFIX}]},
                },
            ),
            targets=[
                targets.LambdaFunction(
                    self.function.alias,
                    dead_letter_queue=self.failures,
                    retry_attempts=8,
                    max_event_age=Duration.hours(1),
                )
            ],
        )
