"""The alarm construct, the topics, and the helpers for shares, anomalies and composites."""

from __future__ import annotations

from typing import Any

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk.assertions import Template

from mangaassist import metrics
from stacks.constructs.alarm import SEVERITIES, Severity, alarm, alarm_name, anomaly, composite, name_of
from stacks.constructs.product_metrics import UnpublishedDimensions, product_metric, share
from stacks.environments import ENVIRONMENTS, Alerting
from tests.infrastructure.synthesized import Synthesized, synthesize

SETTINGS = ENVIRONMENTS["staging"]


@pytest.fixture
def stack() -> Stack:
    return Stack(App(), "MangaAssist-staging-Chat")


def _made(stack: Stack, type: str = "AWS::CloudWatch::Alarm") -> dict[str, dict[str, Any]]:
    found = Template.from_stack(stack).find_resources(type)
    return {resource["Properties"]["AlarmName"]: resource["Properties"] for resource in found.values()}


def _alarm(stack: Stack, id: str = "ErrorsAlarm", **changes: Any) -> cloudwatch.Alarm:
    given = {
        "settings": SETTINGS,
        "what": "Turns end in errors",
        "runbook": "function-errors",
        "severity": Severity.PAGE,
        "metric": product_metric(SETTINGS, metrics.TURN_ERROR_COUNT, "Sum"),
        "threshold": 5,
    }
    return alarm(stack, id, **{**given, **changes})


@pytest.mark.req("OBS-3")
def test_an_alarm_says_what_is_wrong_how_bad_it_is_and_where_to_read(stack: Stack) -> None:
    _alarm(stack)
    (made,) = _made(stack).values()
    assert made["AlarmDescription"] == "[page] Turns end in errors. Runbook: docs/runbooks/function-errors.md"
    assert made["TreatMissingData"] == "notBreaching"
    assert made["Dimensions"] == [{"Name": "environment", "Value": "staging"}]
    for told in (made["AlarmActions"], made["OKActions"]):
        assert "mangaassist-staging-page" in str(told)


def test_runbooks_may_live_on_the_web(stack: Stack) -> None:
    settings = SETTINGS.model_copy(
        update={"alerting": Alerting(runbook_base="https://wiki.example/runbooks")}
    )
    _alarm(stack, settings=settings)
    (made,) = _made(stack).values()
    assert made["AlarmDescription"].endswith("Runbook: https://wiki.example/runbooks/function-errors.md")


def test_names_follow_from_where_an_alarm_stands(stack: Stack) -> None:
    assert alarm_name(stack, "MessageErrorsAlarm", SETTINGS) == "mangaassist-staging-chat-message-errors"
    assert name_of(_alarm(stack)) == "mangaassist-staging-chat-errors"


def test_alarm_names_are_unique_and_short_enough(application: Synthesized) -> None:
    names = [
        made["Properties"]["AlarmName"]
        for type in ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
        for made in application.resources(type).values()
    ]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= 255
    assert all(name.startswith(f"{application.settings.resource_prefix}-") for name in names)


@pytest.mark.req("OBS-3")
def test_a_composite_names_its_parts_and_is_silent_when_a_bigger_one_explains_it(stack: Stack) -> None:
    parts = [_alarm(stack, "OneAlarm"), _alarm(stack, "TwoAlarm")]
    common: dict[str, Any] = {"settings": SETTINGS, "runbook": "chat-down", "severity": Severity.PAGE}
    down = composite(stack, "Down", what="The chat is down", any_of=parts, **common)
    composite(stack, "Slow", what="It is slow", any_of=parts[:1], suppressed_by=down, **common)
    made = _made(stack, "AWS::CloudWatch::CompositeAlarm")
    assert made["mangaassist-staging-chat-down"]["AlarmRule"] == (
        '(ALARM("mangaassist-staging-chat-one") OR ALARM("mangaassist-staging-chat-two"))'
    )
    slow = made["mangaassist-staging-chat-slow"]
    assert slow["ActionsSuppressor"]["Fn::GetAtt"][0].startswith("Down")
    assert slow["ActionsSuppressorWaitPeriod"] == slow["ActionsSuppressorExtensionPeriod"] == 120
    assert "ActionsSuppressor" not in made["mangaassist-staging-chat-down"]
    resources = Template.from_stack(stack).find_resources("AWS::CloudWatch::CompositeAlarm")
    waits = {name: resource["DependsOn"] for name, resource in resources.items()}
    assert all(any(part.startswith("OneAlarm") for part in each) for each in waits.values())


