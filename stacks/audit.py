"""Who did what in this account: CloudTrail, Config and alarms on whoever would blind them (SEC-7).

For an account that one environment has for itself; where several share one, the organization's own trail does this.
"""

from __future__ import annotations

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudtrail as cloudtrail
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_config as config
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.audited_deeds import Deed, deeds
from stacks.constructs.alarm import Severity, alarm
from stacks.constructs.encrypted_bucket import EncryptedBucket
from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.failure_queue import FailureQueue
from stacks.constructs.log_group import log_group
from stacks.constructs.log_key import admit_logs
from stacks.environments import Audit, EnvironmentSettings
from stacks.log_archive import DAYS_A_YEAR

NAMESPACE: Final = "MangaAssist/Audit"
TRAIL_PREFIX: Final = "trail"
CONFIG_PREFIX: Final = "config"
LOG_NAME: Final = "audit-trail"
NONCURRENT_DAYS: Final = 90
"""How long a version of a Config record stays after somebody overwrote or deleted it."""

RULES: Final = (
    ("TrailOn", "MULTI_REGION_CLOUD_TRAIL_ENABLED"),
    ("TrailValidated", "CLOUD_TRAIL_LOG_FILE_VALIDATION_ENABLED"),
    ("NoPublicReads", "S3_BUCKET_PUBLIC_READ_PROHIBITED"),
    ("NoPublicWrites", "S3_BUCKET_PUBLIC_WRITE_PROHIBITED"),
    ("BucketsTlsOnly", "S3_BUCKET_SSL_REQUESTS_ONLY"),
    ("TablesRecoverable", "DYNAMODB_PITR_ENABLED"),
    ("TablesUnderKeys", "DYNAMODB_TABLE_ENCRYPTED_KMS"),
    ("KeysRotate", "CMK_BACKING_KEY_ROTATION_ENABLED"),
    ("KeysStay", "KMS_CMK_NOT_SCHEDULED_FOR_DELETION"),
    ("FunctionsNotPublic", "LAMBDA_FUNCTION_PUBLIC_ACCESS_PROHIBITED"),
    ("NetworkFlowsLogged", "VPC_FLOW_LOGS_ENABLED"),
    ("RootHasNoKey", "IAM_ROOT_ACCESS_KEY_CHECK"),
    ("RootHasMfa", "ROOT_ACCOUNT_MFA_ENABLED"),
    ("NoAdminPolicies", "IAM_POLICY_NO_STATEMENTS_WITH_ADMIN_ACCESS"),
)
"""Managed rules that hold the account to what the templates promise.

Without VPC_DEFAULT_SECURITY_GROUP_CLOSED: no template can empty the group that AWS makes with a VPC (CDK's function for it
may revoke rules of any group), nor those of the account's default VPCs, so it would report for ever what nobody mends, and
findings that are always there hide the next one. What counts is that nothing is in these groups: rule
MangaAssist-NoDefaultSecurityGroup holds every template to that.
"""


