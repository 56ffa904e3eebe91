"""What every function has, and exactly what each may do."""

from __future__ import annotations

from typing import Any

import pytest

from mangaassist.capacity.settings import PrewarmSettings, ThroughputSettings
from mangaassist.catalogue.settings import IngestSettings
from mangaassist.generation.policy import built_in_policy
from mangaassist.guardrails.wiring import GuardrailSettings
from mangaassist.settings import (
    AuthorizerSettings,
    FunctionSettings,
    GuestTokenSettings,
    MessageSettings,
    SessionSettings,
)
from stacks.constructs.python_function import NETWORK_INTERFACES
from tests.infrastructure.synthesized import ROOT, Synthesized, readable

FOLDERS = {
    "authorizer",
    "connect",
    "disconnect",
    "guardrail",
    "guest_token",
    "ingest",
    "message",
    "model_capacity",
    "policy_seed",
    "policy_validator",
    "prewarm",
    "web_publish",
}
OPTIONAL = {"model_warmup", "rotate_guest_secret", "rotate_origin_secret"}
"""Of stacks that an environment may do without; tested beside these stacks."""
EVERYWHERE = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
TABLE_KEY = {"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"}
POLICY_READER = {"appconfig:GetLatestConfiguration", "appconfig:StartConfigurationSession"}

CONTROL_PLANE_LISTS = {
    "prewarm": {"application-autoscaling:DescribeScalableTargets"},
    "model_capacity": {"bedrock:ListProvisionedModelThroughputs", "cloudwatch:GetMetricStatistics"},
}
"""Reads that AWS offers for everything or not at all."""