def test_an_anomaly_is_a_band_that_is_learnt(stack: Stack) -> None:
    anomaly(
        stack,
        "TokensAnomaly",
        settings=SETTINGS,
        what="Unusual",
        runbook="tokens-unusual",
        severity=Severity.TICKET,
        metric=product_metric(
            SETTINGS, metrics.INPUT_TOKENS, "Sum", minutes=60, task_type="answer_synthesis"
        ),
    )
    (made,) = _made(stack).values()
    assert made["ComparisonOperator"] == "LessThanLowerOrGreaterThanUpperThreshold"
    (band,) = [each for each in made["Metrics"] if "Expression" in each]
    assert band["Expression"].startswith("ANOMALY_DETECTION_BAND(")
    assert made["ThresholdMetricId"] == band["Id"]
    assert made["AlarmActions"]


def test_a_share_is_nothing_while_there_is_little(stack: Stack) -> None:
    part = product_metric(SETTINGS, metrics.TURN_ERROR_COUNT, "Sum", minutes=5)
    whole = product_metric(SETTINGS, metrics.TURN_COUNT, "Sum", minutes=5)
    _alarm(stack, metric=share(part, whole, minutes=5, label="errors, %"), threshold=5)
    (made,) = _made(stack).values()
    (expression,) = [each["Expression"] for each in made["Metrics"] if "Expression" in each]
    assert "IF(whole" in expression
    assert ">= 20, 100 * part" in expression
    names = {each["MetricStat"]["Metric"]["MetricName"] for each in made["Metrics"] if "MetricStat" in each}
    assert names == {"TurnErrorCount", "TurnCount"}


def test_a_series_that_nobody_publishes_cannot_be_watched() -> None:
    with pytest.raises(UnpublishedDimensions, match="TurnCount"):
        product_metric(SETTINGS, metrics.TURN_COUNT, "Sum", stage="asin")
    with pytest.raises(UnpublishedDimensions):
        product_metric(SETTINGS, metrics.BEDROCK_INVOCATION, "Sum", model_id="m")
    watched = product_metric(SETTINGS, metrics.TURN_COUNT, "Sum", intent="faq")
    assert watched.dimensions == {"environment": "staging", "intent": "faq"}
    assert watched.period.to_seconds() == Duration.minutes(1).to_seconds()


@pytest.mark.req("OBS-3")
def test_topics_are_encrypted_and_take_messages_from_this_account_over_tls_only(
    application: Synthesized,
) -> None:
    topics = application.resources("AWS::SNS::Topic", "Alerts")
    assert {topic["Properties"]["TopicName"] for topic in topics.values()} == {
        f"{application.settings.resource_prefix}-{severity}" for severity in SEVERITIES
    }
    (key,) = application.resources("AWS::KMS::Key", "Alerts")
    for topic in topics.values():
        assert topic["Properties"]["KmsMasterKeyId"] == {"Fn::GetAtt": [key, "Arn"]}
    policies = application.resources("AWS::SNS::TopicPolicy", "Alerts")
    assert len(policies) == len(topics)
    for policy in policies.values():
        statements = policy["Properties"]["PolicyDocument"]["Statement"]
        refused = [each for each in statements if each["Effect"] == "Deny"]
        assert refused[0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        admitted = [each for each in statements if each["Effect"] == "Allow"]
        assert admitted
        for each in admitted:
            assert each["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    uses = application.only("AWS::KMS::Key", "Alerts")["Properties"]["KeyPolicy"]["Statement"]
    services = next(each for each in uses if isinstance(each["Principal"].get("Service"), list))
    assert set(services["Principal"]["Service"]) >= {"cloudwatch.amazonaws.com", "budgets.amazonaws.com"}


def test_who_subscribes_by_mail_has_a_queue_for_what_did_not_arrive() -> None:
    settings = ENVIRONMENTS["dev"].model_copy(update={"alerting": Alerting(email="on-call@example.com")})
    made = synthesize(settings)
    subscriptions = made.resources("AWS::SNS::Subscription", "Alerts").values()
    assert len(list(subscriptions)) == len(SEVERITIES)
    (queue,) = made.resources("AWS::SQS::Queue", "Alerts")
    for subscription in subscriptions:
        assert subscription["Properties"]["RedrivePolicy"] == {
            "deadLetterTargetArn": {"Fn::GetAtt": [queue, "Arn"]}
        }
    names = {
        alarm["Properties"]["AlarmName"]
        for alarm in made.resources("AWS::CloudWatch::Alarm", "Alerts").values()
    }
    assert names == {
        "mangaassist-dev-alerts-undelivered",
        "mangaassist-dev-alerts-page-not-delivered",
        "mangaassist-dev-alerts-ticket-not-delivered",
    }
