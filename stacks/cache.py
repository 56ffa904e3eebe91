"""Valkey for what must be quick and shared, never for what must be right: with the cache gone the product still works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache
from constructs import Construct

from stacks.constructs.alarm import Severity, alarm
from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.python_function import PythonFunction
from stacks.environments import CacheLimits, EnvironmentSettings
from stacks.network import NetworkStack

ENGINE: Final = "valkey"
MAJOR_VERSION: Final = "8"
"""IAM users need 7.2; 9 adds public endpoints, which nothing here may have."""
CHAT_ACCESS: Final = (
    "on ~* resetchannels -@all +@read +@write +@connection +@scripting -@dangerous "
    "+cluster|slots +cluster|shards +cluster|nodes +info"
)
"""Read and write any key, run scripts, learn the cluster's shape; no administration, no listing of keys, no channels."""
GB: Final = 1_000_000_000


class CacheStack(EnvironmentStack):
    """One serverless cache, entered with IAM by named users only.

    The passwordless user ``default`` is in no group of ours, which shuts it out: a Valkey group takes users with
    passwords or IAM only.
    """

    def __init__(
        self, scope: Construct, *, settings: EnvironmentSettings, limits: CacheLimits, network: NetworkStack
    ) -> None:
        super().__init__(scope, "Cache", settings=settings, description="Valkey, reached from the VPC only")
        self.key = self.own_key(f"Cache of {settings.name}")
        chat_id = f"{settings.resource_prefix}-chat"
        # IAM wants id and name to be the same.
        self.chat_user = elasticache.CfnUser(
            self,
            "ChatUser",
            engine=ENGINE,
            user_id=chat_id,
            user_name=chat_id,
            access_string=CHAT_ACCESS,
            authentication_mode={"Type": "iam"},
        )
        group = elasticache.CfnUserGroup(
            self,
            "Users",
            engine=ENGINE,
            user_group_id=settings.resource_prefix,
            user_ids=[self.chat_user.ref],
        )
        subnets = network.vpc.select_subnets(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)
        self.cache = elasticache.CfnServerlessCache(
            self,
            "Cache",
            serverless_cache_name=settings.resource_prefix,
            description="Rate limits, breaker windows, hot sessions, answers to common questions",
            engine=ENGINE,
            major_engine_version=MAJOR_VERSION,
            cache_usage_limits=elasticache.CfnServerlessCache.CacheUsageLimitsProperty(
                data_storage=elasticache.CfnServerlessCache.DataStorageProperty(
                    maximum=limits.max_storage_gb, unit="GB"
                ),
                ecpu_per_second=elasticache.CfnServerlessCache.ECPUPerSecondProperty(
                    maximum=limits.max_ecpu_per_second
                ),
            ),
            kms_key_id=self.key.key_arn,
            # 04:00 in Tokyo, when the shop is quiet. A day's copy warms a cache that was lost; nothing needs an older one.
            daily_snapshot_time="19:00",
            snapshot_retention_limit=1,
            security_group_ids=[network.cache.security_group_id],
            subnet_ids=subnets.subnet_ids,
            user_group_id=group.ref,
        )
        self._watch(limits)
        CfnOutput(self, "CacheEndpoint", value=self.endpoint)

    @property
    def endpoint(self) -> str:
        """Host and port; TLS always."""
        return f"{self.cache.attr_endpoint_address}:{self.cache.attr_endpoint_port}"

    def variables(self, user: elasticache.CfnUser) -> Mapping[str, str]:
        """What a function has to know to enter as ``user``: the cache's name is part of what it signs."""
        return {
            "CACHE_ENDPOINT": self.endpoint,
            "CACHE_NAME": self.settings.resource_prefix,
            "CACHE_USER": user.user_id,
        }

    def grant(self, function: PythonFunction, user: elasticache.CfnUser) -> None:
        """Let ``function`` enter the cache as ``user``, whose access string says what it may do there."""
        function.allow("elasticache:Connect", on=[self.cache.attr_arn, user.attr_arn])

    def _watch(self, limits: CacheLimits) -> None:
        def metric(name: str, statistic: str) -> cloudwatch.Metric:
            return cloudwatch.Metric(
                namespace="AWS/ElastiCache",
                metric_name=name,
                dimensions_map={"clusterId": self.settings.resource_prefix},
                statistic=statistic,
                period=Duration.minutes(5),
            )

        alarm(
            self,
            "ThrottledAlarm",
            settings=self.settings,
            what="Valkey refuses commands: the limit on processing units is reached",
            runbook="cache-at-its-limit",
            severity=Severity.TICKET,
            metric=metric("ThrottledCmds", "Sum"),
            threshold=0,
            evaluation_periods=3,
            datapoints_to_alarm=2,
        )
        alarm(
            self,
            "StorageAlarm",
            settings=self.settings,
            what="Valkey holds over 80% of the data it may hold and will soon evict",
            runbook="cache-at-its-limit",
            severity=Severity.TICKET,
            metric=metric("BytesUsedForCache", "Maximum"),
            threshold=0.8 * limits.max_storage_gb * GB,
            evaluation_periods=3,
        )
