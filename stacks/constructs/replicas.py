"""What lives in another region is named beforehand, so that no stack has to import from another region.

The other way round, the standby (``stacks/standby.py``) takes the replicas that are in its own region: their key from the
exports of stack ``Replica-<region>``, which is there too, and the names that CloudFormation once made for the tables and
secrets from parameters. Nothing it needs for a deploy is asked of the primary's region.

A reference across regions would need CDK's own custom resources on both sides; names and aliases need nothing, and a
template renders without an account.
"""

from __future__ import annotations

from typing import Final

from aws_cdk import ArnFormat, CfnParameter, Fn, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

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


def replica_key_export(settings: EnvironmentSettings, region: str) -> str:
    """Export of stack ``Replica-<region>``: the ARN of the key behind the alias."""
    return f"MangaAssist-{settings.name}-Replica-{region}:DataKeyArn"


def key_of_replicas(scope: Construct, id: str, settings: EnvironmentSettings) -> kms.IKey:
    """In the standby, the key of everything that was replicated there."""
    return kms.Key.from_key_arn(scope, id, Fn.import_value(replica_key_export(settings, settings.region)))


def replicated_table(scope: Construct, id: str, *, parameter: str, key: kms.IKey) -> dynamodb.ITableV2:
    """In the standby, the replica of a table; ``parameter`` gets its name, which is the primary's."""
    name = CfnParameter(
        scope,
        parameter,
        description="Name of the global table, the same in every region",
        allowed_pattern=r"^[A-Za-z0-9_.-]{3,255}$",
    )
    return dynamodb.TableV2.from_table_attributes(
        scope, id, table_name=name.value_as_string, encryption_key=key
    )


def replicated_secret(
    scope: Construct, id: str, *, parameter: str, settings: EnvironmentSettings
) -> secretsmanager.ISecret:
    """In the standby, the replica of a secret; ``parameter`` gets its ARN, which is the primary's but for the region."""
    arn = CfnParameter(
        scope,
        parameter,
        description="ARN of the replica of the secret, in this region",
        allowed_pattern=rf"^arn:aws:secretsmanager:{settings.region}:[0-9]{{12}}:secret:.+-[A-Za-z0-9]{{6}}$",
    )
    return secretsmanager.Secret.from_secret_complete_arn(scope, id, arn.value_as_string)
