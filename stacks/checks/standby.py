"""The checks of a standby region, and its exceptions: those of the primary for what both have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from stacks.checks.acknowledge import acknowledge, functions_of
from stacks.checks.shared_acknowledgements import (
    acknowledge_alerts,
    acknowledge_chat,
    acknowledge_model_policy,
)
from stacks.checks.template_rules import TemplateRules
from stacks.ingest import FEED_PREFIX, QUARANTINE_PREFIX, IngestStack

if TYPE_CHECKING:
    from stacks.standby import Standby


def attach_standby_checks(app: App, stacks: Standby) -> None:
    """Make every synth of a standby fail on a finding that has no written reason."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), TemplateRules())
    for function in functions_of(app):
        acknowledge(
            function.role,
            "AwsSolutions-IAM5[Resource::*]",
            "X-Ray's two write actions take no resource; rule MangaAssist-NoWildcardResources holds '*' to these",
        )
        acknowledge(
            function.function,
            "AwsSolutions-L1",
            "as in the primary: Python 3.13 on purpose, what every measurement here was made with",
        )
    acknowledge_model_policy(stacks.policy)
    acknowledge_chat(stacks.chat)
    acknowledge_alerts(app)
    _ingest(stacks.ingest)


def _ingest(ingest: IngestStack) -> None:
    """The feed is the copy here, which has its name beforehand."""
    acknowledge(
        ingest.failures, "AwsSolutions-SQS3", "is itself where failed events end; an alarm watches its depth"
    )
    for prefix, reason in (
        (FEED_PREFIX, "reads any feed file: file names are chosen by whoever uploads"),
        (QUARANTINE_PREFIX, "writes refused lines beside each other, named after their feed file"),
    ):
        bucket = f"{ingest.settings.resource_prefix}-feed-{ingest.region}-<AWS::AccountId>"
        acknowledge(
            ingest.function.role, f"AwsSolutions-IAM5[Resource::arn:aws:s3:::{bucket}/{prefix}*]", reason
        )
