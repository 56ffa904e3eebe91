"""What exists on the emulator, whoever made it: to see what a deletion left, and what it should have left.

Each kind of resource is listed by its own service, not by CloudFormation, which forgets what it retains.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from tools.twin.deployment import emulator_client, regions
from tools.twin.layout import Layout

RETAINING: Final = ("Retain", "RetainExceptOnCreate")


class Key(NamedTuple):
    """What tells one existing resource from another."""

    type: str
    region: str
    physical_id: str


@dataclass(frozen=True)
class Deployed:
    """A resource of a stack."""

    type: str
    region: str
    physical_id: str
    is_retained: bool

    @property
    def key(self) -> Key:
        """As ``existing`` names it."""
        return Key(self.type, self.region, self.physical_id)

    @property
    def is_listed(self) -> bool:
        """Whether its kind is one that ``existing`` looks for."""
        return self.type in LISTINGS


def _paged(operation: str, member: str, field: str | None) -> Callable[[Any], Iterable[str]]:
    def names(client: Any) -> Iterable[str]:
        pages = (
            client.get_paginator(operation).paginate()
            if client.can_paginate(operation)
            else [getattr(client, operation)()]
        )
        for page in pages:
            for item in page.get(member, []):
                yield item if field is None else item[field]

    return names


LISTINGS: Final[Mapping[str, tuple[str, Callable[[Any], Iterable[str]]]]] = {
    "AWS::ApiGatewayV2::Api": ("apigatewayv2", _paged("get_apis", "Items", "ApiId")),
    "AWS::AppConfig::Application": ("appconfig", _paged("list_applications", "Items", "Id")),
    "AWS::CloudWatch::Alarm": ("cloudwatch", _paged("describe_alarms", "MetricAlarms", "AlarmName")),
    "AWS::CloudWatch::Dashboard": (
        "cloudwatch",
        _paged("list_dashboards", "DashboardEntries", "DashboardName"),
    ),
    "AWS::Cognito::UserPool": (
        "cognito-idp",
        lambda client: [pool["Id"] for pool in client.list_user_pools(MaxResults=60)["UserPools"]],
    ),
    "AWS::DynamoDB::GlobalTable": ("dynamodb", _paged("list_tables", "TableNames", None)),
    "AWS::EC2::VPC": ("ec2", _paged("describe_vpcs", "Vpcs", "VpcId")),
    "AWS::Events::Rule": ("events", _paged("list_rules", "Rules", "Name")),
    "AWS::IAM::Role": ("iam", _paged("list_roles", "Roles", "RoleName")),
    "AWS::KMS::Key": (
        "kms",
        lambda client: [key["KeyId"] for key in client.list_keys()["Keys"] if _lives(client, key)],
    ),
    "AWS::Kinesis::Stream": ("kinesis", _paged("list_streams", "StreamNames", None)),
    "AWS::KinesisFirehose::DeliveryStream": (
        "firehose",
        lambda client: client.list_delivery_streams()["DeliveryStreamNames"],
    ),
    "AWS::Lambda::Function": ("lambda", _paged("list_functions", "Functions", "FunctionName")),
    "AWS::Logs::LogGroup": ("logs", _paged("describe_log_groups", "logGroups", "logGroupName")),
    "AWS::S3::Bucket": ("s3", _paged("list_buckets", "Buckets", "Name")),
    "AWS::SNS::Topic": ("sns", _paged("list_topics", "Topics", "TopicArn")),
    "AWS::SQS::Queue": ("sqs", _paged("list_queues", "QueueUrls", None)),
    "AWS::Scheduler::Schedule": ("scheduler", _paged("list_schedules", "Schedules", "Name")),
    "AWS::SecretsManager::Secret": ("secretsmanager", _paged("list_secrets", "SecretList", "Name")),
    "AWS::StepFunctions::StateMachine": (
        "stepfunctions",
        _paged("list_state_machines", "stateMachines", "stateMachineArn"),
    ),
}
"""By type, the service and how it lists the physical ids."""
GLOBAL: Final = frozenset({"AWS::IAM::Role", "AWS::S3::Bucket"})
"""Kinds that every region lists."""
OURS: Final = ("mangaassist-", "/mangaassist/", "aws-waf-logs-mangaassist-")
"""How the names of our resources begin, in lower case."""


class Inventory:
    """The emulator behind one twin."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._regions = regions(layout.assembly)

    def of_stacks(self, stacks: Iterable[tuple[str, str]]) -> set[Deployed]:
        """The resources of stacks, given by region and name."""
        found: set[Deployed] = set()
        for region, name in stacks:
            client = emulator_client(self._layout, "cloudformation", region=region)
            template = client.get_template(StackName=name)["TemplateBody"]["Resources"]
            for each in client.describe_stack_resources(StackName=name)["StackResources"]:
                policy = template[each["LogicalResourceId"]].get("DeletionPolicy")
                kind = each["ResourceType"]
                found.add(
                    Deployed(
                        kind,
                        self._place(kind, region),
                        _named(kind, each["PhysicalResourceId"]),
                        policy in RETAINING,
                    )
                )
        return found

    def existing(self) -> set[Key]:
        """Everything of the kinds in ``LISTINGS``."""
        return {
            Key(kind, self._place(kind, region), _named(kind, physical_id))
            for region in self._regions
            for kind, (service, names) in LISTINGS.items()
            for physical_id in names(emulator_client(self._layout, service, region=region))
        }

    def ours(self, keys: Collection[Key]) -> set[Key]:
        """Those that are named after the product; CDK's own toolkit is not."""
        return {key for key in keys if key.physical_id.rpartition(":")[2].lower().startswith(OURS)}

    def _place(self, kind: str, region: str) -> str:
        return "" if kind in GLOBAL else region


def _named(kind: str, physical_id: str) -> str:
    """One spelling for what is told by name here and by address there."""
    return physical_id.rpartition("/")[2] if kind == "AWS::SQS::Queue" else physical_id


def _lives(client: Any, key: Mapping[str, str]) -> bool:
    """Keys are never gone at once: a deleted one waits."""
    return client.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] != "PendingDeletion"
