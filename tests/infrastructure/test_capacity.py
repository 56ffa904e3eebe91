"""Capacity: the table, the two ticks, what may be raised and bought, and who hears of it when that fails."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mangaassist.capacity.calendar import TICK_MINUTES
from mangaassist.capacity.offers import offers
from mangaassist.capacity.resources import RESOURCES, Resource
from mangaassist.capacity.throughput import PLANS
from mangaassist.capacity.wiring import kinds
from stacks.environments import ENVIRONMENTS, Capacity, EnvironmentSettings, Throughput
from tests.infrastructure.synthesized import ROOT, Synthesized, readable, synthesize


def resources(application: Synthesized) -> dict[str, Resource]:
    """What the pre-warm function is told to raise."""
    document = readable(application.function("prewarm")["Environment"]["Variables"]["CAPACITY_RESOURCES"])
    return {each.name: each for each in RESOURCES.validate_json(document)}


def statements(application: Synthesized, folder: str) -> list[dict[str, Any]]:
    role = application.function(folder)["Role"]["Fn::GetAtt"][0]
    return [
        statement
        for policy in application.resources("AWS::IAM::Policy").values()
        if {"Ref": role} in policy["Properties"]["Roles"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]


@pytest.mark.req("IAC-4", "SEC-5")
def test_records_are_encrypted_with_our_key_and_recoverable(application: Synthesized) -> None:
    table = application.only("AWS::DynamoDB::GlobalTable", "CapacityState")
    properties, settings = table["Properties"], application.settings
    assert properties["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
    (replica,) = properties["Replicas"]
    assert replica["PointInTimeRecoverySpecification"] == {
        "PointInTimeRecoveryEnabled": settings.protection.point_in_time_recovery
    }
    assert table["DeletionPolicy"] == ("Retain" if settings.protection.retain else "Delete")


@pytest.mark.req("CAP-1")
def test_a_tick_every_five_minutes_in_utc_calls_the_live_functions(application: Synthesized) -> None:
    schedules = application.resources("AWS::Scheduler::Schedule", "Capacity")
    assert len(schedules) == 2
    (queue,) = application.resources("AWS::SQS::Queue", "Capacity")
    aliases = set(application.resources("AWS::Lambda::Alias", "Capacity"))
    called = set()
    for schedule in schedules.values():
        properties = schedule["Properties"]
        assert properties["ScheduleExpression"] == f"cron(0/{TICK_MINUTES} * * * ? *)"
        assert "ScheduleExpressionTimezone" not in properties
        target = properties["Target"]
        assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [queue, "Arn"]}}
        assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == TICK_MINUTES * 60
        called.add(target["Arn"]["Ref"])
        role = application.resources("AWS::IAM::Role", "Capacity")[target["RoleArn"]["Fn::GetAtt"][0]]
        (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    assert called == aliases, "each by its alias"


@pytest.mark.req("CAP-1")
def test_a_tick_ends_before_the_next_one_begins(application: Synthesized) -> None:
    function = application.function("prewarm")
    patience = int(function["Environment"]["Variables"]["PATIENCE_SECONDS"])
    assert patience < function["Timeout"] < TICK_MINUTES * 60


def test_throughput_ticks_only_where_there_is_some_to_buy(application: Synthesized) -> None:
    states = {
        schedule["Properties"]["Description"]: schedule["Properties"]["State"]
        for schedule in application.resources("AWS::Scheduler::Schedule", "Capacity").values()
    }
    bought = bool(application.settings.capacity.throughput)
    assert sorted(states.values()) == (["ENABLED", "ENABLED"] if bought else ["DISABLED", "ENABLED"])


@pytest.mark.req("CAP-1")
def test_everything_that_is_raised_has_an_adapter_and_bounds_of_its_stack(prod: Synthesized) -> None:
    found = resources(prod)
    assert set(found) == {"message", "search", "intent", "reranker", "catalogue"}
    for resource in found.values():
        assert resource.kind in kinds().builders
    assert (found["message"].base, found["message"].ceiling) == (5, 500)
    assert (found["search"].base, found["search"].ceiling) == (2, 16)
    assert found["message"].units(400) == 480
    assert found["search"].units(400) == 16
    variants = {
        f"endpoint/{each.address['endpoint']}/variant/{each.address['variant']}"
        for each in found.values()
        if each.kind == "sagemaker-variant"
    }
    targets = {
        readable(target["Properties"]["ResourceId"])
        for target in prod.resources("AWS::ApplicationAutoScaling::ScalableTarget", "Models").values()
    }
    assert variants == targets, "the names that the endpoints' own scaling uses"
    tasks = prod.only("AWS::ApplicationAutoScaling::ScalableTarget", "Catalogue")["Properties"]
    catalogue = found["catalogue"]
    address = f"service/{catalogue.address['cluster']}/{catalogue.address['service']}"
    assert readable(tasks["ResourceId"]) == address
    assert (tasks["MinCapacity"], tasks["MaxCapacity"]) == (catalogue.base, catalogue.ceiling) == (2, 12)
    assert catalogue.units(500) == 6, "a sale raises it"


@pytest.mark.req("CAP-1")
def test_the_message_alias_is_scaled_between_bounds_and_not_put_by_hand(prod: Synthesized) -> None:
    target = prod.only("AWS::ApplicationAutoScaling::ScalableTarget", "Chat")["Properties"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (5, 500)
    assert target["ScalableDimension"] == "lambda:function:ProvisionedConcurrency"
    policy = prod.only("AWS::ApplicationAutoScaling::ScalingPolicy", "Chat")["Properties"]
    assert policy["PolicyType"] == "TargetTrackingScaling"
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 0.7
    assert "lambda:PutProvisionedConcurrencyConfig" not in prod.permissions("prewarm")


def test_an_alias_without_warm_environments_is_not_scaled() -> None:
    dev = synthesize(ENVIRONMENTS["dev"])
    assert not dev.resources("AWS::ApplicationAutoScaling::ScalableTarget")
    assert set(resources(dev)) == {"search"}
    assert "lambda:GetProvisionedConcurrencyConfig" not in dev.permissions("prewarm")
    assert "application-autoscaling:RegisterScalableTarget" not in dev.permissions("prewarm")


@pytest.mark.req("SEC-4")
def test_scaling_is_changed_in_the_raised_dimensions_only(prod: Synthesized) -> None:
    (statement,) = [
        each
        for each in statements(prod, "prewarm")
        if each["Action"] == "application-autoscaling:RegisterScalableTarget"
    ]
    assert statement["Condition"] == {
        "StringEquals": {
            "application-autoscaling:scalable-dimension": [
                "ecs:service:DesiredCount",
                "lambda:function:ProvisionedConcurrency",
                "sagemaker:variant:DesiredInstanceCount",
            ]
        }
    }


@pytest.mark.req("SEC-4", "CAP-2")
def test_only_listed_offers_are_bought_and_only_our_own_purchases_are_used_or_deleted(
    local: Synthesized,
) -> None:
    plans = PLANS.validate_json(
        local.function("model_capacity")["Environment"]["Variables"]["THROUGHPUT_PLANS"]
    )
    may_buy = local.permissions("model_capacity")["bedrock:CreateProvisionedModelThroughput"]
    for plan in plans:
        offer = offers().purchasable(plan.model_id)
        assert any(arn.endswith(f"::foundation-model/{offer.offer_id}") for arn in may_buy)
    assert len([arn for arn in may_buy if "foundation-model" in arn]) == len(plans)
    for folder, action in (
        ("model_capacity", "bedrock:DeleteProvisionedModelThroughput"),
        ("message", "bedrock:InvokeModelWithResponseStream"),
    ):
        (statement,) = [
            each
            for each in statements(local, folder)
            if action in each["Action"] and "provisioned-model" in readable(_one(each["Resource"]))
        ]
        assert statement["Condition"] == {"StringEquals": {"aws:ResourceTag/environment": "local"}}


@pytest.mark.req("GEN-9", "SEC-4")
def test_a_turn_reads_the_published_item_and_no_other(local: Synthesized) -> None:
    (statement,) = [
        each
        for each in statements(local, "message")
        if each["Action"] == "dynamodb:GetItem" and "CapacityState" in json.dumps(each["Resource"])
    ]
    assert statement["Condition"] == {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["PROVISIONED"]}}


def test_where_nothing_is_bought_nobody_may_buy_and_the_chat_does_not_look(prod: Synthesized) -> None:
    assert "CAPACITY_TABLE" not in prod.function("message")["Environment"]["Variables"]
    assert not [action for action in prod.permissions("model_capacity") if action.startswith("bedrock:")]
    assert not [
        arn for arn in prod.permissions("message")["bedrock:InvokeModel"] if "provisioned-model" in arn
    ]


@pytest.mark.req("CAP-1", "CAP-2", "OBS-3")
def test_failures_are_told_and_have_runbooks(local: Synthesized) -> None:
    found = local.resources("AWS::CloudWatch::Alarm", "Capacity").values()
    severities = {}
    for alarm in found:
        properties = alarm["Properties"]
        assert properties["AlarmActions"]
        assert properties["OKActions"]
        severity, runbook = _facts(properties["AlarmDescription"])
        assert (ROOT / runbook).is_file(), runbook
        if properties.get("Namespace") == "MangaAssist":
            severities[properties["MetricName"]] = severity
            assert properties["Dimensions"] == [{"Name": "environment", "Value": "local"}]
    assert severities == {
        "PrewarmStepFailed": "page",
        "WarmCapacityReady": "page",
        "ThroughputStepFailed": "ticket",
        "ThroughputOrphan": "ticket",
        "ThroughputIdle": "ticket",
    }


@pytest.mark.req("CAP-1")
def test_silence_of_the_tick_is_an_alarm(application: Synthesized) -> None:
    (alarm,) = [
        alarm["Properties"]
        for alarm in application.resources("AWS::CloudWatch::Alarm", "Capacity").values()
        if alarm["Properties"]["MetricName"] == "Invocations"
    ]
    assert alarm["TreatMissingData"] == "breaching"
    assert alarm["ComparisonOperator"] == "LessThanThreshold"


def test_settings_that_cannot_work_are_refused() -> None:
    prod = ENVIRONMENTS["prod"]
    for changed in (
        {"capacity": Capacity(message_ceiling=501)},
        {"capacity": Capacity(message_ceiling=4)},
    ):
        with pytest.raises(ValueError, match="message_ceiling"):
            EnvironmentSettings.model_validate({**dict(prod), **changed})
    with pytest.raises(ValueError, match="hours_before"):
        Throughput(model_id="amazon.nova-lite-v1:0", commitment="none", hours_before=49)


def _facts(description: str) -> tuple[str, str]:
    """Severity and runbook path out of ``[page] What. Runbook: docs/runbooks/x.md``."""
    severity, _, rest = description.removeprefix("[").partition("] ")
    return severity, rest.partition("Runbook: ")[2]


def _one(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def test_what_is_written_down_twice_is_the_same() -> None:
    from mangaassist.adapters.dynamodb_capacity import PROVISIONED
    from stacks import capacity, capacity_state, raised
    from stacks.constructs import model_endpoint
    from stacks.constructs.python_function import LIVE

    assert capacity.TICK_MINUTES == TICK_MINUTES
    assert capacity_state.PROVISIONED_KEY == PROVISIONED
    assert raised.VARIANT == model_endpoint.VARIANT
    assert raised.raised_resources(ENVIRONMENTS["prod"])[0]["address"]["alias"] == LIVE


@pytest.mark.req("OPS-3")
def test_a_tick_that_fails_ends_in_the_watched_queue(application: Synthesized) -> None:
    (queue,) = application.resources("AWS::SQS::Queue", "Capacity")
    configured = application.resources("AWS::Lambda::EventInvokeConfig", "Capacity").values()
    assert len(configured) == 2, "Scheduler invokes asynchronously, so the functions need it themselves"
    for each in configured:
        destination = each["Properties"]["DestinationConfig"]["OnFailure"]["Destination"]
        assert destination == {"Fn::GetAtt": [queue, "Arn"]}
