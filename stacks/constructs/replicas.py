"""What lives in another region is named beforehand, so that no stack has to import from another region.

A reference across regions would need CDK's own custom resources on both sides; names and aliases need nothing, and a
template renders without an account.
"""

from __future__ import annotations

from typing import Final

from aws_cdk import ArnFormat, Stack

from stacks.environments import EnvironmentSettings

REPLICA_KEY: Final = "data-replica"


def replica_key_alias(settings: EnvironmentSettings) -> str:
    """Alias of the key that encrypts replicas, the same in every replica region."""
    return f"alias/{settings.resource_prefix}-{REPLICA_KEY}"


def replica_key_arn(stack: Stack, settings: EnvironmentSettings, region: str) -> str:
    """ARN of that alias in ``region``, which DynamoDB and S3 take for the key itself."""
    return stack.format_arn(
        service="kms",
        region=region,
        resource=replica_key_alias(settings),
        arn_format=ArnFormat.NO_RESOURCE_NAME,
    )


def replica_keys(stack: Stack, settings: EnvironmentSettings) -> dict[str, str]:
    """By replica region, the key of the tables' replicas there."""
    return {region: replica_key_arn(stack, settings, region) for region in settings.replica_regions}


def feed_replica_name(stack: Stack, settings: EnvironmentSettings, region: str) -> str:
    """Name of the bucket that holds the copy of the feed in ``region``."""
    return f"{settings.resource_prefix}-feed-{region}-{stack.account}"
