"""Findings that we live with in an environment, and in the stack that delivers to all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs

from stacks.checks.acknowledge import acknowledge, functions_of, logical_id
from stacks.checks.shared_acknowledgements import (
    acknowledge_alerts,
    acknowledge_chat,
    acknowledge_model_policy,
)
from stacks.ingest import FEED_PREFIX, QUARANTINE_PREFIX

if TYPE_CHECKING:
    from stacks.application import MangaAssist
    from stacks.delivery import DeliveryStack

ENCRYPTED: Final = "MangaAssist::MangaAssist-DataIsEncrypted"


def acknowledge_findings(stacks: MangaAssist) -> None:
    """Record every exception of one environment."""
    for function in functions_of(stacks.chat.node.root):
        acknowledge(
            function.role,
            "AwsSolutions-IAM5[Resource::*]",
            "X-Ray's two write actions take no resource, nor do the lists and statistics that the capacity functions read; Lambda asks for the network interface actions on all of them and "
            "the function itself is denied these; rule MangaAssist-NoWildcardResources holds '*' to these actions",
        )
        acknowledge(
            function.function,
            "AwsSolutions-L1",
            "Python 3.13 on purpose: supported as long as 3.14 (June 2029), and what every measurement here was made with",
        )
    _operations(stacks)
    _network(stacks)
    _replicas(stacks)
    _backup(stacks)
    acknowledge_model_policy(stacks.policy)
    _models(stacks)
    _ingest(stacks)
    _catalogue(stacks)
    acknowledge_chat(stacks.chat)
    _capacity(stacks)
    _web(stacks)
    _identity(stacks)
    acknowledge_alerts(stacks.chat.node.root)
    _log_archive(stacks)
    _audit(stacks)


def _operations(stacks: MangaAssist) -> None:
    if stacks.chat.settings.operations_key:
        return
    for node in stacks.chat.node.root.node.find_all():
        if (isinstance(node, logs.CfnLogGroup) and node.kms_key_id is None) or (
            isinstance(node, sqs.CfnQueue) and node.kms_master_key_id is None
        ):
            acknowledge(
                node,
                ENCRYPTED,
                "an environment without shoppers: the service's own key, and no dollar a month for one of ours; staging and "
                "prod have it (operations_key)",
            )


def _network(stacks: MangaAssist) -> None:
    if stacks.network is None:
        return
    vpc = stacks.network.vpc
    for subnet in (*vpc.public_subnets, *vpc.private_subnets):
        acknowledge(
            subnet,
            "CloudFormation-Validate::W3010",
            "named on purpose: Fn::GetAZs may answer otherwise one day, which would replace the subnets and all in them",
        )


def _replicas(stacks: MangaAssist) -> None:
    for replica in stacks.replicas:
        acknowledge(
            replica.feed,
            "AwsSolutions-S1",
            "a copy that only S3 writes and nobody reads unless a region is lost; the trail of stack Audit has who touches it",
        )
    copied = stacks.ingest.replication
    if copied is None:
        return
    acknowledge(
        copied.role,
        f"AwsSolutions-IAM5[Resource::<{logical_id(stacks.ingest.feed)}.Arn>/feed/*]",
        "copies any feed file: file names are chosen by whoever uploads",
    )
    for region in stacks.ingest.settings.replica_regions:
        acknowledge(
            copied.role,
            f"AwsSolutions-IAM5[Resource::arn:aws:s3:::{stacks.ingest.settings.resource_prefix}-feed-{region}-"
            "<AWS::AccountId>/feed/*]",
            "writes the copy of any feed file",
        )
        acknowledge(
            copied.role,
            f"AwsSolutions-IAM5[Resource::arn:aws:kms:{region}:<AWS::AccountId>:key/*]",
            "the key's id is made in the other region; a condition holds the statement to the one key with our alias",
        )


def _backup(stacks: MangaAssist) -> None:
    if stacks.backup is None:
        return
    for role, purpose in ((stacks.backup.role, "Backup"), (stacks.backup.restore_role, "Restores")):
        acknowledge(
            role,
            "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
            f"AWSBackupServiceRolePolicyFor{purpose}]",
            "AWS keeps this policy in step with what AWS Backup calls, and only that service, for this account, may take "
            "the role; a policy of our own that lacks tomorrow's call would be found out when a copy is needed",
        )


def _models(stacks: MangaAssist) -> None:
    registry, models = stacks.registry, stacks.models
    if registry is None or models is None:
        return
    prefix = registry.settings.resource_prefix
    objects = f"arn:aws:s3:::{prefix}-models-<AWS::AccountId>"
    acknowledge(
        registry.bucket,
        "AwsSolutions-S1",
        "holds models and captured answers without a word of a shopper's; prod's trail (stack Audit) has who touches it",
    )
    for finding, reason in (
        (
            "*",
            "ecr:GetAuthorizationToken takes no resource; rule MangaAssist-NoWildcardResources holds '*' to it",
        ),
        *(
            (f"{objects}/{place}/*", "reads and writes files that people and pipeline executions name")
            for place in ("base", "datasets", "runs")
        ),
        *(
            (
                f"arn:aws:sagemaker:{registry.region}:<AWS::AccountId>:{kind}/pipelines-*",
                "a pipeline names its jobs after its execution",
            )
            for kind in ("training-job", "processing-job")
        ),
        *(
            (
                f"arn:aws:sagemaker:{registry.region}:<AWS::AccountId>:model-package/{prefix}-{role}/*",
                "numbers the versions it registers in this group",
            )
            for role in models.endpoints
        ),
        *(
            (
                f"arn:aws:logs:{registry.region}:<AWS::AccountId>:log-group:/aws/sagemaker/{group}:*",
                "SageMaker has one log group for all jobs, and a stream for each",
            )
            for group in ("TrainingJobs", "ProcessingJobs")
        ),
    ):
        acknowledge(registry.pipeline_role, f"AwsSolutions-IAM5[Resource::{finding}]", reason)
    for role, endpoint in models.endpoints.items():
        acknowledge(
            endpoint.role,
            "AwsSolutions-IAM5[Resource::*]",
            "actions that take no resource, and those by which SageMaker puts instances into the VPC; rule "
            "MangaAssist-NoWildcardResources holds '*' to these",
        )
        for place, reason in (
            ("released", "a release is a new key under the model's own prefix"),
            ("runs", "as released: a pipeline execution is a new key"),
            ("captured", "SageMaker names captured files by the hour"),
        ):
            acknowledge(endpoint.role, f"AwsSolutions-IAM5[Resource::{objects}/{place}/{role}/*]", reason)
    acknowledge(
        models.failures, "AwsSolutions-SQS3", "is itself where failed events end; an alarm watches its depth"
    )


def _ingest(stacks: MangaAssist) -> None:
    ingest = stacks.ingest
    acknowledge(
        ingest.feed,
        "AwsSolutions-S1",
        "holds catalogue facts that the shop publishes anyway; each upload leaves an ingest run record",
    )
    acknowledge(
        ingest.failures, "AwsSolutions-SQS3", "is itself where failed events end; an alarm watches its depth"
    )
    for prefix, reason in (
        (FEED_PREFIX, "reads any feed file: file names are chosen by whoever uploads"),
        (QUARANTINE_PREFIX, "writes refused lines beside each other, named after their feed file"),
    ):
        acknowledge(
            ingest.function.role,
            f"AwsSolutions-IAM5[Resource::<{logical_id(ingest.feed)}.Arn>/{prefix}*]",
            reason,
        )


def _catalogue(stacks: MangaAssist) -> None:
    catalogue = stacks.catalogue
    if catalogue is None:
        return
    acknowledge(
        catalogue.execution_role,
        "AwsSolutions-IAM5[Resource::*]",
        "ecr:GetAuthorizationToken takes no resource; rule MangaAssist-NoWildcardResources holds '*' to it",
    )
    acknowledge(
        catalogue.task,
        "AwsSolutions-ECS2",
        "names and levels, which whoever reads the template knows; the service is given no secret",
    )
    acknowledge(
        catalogue.balancer.access_log,
        "AwsSolutions-S1",
        "is itself an access log, which only Elastic Load Balancing writes; prod's trail (stack Audit) has who reads it",
    )


def _capacity(stacks: MangaAssist) -> None:
    capacity = stacks.capacity
    acknowledge(
        capacity.missed,
        "AwsSolutions-SQS3",
        "is itself where ticks end that failed; an alarm watches its depth",
    )
    acknowledge(
        capacity.prewarm.role,
        f"AwsSolutions-IAM5[Resource::arn:aws:application-autoscaling:{capacity.region}:<AWS::AccountId>:"
        "scalable-target/*]",
        "the service makes the ids of scalable targets; a condition holds it to the dimensions that are raised",
    )
    for role in (capacity.model_capacity.role, stacks.chat.message.role):
        if capacity.settings.capacity.throughput:
            acknowledge(
                role,
                f"AwsSolutions-IAM5[Resource::arn:aws:bedrock:{capacity.region}:<AWS::AccountId>:provisioned-model/*]",
                "every purchase gets a new ARN; conditions on the environment's tag hold it to our own",
            )


def _web(stacks: MangaAssist) -> None:
    web = stacks.web
    acknowledge(web.bucket, "AwsSolutions-S1", "holds the public page only and is read by CloudFront alone")
    acknowledge(
        web.bucket,
        ENCRYPTED,
        "holds the public page only: whoever is kept from a key reads it on the web, and the key's policy would have to name "
        "the distribution that names the bucket",
    )
    acknowledge(
        web.publisher.role,
        f"AwsSolutions-IAM5[Resource::<{logical_id(web.bucket)}.Arn>/*]",
        "writes every file of the page, and the bucket holds nothing else",
    )
    acknowledge(web.distribution, "AwsSolutions-CFR1", "the shop sells worldwide")
    if stacks.edge is None:
        acknowledge(
            web.distribution,
            "AwsSolutions-CFR2",
            "the twin is reached from its own machine alone; every environment in AWS has a web ACL",
        )
    acknowledge(
        web.distribution,
        "AwsSolutions-CFR3",
        "logged by standard logging v2, which the rule does not know: stack EdgeWatch, where there is an edge",
    )
    if web.settings.domains is None:
        acknowledge(
            web.distribution,
            "AwsSolutions-CFR4",
            "without a domain of our own CloudFront's certificate decides; with one TLS 1.2 is the minimum",
        )


def _identity(stacks: MangaAssist) -> None:
    identity = stacks.identity
    if identity is None or identity.settings.identity is None:
        return
    if identity.settings.identity.mfa == "optional":
        acknowledge(
            identity.pool,
            "AwsSolutions-COG2",
            "test shoppers sign in without a second factor; prod requires one",
        )
    if not identity.settings.identity.threat_protection:
        acknowledge(
            identity.pool,
            "AwsSolutions-COG8",
            "paid per shopper, and test shoppers have nothing to lose; prod cannot do without",
        )


def _log_archive(stacks: MangaAssist) -> None:
    archive = stacks.log_archive
    if archive is None:
        return
    acknowledge(
        archive.bucket,
        "AwsSolutions-S1",
        "only Firehose writes it and nobody reads it but by hand; the trail of stack Audit has who did",
    )
    acknowledge(
        archive.delivery_role,
        f"AwsSolutions-IAM5[Resource::<{logical_id(archive.bucket)}.Arn>/*]",
        "Firehose names the objects by their time, and the bucket holds nothing else",
    )


def _audit(stacks: MangaAssist) -> None:
    audit = stacks.audit
    if audit is None:
        return
    for bucket in (audit.bucket, audit.config_bucket):
        acknowledge(
            bucket,
            "AwsSolutions-S1",
            "the trail itself records who reads or deletes these records, in an object-locked bucket",
        )
    acknowledge(
        audit.findings, "AwsSolutions-SQS3", "is itself where findings end; an alarm watches its depth"
    )
    acknowledge(
        audit.config_role,
        "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWS_ConfigRole]",
        "AWS keeps this policy in step with the resource types that Config can read; only Config, for this account, may "
        "take the role",
    )


def acknowledge_delivery(stack: DeliveryStack) -> None:
    """Record the exceptions of the stack that delivers."""
    acknowledge(
        stack.artefacts,
        "AwsSolutions-S1",
        "only the pipeline's roles may write and read it, and what is deployed from it is held against its digest",
    )
    for role in (stack.pipeline_role, *(project.role for project in stack.projects.values())):
        acknowledge(
            role,
            f"AwsSolutions-IAM5[Resource::<{logical_id(stack.artefacts)}.Arn>/*]",
            "the pipeline names its artefacts at run time, and the bucket holds nothing else",
        )
