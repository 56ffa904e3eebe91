"""No statement reaches every resource, but for actions that know no resources."""

from __future__ import annotations

from collections.abc import Iterator

from stacks.checks.rule import Finding, Rule, Template, policy_statements
from stacks.constructs.python_function import NETWORK_INTERFACES
from stacks.constructs.vpc_actions import MODEL_INTERFACES

WITHOUT_RESOURCES = frozenset(
    {
        "application-autoscaling:DescribeScalableTargets",
        "bedrock:ListProvisionedModelThroughputs",
        "cloudwatch:GetMetricStatistics",
        "cloudwatch:PutMetricData",
        "ecr:GetAuthorizationToken",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
        *NETWORK_INTERFACES,
        *MODEL_INTERFACES,
    }
)
"""Actions that take no resource, and those that Lambda and SageMaker check against all of them before they put a
function or a model instance into a VPC; these the function itself is denied."""


def _check(template: Template) -> Iterator[Finding]:
    for logical_id, location, statement in policy_statements(template):
        if "*" in statement["Resource"] and not set(statement["Action"]) <= WITHOUT_RESOURCES:
            yield Finding(logical_id, f"{location}.Resource")


RULE = Rule(
    id="MangaAssist-NoWildcardResources",
    what="IAM statements name the resources they allow, except for actions that take none",
    why="'*' reaches every table, bucket and model of the account (SEC-4)",
    check=_check,
)