class AuditStack(EnvironmentStack):
    """The trail, the recorder, a bucket for each, and the alarms."""

    def __init__(
        self, scope: Construct, *, settings: EnvironmentSettings, audit: Audit, sessions_table_arn: str
    ) -> None:
        super().__init__(
            scope, "Audit", settings=settings, description="CloudTrail, Config, alarms on tampering"
        )
        self._trail_name = f"{settings.resource_prefix}-trail"
        self._trail_arn = self.format_arn(
            service="cloudtrail", resource="trail", resource_name=self._trail_name
        )
        self.key = self._key()
        self.bucket = self._trail_bucket(audit)
        self.config_bucket = self._config_bucket(audit)
        self._admit_services()
        self.group = log_group(self, "TrailLogs", settings=settings, name=LOG_NAME, key=self.key)
        self.trail = self._trail(sessions_table_arn)
        self.config_role = self._config_role()
        self._config()
        for deed in deeds(settings):
            self._watch(deed)

    # --- storage ------------------------------------------------------------------------------------

    def _key(self) -> kms.Key:
        key = self.own_key(f"Audit records of {self.settings.name}")
        key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudtrail.amazonaws.com")],
                actions=["kms:GenerateDataKey"],
                resources=["*"],
                conditions={
                    "StringEquals": {
                        "aws:SourceArn": self._trail_arn,
                        "kms:EncryptionContext:aws:cloudtrail:arn": self._trail_arn,
                    }
                },
            )
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudtrail.amazonaws.com")],
                actions=["kms:DescribeKey"],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceArn": self._trail_arn}},
            )
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("config.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        # A rule puts findings of Config into their queue.
        key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        admit_logs(key, settings=self.settings, name=LOG_NAME)
        return key

    def _trail_bucket(self, audit: Audit) -> s3.Bucket:
        days = audit.archive_years * DAYS_A_YEAR
        return EncryptedBucket(
            self,
            "Records",
            key=self.key,
            removal_policy=self.removal_policy,
            locked_for=Duration.days(days),
            lifecycle_rules=[_freeze_and_forget(days, noncurrent_days=1)],
        )

    def _config_bucket(self, audit: Audit) -> s3.Bucket:
        """Apart from the trail's: Config delivers to no bucket with a default retention.

        Versions take the lock's place: what somebody overwrites or deletes can be brought back for 90 days, and the
        trail says who it was.
        """
        return EncryptedBucket(
            self,
            "ConfigRecords",
            key=self.key,
            removal_policy=self.removal_policy,
            lifecycle_rules=[
                _freeze_and_forget(audit.archive_years * DAYS_A_YEAR, noncurrent_days=NONCURRENT_DAYS)
            ],
        )

    def _admit_services(self) -> None:
        for service, bucket, condition, prefix in (
            ("cloudtrail.amazonaws.com", self.bucket, {"aws:SourceArn": self._trail_arn}, TRAIL_PREFIX),
            ("config.amazonaws.com", self.config_bucket, {"aws:SourceAccount": self.account}, CONFIG_PREFIX),
        ):
            principal = iam.ServicePrincipal(service)
            bucket.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[principal],
                    actions=["s3:GetBucketAcl", "s3:ListBucket"],
                    resources=[bucket.bucket_arn],
                    conditions={"StringEquals": condition},
                )
            )
            bucket.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[principal],
                    actions=["s3:PutObject"],
                    resources=[bucket.arn_for_objects(f"{prefix}/AWSLogs/{self.account}/*")],
                    conditions={"StringEquals": {**condition, "s3:x-amz-acl": "bucket-owner-full-control"}},
                )
            )

    # --- trail --------------------------------------------------------------------------------------

    def _trail(self, sessions_table_arn: str) -> cloudtrail.CfnTrail:
        """Every management event of every region, which reads of secrets are; data events where people may look."""
        self.trail_role = iam.Role(
            self, "TrailLogRole", assumed_by=iam.ServicePrincipal("cloudtrail.amazonaws.com")
        )
        self.group.grant_write(self.trail_role)
        starts = [bucket.arn_for_objects("") for bucket in (self.bucket, self.config_bucket)]
        buckets = f"arn:{self.partition}:s3:::{self.settings.resource_prefix}"
        selector = cloudtrail.CfnTrail.AdvancedEventSelectorProperty
        field = cloudtrail.CfnTrail.AdvancedFieldSelectorProperty
        trail = cloudtrail.CfnTrail(
            self,
            "Trail",
            trail_name=self._trail_name,
            is_logging=True,
            is_multi_region_trail=True,
            include_global_service_events=True,
            enable_log_file_validation=True,
            s3_bucket_name=self.bucket.bucket_name,
            s3_key_prefix=TRAIL_PREFIX,
            kms_key_id=self.key.key_arn,
            cloud_watch_logs_log_group_arn=self.group.log_group_arn,
            cloud_watch_logs_role_arn=self.trail_role.role_arn,
            insight_selectors=[
                cloudtrail.CfnTrail.InsightSelectorProperty(insight_type=kind)
                for kind in ("ApiCallRateInsight", "ApiErrorRateInsight")
            ],
            advanced_event_selectors=[
                selector(
                    name="Everything that changes or reads configuration",
                    field_selectors=[field(field="eventCategory", equal_to=["Management"])],
                ),
                selector(
                    name="Conversations read or written by anybody but our functions",
                    field_selectors=[
                        field(field="eventCategory", equal_to=["Data"]),
                        field(field="resources.type", equal_to=["AWS::DynamoDB::Table"]),
                        field(field="resources.ARN", equal_to=[sessions_table_arn]),
                        # The functions' own calls are millions and say nothing that their logs do not.
                        field(field="userIdentity.arn", not_starts_with=[self._our_roles()]),
                    ],
                ),
                selector(
                    name="Objects of our buckets touched by anybody but our functions",
                    field_selectors=[
                        field(field="eventCategory", equal_to=["Data"]),
                        field(field="resources.type", equal_to=["AWS::S3::Object"]),
                        # Buckets are named after their stacks, in small letters, the replica's as well. Shoppers read
                        # the page through CloudFront many times a second; the records themselves come next.
                        field(
                            field="resources.ARN",
                            starts_with=[f"{buckets}-"],
                            not_starts_with=[f"{buckets}-web-", f"{buckets}-audit-"],
                        ),
                        field(field="userIdentity.arn", not_starts_with=[self._our_roles()]),
                    ],
                ),
                selector(
                    name="Audit records touched",
                    field_selectors=[
                        field(field="eventCategory", equal_to=["Data"]),
                        field(field="resources.type", equal_to=["AWS::S3::Object"]),
                        field(field="resources.ARN", starts_with=starts),
                        # Or each record that the trail writes would be an event to record.
                        field(
                            field="eventName", equal_to=["GetObject", "DeleteObject", "PutObjectRetention"]
                        ),
                    ],
                ),
            ],
        )
        trail.node.add_dependency(self.trail_role)
        if self.bucket.policy is not None:
            trail.node.add_dependency(self.bucket.policy)
        return trail

    def _our_roles(self) -> str:
        return self.format_arn(
            service="sts",
            region="",
            resource="assumed-role",
            resource_name=f"MangaAssist-{self.settings.name}-",
        )

    # --- config -------------------------------------------------------------------------------------

    def _config_role(self) -> iam.Role:
        return iam.Role(
            self,
            "ConfigRole",
            assumed_by=iam.ServicePrincipal(
                "config.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": self.account}}
            ),
            managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name("service-role/AWS_ConfigRole")],
        )

    def _config(self) -> None:
        recorder = config.CfnConfigurationRecorder(
            self,
            "Recorder",
            name=self.settings.resource_prefix,
            role_arn=self.config_role.role_arn,
            recording_group=config.CfnConfigurationRecorder.RecordingGroupProperty(
                all_supported=True, include_global_resource_types=True
            ),
        )
        channel = config.CfnDeliveryChannel(
            self,
            "Channel",
            name=self.settings.resource_prefix,
            s3_bucket_name=self.config_bucket.bucket_name,
            s3_key_prefix=CONFIG_PREFIX,
            s3_kms_key_arn=self.key.key_arn,
        )
        if self.config_bucket.policy is not None:
            channel.node.add_dependency(self.config_bucket.policy)
        for id, identifier in RULES:
            rule = config.ManagedRule(
                self,
                id,
                identifier=identifier,
                config_rule_name=f"{self.settings.resource_prefix}-{identifier.lower().replace('_', '-')}",
            )
            rule.node.add_dependency(recorder, channel)
        self.findings = FailureQueue(self, "Findings", settings=self.settings, key=self.key)
        events.Rule(
            self,
            "NonCompliant",
            description="A resource broke a rule of Config",
            event_pattern=events.EventPattern(
                source=["aws.config"],
                detail_type=["Config Rules Compliance Change"],
                detail={"newEvaluationResult": {"complianceType": ["NON_COMPLIANT"]}},
            ),
            targets=[targets.SqsQueue(self.findings)],
        )
        alarm(
            self,
            "NonCompliantAlarm",
            settings=self.settings,
            what="A resource breaks a rule of the account; which one is in the findings queue",
            runbook="config-noncompliant",
            severity=Severity.TICKET,
            metric=self.findings.metric_approximate_number_of_messages_visible(
                period=Duration.minutes(5), statistic="Maximum"
            ),
            threshold=0,
        )

    # --- alarms -------------------------------------------------------------------------------------

    def _watch(self, deed: Deed) -> None:
        found = logs.MetricFilter(
            self,
            f"{deed.id}Filter",
            log_group=self.group,
            filter_pattern=logs.FilterPattern.literal(deed.pattern),
            metric_namespace=NAMESPACE,
            metric_name=f"{self.settings.name}-{deed.id}",
            metric_value="1",
            default_value=0,
        )
        alarm(
            self,
            f"{deed.id}Alarm",
            settings=self.settings,
            what=deed.what,
            runbook=deed.runbook,
            severity=deed.severity,
            metric=found.metric(statistic="Sum", period=Duration.minutes(5)),
            threshold=deed.threshold,
            comparison=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        )


def _freeze_and_forget(days: int, *, noncurrent_days: int) -> s3.LifecycleRule:
    return s3.LifecycleRule(
        id="freeze-and-forget",
        transitions=[
            s3.Transition(storage_class=s3.StorageClass.GLACIER, transition_after=Duration.days(90))
        ],
        expiration=Duration.days(days),
        noncurrent_version_expiration=Duration.days(noncurrent_days),
        abort_incomplete_multipart_upload_after=Duration.days(1),
    )
