"""The second region: what waits there, when shoppers are sent there, and that it takes nothing of the first one's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from aws_cdk import App
from aws_cdk.assertions import Annotations, Match

from stacks.application import build
from stacks.checks.standby import attach_standby_checks
from stacks.constructs.failover import SWITCH_METRIC
from stacks.deployment import UnusableDeployment, deployed
from stacks.environments import ENVIRONMENTS, EnvironmentSettings, NoStandby, standby
from stacks.standby import build_standby
from tests.infrastructure.synthesized import ROOT, Synthesized, readable, synthesize

EXAMPLE = ROOT / "deployment.example.toml"
HERE, THERE = "us-east-1", "us-west-2"
API, WEBSOCKET = "api-origin.chat.shop.example", "ws-origin.chat.shop.example"
OF_THE_PRIMARY = {
    "AWS::Budgets::Budget",
    "AWS::CloudFront::Distribution",
    "AWS::Cognito::UserPool",
    "AWS::DynamoDB::GlobalTable",
    "AWS::EC2::VPC",
    "AWS::S3::Bucket",
    "AWS::SageMaker::Endpoint",
    "AWS::SecretsManager::RotationSchedule",
    "AWS::SecretsManager::Secret",
    "AWS::WAFv2::WebACL",
}
WITHOUT_REGION = ("AWS::Budgets::", "AWS::CloudFront::", "AWS::IAM::", "AWS::Route53::", "AWS::S3::Bucket")
"""Where a name is one in all regions."""


@pytest.fixture(scope="session")
def primary() -> Synthesized:
    """``prod`` with names of its own, and a certificate for them in the other region."""
    return synthesize(deployed(ENVIRONMENTS["prod"], EXAMPLE))


@pytest.fixture(scope="session")
def waiting() -> Synthesized:
    """What waits for it."""
    return synthesize(standby(deployed(ENVIRONMENTS["prod"], EXAMPLE), THERE))


@pytest.fixture(scope="session")
def nameless() -> Synthesized:
    """A standby of ``prod`` as the repository knows it."""
    return synthesize(standby(ENVIRONMENTS["prod"], THERE))


@pytest.fixture(scope="session")
def abroad() -> Synthesized:
    """A primary whose region is not the one in which health checks are measured."""
    dev, prod = ENVIRONMENTS["dev"], deployed(ENVIRONMENTS["prod"], EXAMPLE)
    assert dev.edge is not None
    assert prod.domains is not None
    names = prod.domains.model_dump() | {
        "api_certificate_arn": prod.domains.api_certificate_arn.replace(HERE, "ap-northeast-1")
    }
    return synthesize(
        EnvironmentSettings.model_validate(
            {
                **{name: getattr(dev, name) for name in EnvironmentSettings.model_fields},
                "region": "ap-northeast-1",
                "replica_regions": (THERE,),
                "edge": dev.edge.model_dump() | {"domains": names},
            }
        )
    )


def _records(application: Synthesized) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (found["Properties"]["Name"].removesuffix("."), found["Properties"]["Type"]): found["Properties"]
        for found in application.resources("AWS::Route53::RecordSet", "Chat").values()
    }


def _checks(application: Synthesized) -> dict[str, tuple[str, dict[str, Any]]]:
    return {
        found["Properties"]["HealthCheckConfig"]["Type"]: (id, found["Properties"]["HealthCheckConfig"])
        for id, found in application.resources("AWS::Route53::HealthCheck", "Chat").items()
    }


# --- what waits -------------------------------------------------------------------------------------


@pytest.mark.req("RES-7")
def test_the_standby_is_a_chat_that_owns_no_data_and_no_edge(waiting: Synthesized) -> None:
    assert set(waiting.templates) == {
        "Alerts",
        "Chat",
        "Guardrail",
        "Ingest",
        "Keys",
        "ModelPolicy",
        "Search",
        "Sessions",
    }
    assert set(waiting.regions.values()) == {THERE}
    types = {
        each["Type"] for template in waiting.templates.values() for each in template["Resources"].values()
    }
    assert not types & OF_THE_PRIMARY
    assert all(template["Resources"] for template in waiting.templates.values()), "no stack may be empty"


@pytest.mark.req("RES-7")
def test_waiting_costs_keys_and_alarms_alone(waiting: Synthesized) -> None:
    capacity = waiting.only("AWS::OpenSearchServerless::CollectionGroup", "Search")["Properties"][
        "CapacityLimits"
    ]
    assert (capacity["MinSearchCapacityInOcu"], capacity["MinIndexingCapacityInOcu"]) == (0, 0)
    for alias in waiting.resources("AWS::Lambda::Alias").values():
        assert "ProvisionedConcurrencyConfig" not in alias["Properties"]
    assert not waiting.resources("AWS::Scheduler::Schedule")
    rule = waiting.only("AWS::Events::Rule", "Ingest")["Properties"]
    assert rule["State"] == "DISABLED", "both regions at once would write each other's items"


@pytest.mark.req("RES-7")
def test_what_the_standby_is_told_the_primary_says_and_replicates(
    primary: Synthesized, waiting: Synthesized
) -> None:
    """Parameters, by the output of the primary that has their value; and that a replica of it is over there."""
    told = {
        ("Sessions", "SessionsTable"): ("Sessions", "SessionsTableName"),
        ("Ingest", "CatalogueTable"): ("Ingest", "CatalogueTableName"),
        ("Chat", "GuestTokenReplicaArn"): ("Chat", "GuestTokenSecretArn"),
        ("Chat", "OriginReplicaArn"): ("Chat", "OriginSecretArn"),
    }
    without_default = {
        (concern, name)
        for concern, template in waiting.templates.items()
        for name, parameter in template.get("Parameters", {}).items()
        if "Default" not in parameter
    }
    assert without_default == set(told)
    for concern, output in told.values():
        value = readable(primary.templates[concern]["Outputs"][output]["Value"])
        named = primary.templates[concern]["Resources"][value.strip("${}").split(".")[0]]
        properties = named["Properties"]
        replicas = properties.get("ReplicaRegions") or properties["Replicas"]
        assert THERE in {replica["Region"] for replica in replicas}, output
        assert not properties.keys() & {"Name", "TableName"}, "a fixed name would have replaced it"


@pytest.mark.req("RES-7", "SEC-6")
def test_secrets_are_replicated_under_the_key_over_there(primary: Synthesized) -> None:
    key = f"alias/{primary.settings.resource_prefix}-data-replica"
    assert primary.only("AWS::KMS::Alias", f"Replica-{THERE}")["Properties"]["AliasName"] == key
    secrets = primary.resources("AWS::SecretsManager::Secret", "Chat").values()
    assert len(secrets) == 2
    for secret in secrets:
        assert secret["Properties"]["ReplicaRegions"] == [{"Region": THERE, "KmsKeyId": key}]
    policy = primary.only("AWS::KMS::Key", f"Replica-{THERE}")["Properties"]["KeyPolicy"]["Statement"]
    (admitted,) = [statement for statement in policy if statement["Principal"] == {"AWS": "*"}]
    assert admitted["Condition"]["StringEquals"] == {
        "kms:CallerAccount": primary.settings.account,
        "kms:ViaService": [f"secretsmanager.{region}.amazonaws.com" for region in (HERE, THERE)],
    }
    assert "kms:*" not in admitted["Action"]


@pytest.mark.req("RES-7")
def test_a_deploy_of_the_standby_asks_nothing_of_the_lost_region(
    primary: Synthesized, waiting: Synthesized
) -> None:
    exported = {
        output["Export"]["Name"]
        for application in (primary, waiting)
        for concern, template in application.templates.items()
        for output in template.get("Outputs", {}).values()
        if "Export" in output and application.regions[concern] == THERE
    }
    for concern, template in waiting.templates.items():
        text = json.dumps(template)
        assert "Fn::GetStackOutput" not in text
        assert HERE not in text, concern
        assert set(_imports(template)) <= exported, concern
    assert f"MangaAssist-prod-Replica-{THERE}:DataKeyArn" in set(
        _imports(waiting.templates["Sessions"])
    ) | set(_imports(waiting.templates["Chat"]))


def _imports(value: Any) -> Iterator[str]:
    match value:
        case {"Fn::ImportValue": str(name)}:
            yield name
        case dict():
            for each in value.values():
                yield from _imports(each)
        case list():
            for each in value:
                yield from _imports(each)


@pytest.mark.req("RES-7", "SEC-4")
def test_the_functions_of_the_standby_use_the_replicas(waiting: Synthesized) -> None:
    key = "${import:DataKeyArn}"
    door = {"GUEST_TOKEN_SECRET": "${GuestTokenReplicaArn}", "ORIGIN_SECRET": "${OriginReplicaArn}"}
    for folder in ("authorizer", "guest_token"):
        variables = waiting.function(folder)["Environment"]["Variables"]
        assert {name: readable(variables[name]) for name in door} == door
        allowed = waiting.permissions(folder)
        assert allowed["secretsmanager:GetSecretValue"] == sorted(door.values())
        assert allowed["kms:Decrypt"] == [key]
        assert "USER_POOL" not in variables, "sign-in stays behind"
    table = "arn:aws:dynamodb:us-west-2:111122223333:table/"
    message = waiting.permissions("message")
    (sessions,) = message["dynamodb:PutItem"]
    assert sessions.startswith(table + "${import:ExportsOutputRefSessionsTable")
    assert key in message["kms:GenerateDataKey"]
    ingest = waiting.permissions("ingest")
    assert ingest["s3:GetObject"] == ["arn:aws:s3:::mangaassist-prod-feed-us-west-2-111122223333/feed/*"]
    assert ingest["dynamodb:BatchWriteItem"] == [table + "${CatalogueTable}"]


@pytest.mark.req("RES-7")
def test_the_copy_of_the_feed_reports_what_arrives(primary: Synthesized, waiting: Synthesized) -> None:
    bucket = primary.only("AWS::S3::Bucket", f"Replica-{THERE}")["Properties"]
    assert bucket["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    rule = waiting.only("AWS::Events::Rule", "Ingest")["Properties"]
    assert [readable(name) for name in rule["EventPattern"]["detail"]["bucket"]["name"]] == [
        readable(bucket["BucketName"])
    ]


# --- beside each other ------------------------------------------------------------------------------


def _names(application: Synthesized) -> Iterator[tuple[str, str, str]]:
    """Region, type and name of everything that is named in a template; ``everywhere`` for what has no region."""
    for concern, template in application.templates.items():
        region = application.regions[concern]
        for output in template.get("Outputs", {}).values():
            if "Export" in output:
                yield region, "export", output["Export"]["Name"]
        for resource in template["Resources"].values():
            kind, properties = resource["Type"], resource.get("Properties", {})
            where = "everywhere" if kind.startswith(WITHOUT_REGION) else region
            if kind == "AWS::Route53::RecordSet":
                told = [properties[key] for key in ("Name", "Type", "SetIdentifier") if key in properties]
                yield where, kind, " ".join(told)
                continue
            if kind == "AWS::CloudFront::Distribution":
                for name in properties["DistributionConfig"].get("Aliases", []):
                    yield where, kind, name
            settings = [properties, *(each for key, each in properties.items() if key.endswith("Config"))]
            for each in filter(lambda each: isinstance(each, dict), settings):
                for key in ("Name", f"{kind.rsplit('::', 1)[1]}Name"):
                    # Names of inline policies are those of their role.
                    if key in each and kind != "AWS::IAM::Policy":
                        yield where, kind, readable(each[key])


@pytest.mark.req("RES-7")
def test_nothing_of_the_standby_has_a_name_of_the_primary(primary: Synthesized, waiting: Synthesized) -> None:
    assert not set(_names(primary)) & set(_names(waiting))
    stacks = {(region, concern) for concern, region in primary.regions.items()}
    assert not stacks & {(region, concern) for concern, region in waiting.regions.items()}


def test_the_primary_itself_in_another_region_would_collide(primary: Synthesized) -> None:
    moved = replace(primary, regions=dict.fromkeys(primary.templates, "eu-central-1"))
    collisions = {(kind, name) for _, kind, name in set(_names(primary)) & set(_names(moved))}
    assert ("AWS::S3::Bucket", "mangaassist-prod-models-111122223333") in collisions
    assert ("AWS::CloudFront::ResponseHeadersPolicy", "mangaassist-prod-page") in collisions
    assert "AWS::CloudFront::OriginAccessControl" in {kind for kind, _ in collisions}


@pytest.mark.req("RES-7")
@pytest.mark.parametrize("named", [True, False])
def test_the_standby_passes_the_checks_and_has_an_order_to_deploy_in(named: bool) -> None:
    settings = deployed(ENVIRONMENTS["prod"], EXAMPLE) if named else ENVIRONMENTS["prod"]
    flags = json.loads((ROOT / "cdk.json").read_text("utf-8"))["context"]
    app = App(context={**flags, "aws:cdk:bundling-stacks": []})
    stacks = build_standby(app, standby(settings, THERE))
    attach_standby_checks(app, stacks)
    assembly = app.synth()  # raises on a finding, and on stacks that wait for each other
    order = [stack.stack_name.rsplit("-", 1)[1] for stack in assembly.stacks]
    assert order.index("Alerts") < order.index("Sessions") < order.index("Chat")
    for stack in assembly.stacks:
        position = order.index(stack.stack_name.rsplit("-", 1)[1])
        waits_for = {each.id.rsplit("-", 1)[1] for each in stack.dependencies if "assets" not in each.id}
        assert waits_for <= set(order[:position])
    if not named:
        Annotations.from_stack(stacks.chat).has_warning(
            "*", Match.string_like_regexp("no failover to the other region")
        )


def test_the_primary_says_when_it_cannot_fail_over() -> None:
    app = App(context={"aws:cdk:bundling-stacks": []})
    stacks = build(app, ENVIRONMENTS["prod"])
    Annotations.from_stack(stacks.chat).has_warning(
        "*", Match.string_like_regexp("no failover to the other region")
    )
    assert stacks.chat.failover is None


@pytest.mark.req("OBS-3", "RES-7")
def test_alarms_of_the_standby_tell_topics_of_its_own_region(waiting: Synthesized) -> None:
    topics = {
        f"arn:aws:sns:{THERE}:111122223333:{topic['Properties']['TopicName']}"
        for topic in waiting.resources("AWS::SNS::Topic", "Alerts").values()
    }
    alarms = waiting.resources("AWS::CloudWatch::Alarm")
    for name, alarm in alarms.items():
        assert {readable(action) for action in alarm["Properties"]["AlarmActions"]} <= topics, name
        assert "Runbook: docs/runbooks/" in alarm["Properties"]["AlarmDescription"]
    (arrivals,) = [
        alarm["Properties"]
        for alarm in alarms.values()
        if alarm["Properties"].get("MetricName") == "ConnectCount"
    ]
    assert arrivals["AlarmDescription"] == (
        "[page] Shoppers connect to the standby region. Runbook: docs/runbooks/region-loss.md"
    )


# --- who serves -------------------------------------------------------------------------------------


@pytest.mark.req("RES-7")
def test_both_regions_record_the_names_that_cloudfront_asks_for(
    primary: Synthesized, waiting: Synthesized
) -> None:
    first, second = (
        {key: record for key, record in _records(application).items() if key[0] in (API, WEBSOCKET)}
        for application in (primary, waiting)
    )
    assert set(first) == set(second) == {(name, type) for name in (API, WEBSOCKET) for type in ("A", "AAAA")}
    check, _ = _checks(primary)["CALCULATED"]
    for name in first:
        assert (first[name]["Failover"], second[name]["Failover"]) == ("PRIMARY", "SECONDARY")
        assert (first[name]["SetIdentifier"], second[name]["SetIdentifier"]) == (HERE, THERE)
        assert first[name]["HealthCheckId"] == {"Ref": check}
        assert "HealthCheckId" not in second[name], "there is nothing after it"
        assert first[name]["HostedZoneId"] == second[name]["HostedZoneId"]
        for record in (first[name], second[name]):
            assert readable(record["AliasTarget"]["DNSName"]).endswith(".RegionalDomainName}")
    origins = primary.only("AWS::CloudFront::Distribution", "Web")["Properties"]["DistributionConfig"][
        "Origins"
    ]
    assert [name for name in (API, WEBSOCKET) if name not in [each["DomainName"] for each in origins]] == []


@pytest.mark.req("RES-7")
def test_each_region_answers_to_the_names_with_a_certificate_of_its_own(
    primary: Synthesized, waiting: Synthesized
) -> None:
    for application, region in ((primary, HERE), (waiting, THERE)):
        names = application.resources("AWS::ApiGatewayV2::DomainName", "Chat").values()
        assert {name["Properties"]["DomainName"] for name in names} == {API, WEBSOCKET, _callback(region)}
        for name in names:
            (configuration,) = name["Properties"]["DomainNameConfigurations"]
            assert configuration["CertificateArn"].split(":")[3] == region
        apis = application.resources("AWS::ApiGatewayV2::Api", "Chat").values()
        assert all(api["Properties"]["DisableExecuteApiEndpoint"] is True for api in apis)


def _callback(region: str) -> str:
    return f"ws-origin-{region}.chat.shop.example"


@pytest.mark.req("RES-7")
def test_functions_post_to_their_own_region_wherever_the_names_point(
    primary: Synthesized, waiting: Synthesized
) -> None:
    for application, region in ((primary, HERE), (waiting, THERE)):
        name = _callback(region)
        variables = application.function("message")["Environment"]["Variables"]
        assert variables["MANAGEMENT_ENDPOINT"] == f"https://{name}/live"
        for type in ("A", "AAAA"):
            assert not {"Failover", "SetIdentifier"} & _records(application)[name, type].keys()
        (domain,) = [
            id
            for id, found in application.resources("AWS::ApiGatewayV2::DomainName", "Chat").items()
            if found["Properties"]["DomainName"] == name
        ]
        (mapping,) = [
            found["Properties"]
            for found in application.resources("AWS::ApiGatewayV2::ApiMapping", "Chat").values()
            if found["Properties"]["DomainName"] == {"Ref": domain}
        ]
        assert mapping["ApiMappingKey"] == "live"


@pytest.mark.req("RES-7")
def test_the_primary_serves_while_its_door_is_open_and_nobody_threw_the_switch(primary: Synthesized) -> None:
    checks = _checks(primary)
    assert set(checks) == {"CALCULATED", "CLOUDWATCH_METRIC", "TCP"}
    door_id, door = checks["TCP"]
    switch_id, switch = checks["CLOUDWATCH_METRIC"]
    _, serves = checks["CALCULATED"]
    assert serves["HealthThreshold"] == 2
    assert {child["Ref"] for child in serves["ChildHealthChecks"]} == {door_id, switch_id}
    names = primary.resources("AWS::ApiGatewayV2::DomainName", "Chat")
    (watched,) = [id for id, name in names.items() if name["Properties"]["DomainName"] == API]
    assert readable(door["FullyQualifiedDomainName"]) == f"${{{watched}.RegionalDomainName}}", (
        "a check by our own name would follow it to the standby"
    )
    assert (door["Port"], door["RequestInterval"], door["FailureThreshold"]) == (443, 30, 3)
    assert switch["InsufficientDataHealthStatus"] == "LastKnownStatus"
    assert switch["AlarmIdentifier"]["Region"] == THERE
    alarm = primary.only("AWS::CloudWatch::Alarm", f"Replica-{THERE}")["Properties"]
    assert alarm["AlarmName"] == switch["AlarmIdentifier"]["Name"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("MangaAssist", SWITCH_METRIC)
    assert alarm["Dimensions"] == [{"Name": "environment", "Value": "prod"}]
    # What Route 53 takes: a plain metric, one statistic, no "m out of n".
    assert alarm["Statistic"] == "Maximum"
    assert (alarm["Period"], alarm["EvaluationPeriods"]) == (60, 1)
    assert "DatapointsToAlarm" not in alarm


def _failed_over(application: Synthesized) -> dict[str, Any]:
    (found,) = [
        alarm["Properties"]
        for alarm in application.resources("AWS::CloudWatch::Alarm", "EdgeWatch").values()
        if alarm["Properties"].get("Namespace") == "AWS/Route53"
    ]
    return found


@pytest.mark.req("RES-7", "OBS-3")
def test_a_failover_wakes_somebody_where_health_checks_are_measured(
    primary: Synthesized, abroad: Synthesized
) -> None:
    for application in (primary, abroad):
        alarm = _failed_over(application)
        assert application.regions["EdgeWatch"] == "us-east-1"
        assert alarm["MetricName"] == "HealthCheckStatus"
        assert alarm["AlarmDescription"].startswith("[page] ")
        assert alarm["AlarmDescription"].endswith("docs/runbooks/region-loss.md")
        assert all(":us-east-1:" in readable(action) for action in alarm["AlarmActions"])
    (here,) = _failed_over(primary)["Dimensions"]
    assert "FailoverServes" in readable(here["Value"])
    (elsewhere,) = _failed_over(abroad)["Dimensions"]
    assert elsewhere["Value"] == {
        "Fn::GetStackOutput": {
            "StackName": "MangaAssist-dev-Chat",
            "OutputName": "FailoverHealthCheckId",
            "Region": "ap-northeast-1",
        }
    }
    assert "FailoverHealthCheckId" in abroad.templates["Chat"]["Outputs"]


@pytest.mark.req("RES-7")
def test_replicas_and_the_switch_are_there_before_what_needs_them() -> None:
    app = App(context={"aws:cdk:bundling-stacks": []})
    stacks = build(app, deployed(ENVIRONMENTS["prod"], EXAMPLE))
    (replica,) = stacks.replicas
    for stack in (stacks.sessions, stacks.ingest, stacks.chat):
        assert replica in stack.dependencies


def test_without_names_there_are_neither_checks_nor_records(prod: Synthesized, nameless: Synthesized) -> None:
    for application in (prod, nameless):
        assert not application.resources("AWS::Route53::HealthCheck")
        assert not application.resources("AWS::Route53::RecordSet")
    assert not prod.resources("AWS::CloudWatch::Alarm", f"Replica-{THERE}")


# --- who may wait -----------------------------------------------------------------------------------


def test_there_is_a_standby_only_where_there_are_replicas() -> None:
    with pytest.raises(NoStandby, match="no replica in eu-west-1: its replica_regions are us-west-2"):
        standby(ENVIRONMENTS["prod"], "eu-west-1")
    with pytest.raises(NoStandby, match="none"):
        standby(ENVIRONMENTS["dev"], THERE)


def test_names_need_a_certificate_over_there(tmp_path: Any) -> None:
    path = tmp_path / "deployment.toml"
    lines = EXAMPLE.read_text("utf-8").splitlines()
    path.write_text("\n".join(line for line in lines if not line.startswith("standby_")), "utf-8")
    prod = deployed(ENVIRONMENTS["prod"], path)
    assert prod.fails_over is False
    with pytest.raises(NoStandby, match="no standby_certificate_arn"):
        standby(prod, THERE)


@pytest.mark.parametrize(
    ("new", "problem"),
    [
        ("us-west-1:111122223333:certificate/8", "no replica of prod is there"),
        ("us-west-2:999999999999:certificate/8", "certificates and account differ"),
    ],
)
def test_a_certificate_that_nobody_would_look_for_is_refused(tmp_path: Any, new: str, problem: str) -> None:
    path = tmp_path / "deployment.toml"
    text = EXAMPLE.read_text("utf-8")
    assert "us-west-2:111122223333:certificate/8" in text
    path.write_text(text.replace("us-west-2:111122223333:certificate/8", new), "utf-8")
    with pytest.raises(UnusableDeployment, match=problem):
        deployed(ENVIRONMENTS["prod"], path)
