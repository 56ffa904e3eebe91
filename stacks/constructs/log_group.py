"""Log groups: named for people, kept for as long as the environment says."""

from __future__ import annotations

from typing import Final

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.constructs.operations_key import operations_key
from stacks.environments import EnvironmentSettings

_RETENTION: Final = {
    1: logs.RetentionDays.ONE_DAY,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    60: logs.RetentionDays.TWO_MONTHS,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
}


def retention(settings: EnvironmentSettings) -> logs.RetentionDays:
    """How long lines are kept."""
    return _RETENTION[settings.log_retention_days]


def log_group_name(settings: EnvironmentSettings, name: str) -> str:
    """``/mangaassist/<environment>/<name>``."""
    return f"/mangaassist/{settings.name}/{name}"


def log_group(
    scope: Construct, id: str, *, settings: EnvironmentSettings, name: str, key: kms.IKey | None = None
) -> logs.LogGroup:
    """The log group ``/mangaassist/<environment>/<name>``.

    Under ``key`` if given, which must admit CloudWatch Logs; otherwise under the environment's key for operations.
    """
    return logs.LogGroup(
        scope,
        id,
        log_group_name=log_group_name(settings, name),
        encryption_key=key or operations_key(scope, settings),
        retention=retention(settings),
        removal_policy=RemovalPolicy.RETAIN if settings.protection.retain else RemovalPolicy.DESTROY,
    )