MAY: dict[str, set[str]] = {
    "authorizer": {"secretsmanager:GetSecretValue", "kms:Decrypt"},
    "guest_token": {"secretsmanager:GetSecretValue", "kms:Decrypt"},
    "connect": {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"} | TABLE_KEY,
    "disconnect": {"dynamodb:GetItem", "dynamodb:DeleteItem"} | TABLE_KEY,
    "message": {
        "aoss:APIAccessAll",
        "bedrock:InvokeModel",
        "bedrock:InvokeModelWithResponseStream",
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
        "execute-api:ManageConnections",
        "lambda:InvokeFunction",
        "personalize:GetRecommendations",
        "sagemaker:InvokeEndpoint",
        "secretsmanager:GetSecretValue",
    }
    | POLICY_READER
    | TABLE_KEY,
    "guardrail": {"dynamodb:BatchGetItem", "secretsmanager:GetSecretValue"} | TABLE_KEY,
    "ingest": {
        "aoss:APIAccessAll",
        "bedrock:InvokeModel",
        "dynamodb:BatchGetItem",
        "dynamodb:BatchWriteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "s3:GetObject",
        "s3:PutObject",
        # The failure queue; added by CDK's destination.
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
        "sqs:SendMessage",
    }
    | POLICY_READER
    | TABLE_KEY,
    "policy_seed": {
        "appconfig:CreateHostedConfigurationVersion",
        "appconfig:GetDeployment",
        "appconfig:ListDeployments",
        "appconfig:ListHostedConfigurationVersions",
        "appconfig:StartDeployment",
    },
    "policy_validator": set(),
    "prewarm": {
        "aoss:BatchGetCollectionGroup",
        "aoss:UpdateCollectionGroup",
        "application-autoscaling:DescribeScalableTargets",
        "application-autoscaling:RegisterScalableTarget",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "lambda:GetProvisionedConcurrencyConfig",
        "sagemaker:DescribeEndpoint",
        # The queue of missed ticks; added by CDK's destination.
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
        "sqs:SendMessage",
    }
    | TABLE_KEY,
    "model_capacity": {
        "bedrock:CreateProvisionedModelThroughput",
        "bedrock:DeleteProvisionedModelThroughput",
        "bedrock:ListProvisionedModelThroughputs",
        "bedrock:TagResource",
        "cloudwatch:GetMetricStatistics",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        # The queue of missed ticks; added by CDK's destination.
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
        "sqs:SendMessage",
    }
    | TABLE_KEY,
    "web_publish": {"s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject"},
}

SETTINGS: dict[str, type[FunctionSettings]] = {
    "authorizer": AuthorizerSettings,
    "connect": SessionSettings,
    "disconnect": SessionSettings,
    "guardrail": GuardrailSettings,
    "guest_token": GuestTokenSettings,
    "ingest": IngestSettings,
    "message": MessageSettings,
    "model_capacity": ThroughputSettings,
    "prewarm": PrewarmSettings,
}


@pytest.mark.req("IAC-1")
def test_every_function_folder_is_deployed_once(application: Synthesized) -> None:
    assert set(application.functions()) - OPTIONAL == FOLDERS
    assert {path.parent.name for path in (ROOT / "lambdas").glob("*/handler.py")} == FOLDERS | OPTIONAL


def test_functions_are_made_alike(application: Synthesized) -> None:
    settings = application.settings
    for folder, function in application.functions().items():
        properties = function["Properties"]
        assert properties["Runtime"] == "python3.13", folder
        assert properties["Architectures"] == ["arm64"], folder
        assert properties["Handler"] == "handler.handler", folder
        assert properties["TracingConfig"] == {"Mode": "Active"}, folder
        assert len(properties["Layers"]) == 2, folder
        logging = properties["LoggingConfig"]
        assert logging["LogFormat"] == "JSON", folder
        group = application.resources("AWS::Logs::LogGroup")[logging["LogGroup"]["Ref"]]
        assert group["Properties"]["LogGroupName"] == f"/mangaassist/{settings.name}/{folder}"
        assert group["Properties"]["RetentionInDays"] == settings.log_retention_days
        assert group["DeletionPolicy"] == ("Retain" if settings.protection.retain else "Delete")
        variables = properties["Environment"]["Variables"]
        assert variables["ENVIRONMENT"] == settings.name
        assert variables["LOG_LEVEL"] == settings.log_level
        assert variables["POWERTOOLS_METRICS_NAMESPACE"] == "MangaAssist"


def test_layers_do_not_cross_a_stack_border(local: Synthesized) -> None:
    for template in local.templates.values():
        layers = {
            key for key, resource in template["Resources"].items() if "LayerVersion" in resource["Type"]
        }
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::Lambda::Function":
                assert {layer["Ref"] for layer in resource["Properties"]["Layers"]} == layers


def test_all_stacks_share_the_assets_of_the_layers(local: Synthesized) -> None:
    contents = {
        readable(layer["Properties"]["Content"]["S3Key"])
        for layer in local.resources("AWS::Lambda::LayerVersion").values()
    }
    assert len(contents) == 2


@pytest.mark.req("SEC-4")
@pytest.mark.parametrize("folder", sorted(FOLDERS))
def test_a_function_may_do_this_and_nothing_else(local: Synthesized, folder: str) -> None:
    assert set(local.permissions(folder)) == MAY[folder] | EVERYWHERE
    role = local.resources("AWS::IAM::Role")[local.function(folder)["Role"]["Fn::GetAtt"][0]]["Properties"]
    assert "ManagedPolicyArns" not in role
    assert "Policies" not in role


@pytest.mark.req("SEC-4")
def test_a_function_writes_only_its_own_log(local: Synthesized) -> None:
    for folder in FOLDERS:
        group = local.function(folder)["LoggingConfig"]["LogGroup"]["Ref"]
        assert local.permissions(folder)["logs:PutLogEvents"] == [f"${{{group}.Arn}}"]


@pytest.mark.req("SEC-4")
def test_only_tracing_and_entering_the_network_reach_every_resource(application: Synthesized) -> None:
    for folder in FOLDERS:
        anywhere = {action for action, on in application.permissions(folder).items() if "*" in on}
        inside = "VpcConfig" in application.function(folder)
        network = set(NETWORK_INTERFACES) if inside else set()
        listed = CONTROL_PLANE_LISTS.get(folder, set()) & set(application.permissions(folder))
        assert anywhere == {"xray:PutTelemetryRecords", "xray:PutTraceSegments"} | network | listed, folder


@pytest.mark.req("SEC-4")
def test_keys_are_used_through_their_service_only(local: Synthesized) -> None:
    statements = [
        statement
        for policy in local.resources("AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "kms:Decrypt" in statement["Action"]
    ]
    services = {statement["Condition"]["StringEquals"]["kms:ViaService"] for statement in statements}
    assert services == {
        f"{service}.us-east-1.amazonaws.com" for service in ("dynamodb", "s3", "secretsmanager")
    }


@pytest.mark.req("GEN-1", "SEC-4")
def test_message_may_invoke_every_model_of_the_built_in_policy_and_only_listed_ones(
    application: Synthesized,
) -> None:
    allowed = application.permissions("message")["bedrock:InvokeModelWithResponseStream"]
    policy = built_in_policy()
    for tier in policy.tiers.values():
        profile = f":inference-profile/{tier.model_id}"
        model = f"foundation-model/{tier.model_id.removeprefix('global.')}"
        assert sum(arn.endswith(profile) for arn in allowed) == 1
        # Global profiles: the model in the calling region, and once more in no region.
        assert {f"arn:aws:bedrock:us-east-1::{model}", f"arn:aws:bedrock:::{model}"} <= set(allowed)
    # A purchase gets a new ARN every time; a condition on its tag holds these to ours (test_capacity).
    assert not [arn for arn in allowed if "*" in arn and not arn.endswith(":provisioned-model/*")]
    assert not [arn for arn in allowed if "sonnet-4-5" in arn], "a retired model stays closed"
    embedding = f"arn:aws:bedrock:us-east-1::foundation-model/{policy.embedding.model_id}"
    assert application.permissions("ingest")["bedrock:InvokeModel"] == [embedding]


@pytest.mark.parametrize("folder", sorted(SETTINGS))
def test_the_template_sets_what_the_handler_reads(application: Synthesized, folder: str) -> None:
    variables = application.function(folder)["Environment"]["Variables"]
    environ = {name: readable(value) for name, value in variables.items()}
    settings = SETTINGS[folder].load(environ)
    assert settings.environment == application.settings.name
    common = {"LOG_LEVEL", "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"}
    unread = {name for name in environ if name not in common and not hasattr(settings, name.lower())}
    assert not unread


@pytest.mark.req("RES-5")
def test_message_ends_before_the_gateway_gives_up(application: Synthesized) -> None:
    function = application.function("message")
    deadline_ms = int(function["Environment"]["Variables"]["DEADLINE_MS"])
    assert deadline_ms < function["Timeout"] * 1_000 <= 29_000


def test_endpoints_are_named_only_where_there_are_some(application: Synthesized) -> None:
    variables: dict[str, Any] = application.function("message")["Environment"]["Variables"]
    actions = application.permissions("message")
    endpoints = application.settings.endpoints
    assert variables.get("INTENT_ENDPOINT") == endpoints.get("intent")
    assert variables.get("RERANK_ENDPOINT") == endpoints.get("reranker")
    named = [arn.rsplit(":endpoint/", 1)[1] for arn in actions.get("sagemaker:InvokeEndpoint", [])]
    assert named == sorted(endpoints.values())


def test_prod_keeps_message_functions_warm(prod: Synthesized) -> None:
    assert prod.function("message")["ReservedConcurrentExecutions"] == 500
    (alias,) = [
        alias["Properties"]
        for alias in prod.resources("AWS::Lambda::Alias").values()
        if alias["Properties"]["FunctionName"] == {"Ref": prod.logical_id("message")}
    ]
    assert alias["ProvisionedConcurrencyConfig"] == {"ProvisionedConcurrentExecutions": 5}
