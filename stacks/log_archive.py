"""Logs for years: every log group flows through Firehose into a bucket that freezes and, in the end, forgets them.

A subscription, not export tasks: CloudWatch Logs advises against exports for continuous archiving, runs one of them at a
time per account, and loses what a missed one did not copy before the group's retention. Lines arrive here within
minutes, already free of personal data (SEC-2), so the archive holds nothing to erase.
"""

from __future__ import annotations

from typing import Final, cast

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.constructs.alarm import Severity, alarm
from stacks.constructs.encrypted_bucket import EncryptedBucket
from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.log_group import log_group
from stacks.environments import EnvironmentSettings, LogArchive

PREFIX: Final = "logs/"
ERROR_PREFIX: Final = "errors/"
DAYS_A_YEAR: Final = 366
"""Rather a day too long than a day too short."""
OWN: Final = "log-archive"
ERROR_LINES: Final = "delivery"


class LogArchiveStack(EnvironmentStack):
    """The bucket, the stream into it, and a subscription for each log group that stands when this is made."""

    def __init__(self, scope: Construct, *, settings: EnvironmentSettings, archive: LogArchive) -> None:
        super().__init__(
            scope, "LogArchive", settings=settings, description="Keeps the logs of all functions for years"
        )
        groups = [node for node in scope.node.find_all() if isinstance(node, logs.LogGroup)]
        self.key = self.own_key(f"Archived logs of {settings.name}")
        self.bucket = EncryptedBucket(
            self,
            "Bucket",
            key=self.key,
            removal_policy=self.removal_policy,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="freeze-and-forget",
                    transitions=[
                        # Hot lines are still in CloudWatch; whoever reads here has hours to spare.
                        s3.Transition(
                            storage_class=s3.StorageClass.DEEP_ARCHIVE,
                            transition_after=Duration.days(1),
                        )
                    ],
                    expiration=Duration.days(archive.years * DAYS_A_YEAR),
                    noncurrent_version_expiration=Duration.days(90),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                )
            ],
        )
        self.stream = self._stream()
        self.role = self._sender()
        for group in groups:
            self._subscribe(group)
        alarm(
            self,
            "FreshnessAlarm",
            settings=settings,
            what="Logs reach their archive over an hour late",
            runbook="log-archive-late",
            severity=Severity.TICKET,
            metric=cloudwatch.Metric(
                namespace="AWS/Firehose",
                metric_name="DeliveryToS3.DataFreshness",
                dimensions_map={"DeliveryStreamName": self.stream.ref},
                statistic="Maximum",
                period=Duration.minutes(15),
            ),
            threshold=3_600,
            comparison=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=2,
        )

    def _stream(self) -> firehose.CfnDeliveryStream:
        errors = log_group(self, "DeliveryErrors", settings=self.settings, name=OWN)
        error_lines = logs.LogStream(
            self, "DeliveryErrorLines", log_group=errors, log_stream_name=ERROR_LINES
        )
        role = self._deliverer(errors)
        stream = firehose.CfnDeliveryStream(
            self,
            "Stream",
            delivery_stream_name=f"{self.settings.resource_prefix}-logs",
            delivery_stream_type="DirectPut",
            delivery_stream_encryption_configuration_input=firehose.CfnDeliveryStream.DeliveryStreamEncryptionConfigurationInputProperty(
                key_type="CUSTOMER_MANAGED_CMK", key_arn=self.key.key_arn
            ),
            extended_s3_destination_configuration=firehose.CfnDeliveryStream.ExtendedS3DestinationConfigurationProperty(
                bucket_arn=self.bucket.bucket_arn,
                role_arn=role.role_arn,
                encryption_configuration=firehose.CfnDeliveryStream.EncryptionConfigurationProperty(
                    kms_encryption_config=firehose.CfnDeliveryStream.KMSEncryptionConfigProperty(
                        awskms_key_arn=self.key.key_arn
                    )
                ),
                # What a subscription sends is gzip already, and gzip files may simply follow each other.
                compression_format="UNCOMPRESSED",
                file_extension=".json.gz",
                prefix=f"{PREFIX}!{{timestamp:yyyy/MM/dd}}/",
                error_output_prefix=f"{ERROR_PREFIX}!{{firehose:error-output-type}}/!{{timestamp:yyyy/MM/dd}}/",
                # Few large objects: each costs a request to freeze, and 40 kB of overhead while it is frozen.
                buffering_hints=firehose.CfnDeliveryStream.BufferingHintsProperty(
                    interval_in_seconds=900, size_in_m_bs=64
                ),
                cloud_watch_logging_options=firehose.CfnDeliveryStream.CloudWatchLoggingOptionsProperty(
                    enabled=True,
                    log_group_name=errors.log_group_name,
                    log_stream_name=error_lines.log_stream_name,
                ),
            ),
        )
        # Firehose tries the bucket while the stream is made.
        stream.node.add_dependency(role)
        return stream

    def _deliverer(self, errors: logs.LogGroup) -> iam.Role:
        self.delivery_role = role = iam.Role(
            self,
            "DeliveryRole",
            assumed_by=iam.ServicePrincipal(
                "firehose.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": self.account}}
            ),
        )
        for actions, resource in (
            (
                ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"),
                self.bucket.bucket_arn,
            ),
            (
                ("s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"),
                self.bucket.arn_for_objects("*"),
            ),
            (("kms:Decrypt", "kms:GenerateDataKey"), self.key.key_arn),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=[resource]))
        errors.grant_write(role)
        return role

    def _sender(self) -> iam.Role:
        role = iam.Role(
            self,
            "SubscriptionRole",
            assumed_by=iam.ServicePrincipal(
                "logs.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            ),
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["firehose:PutRecord", "firehose:PutRecordBatch"],
                resources=[self.stream.attr_arn],
            )
        )
        return role

    def _subscribe(self, group: logs.LogGroup) -> None:
        resource = cast("logs.CfnLogGroup", group.node.default_child)
        # By name, which is known beforehand: a reference would make the group's stack export it.
        name = cast(str, resource.log_group_name)
        subscription = logs.CfnSubscriptionFilter(
            self,
            f"From{''.join(part.capitalize() for part in name.replace('-', '/').replace('_', '/').split('/'))}",
            log_group_name=name,
            filter_name="archive",
            filter_pattern="",
            destination_arn=self.stream.attr_arn,
            role_arn=self.role.role_arn,
        )
        subscription.node.add_dependency(self.role)
        self.add_stack_dependency(Stack.of(group), "its log groups flow here")
