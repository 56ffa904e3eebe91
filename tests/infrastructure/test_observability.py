"""What is watched, what it adds up to, what is drawn; and that all of it is about things that exist."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from mangaassist import metrics
from mangaassist.capacity.latency import latency_budget
from mangaassist.intents.intents import Intent
from mangaassist.metrics import CATALOGUE
from stacks.dashboards import INTENTS
from stacks.environments import ENVIRONMENTS
from stacks.observability import ERRORS_WATCHED_ELSEWHERE
from stacks.product_alarms import WATCHES
from tests.infrastructure.synthesized import Synthesized, readable, synthesize

DASHBOARDS = ("chat", "retrieval", "models", "guardrails", "ingest", "capacity")
WATCHED = [name for name, settings in ENVIRONMENTS.items() if settings.observability]


@pytest.fixture(scope="module", params=WATCHED)
def watched(request: pytest.FixtureRequest) -> Synthesized:
    """Each environment that is watched."""
    return synthesize(ENVIRONMENTS[request.param])


def _alarms(application: Synthesized, concern: str | None = None) -> dict[str, dict[str, Any]]:
    return {
        made["Properties"]["AlarmName"]: made["Properties"]
        for made in application.resources("AWS::CloudWatch::Alarm", concern).values()
    }


def _metrics(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """What an alarm watches: name, namespace, dimensions."""
    if "MetricName" in alarm:
        return [alarm]
    return [each["MetricStat"]["Metric"] for each in alarm["Metrics"] if "MetricStat" in each]


def _own(alarm: dict[str, Any]) -> set[tuple[str, tuple[str, ...]]]:
    return {
        (metric["MetricName"], tuple(each["Name"] for each in metric["Dimensions"]))
        for metric in _metrics(alarm)
        if metric["Namespace"] == metrics.NAMESPACE
    }


def test_all_but_the_laptop_is_watched() -> None:
    assert [name for name in ENVIRONMENTS if name not in WATCHED] == ["local"]
    local = synthesize(ENVIRONMENTS["local"])
    assert not {"Observability", "Audit", "LogArchive"} & set(local.templates)


@pytest.mark.req("OBS-3")
def test_alarms_on_our_metrics_watch_series_that_are_published(watched: Synthesized) -> None:
    seen = 0
    for name, alarm in _alarms(watched).items():
        for metric, dimensions in _own(alarm):
            known = CATALOGUE[metric]
            assert known.is_emitted, f"{name} watches {metric}, which nobody emits"
            assert "environment" in dimensions
            rest = {each for each in dimensions if each != "environment"}
            assert rest in [set(names) for names in known.dimensions], f"{name}: {metric} under {rest}"
            seen += 1
    assert seen > 30
    for alarm in _alarms(watched).values():
        for metric in _metrics(alarm):
            if metric["Namespace"] == metrics.NAMESPACE:
                assert {"Name": "environment", "Value": watched.settings.name} in metric["Dimensions"]


@pytest.mark.req("OBS-3")
def test_every_metric_of_the_requirements_that_is_emitted_has_an_alarm_or_stands_on_a_dashboard(
    watched: Synthesized,
) -> None:
    alarmed = {metric for alarm in _alarms(watched).values() for metric, _ in _own(alarm)}
    drawn = set(re.findall(r'"MangaAssist","(\w+)"|MetricName=\\*"(\w+)', "".join(_bodies(watched).values())))
    shown = alarmed | {name for pair in drawn for name in pair if name}
    emitted = {name for name, metric in CATALOGUE.items() if metric.is_emitted}
    elsewhere = {
        "ThroughputActive",
        "ThroughputIdle",
        "ThroughputOrphan",
        "ThroughputStepFailed",
        "PrewarmCapped",
    }
    elsewhere |= {"GuestTokenIssued", "ModelWarmUpFailed"}
    if watched.settings.catalogue is None:
        elsewhere |= {name for name in emitted if name.startswith("Catalogue")}
    assert emitted - shown <= elsewhere


def test_what_waits_for_its_metric_waits_with_its_limits_written_down() -> None:
    waiting = {watch.id for watch in WATCHES if not watch.is_possible}
    assert waiting == {
        "CacheHitsAlarm",
        "CompressionAlarm",
        "ContextBudgetAlarm",
        "DroppedTurnsAlarm",
        "EnrichmentAlarm",
    }
    assert len({watch.id for watch in WATCHES}) == len(WATCHES)


@pytest.mark.req("CAP-5")
def test_each_hop_of_the_latency_budget_has_an_alarm_at_its_budget(watched: Synthesized) -> None:
    found = {
        metric: (alarm["Threshold"], alarm["ExtendedStatistic"])
        for alarm in _alarms(watched, "Observability").values()
        for metric, _ in _own(alarm)
        if metric.startswith("Hop")
    }
    assert found == {hop.metric: (hop.budget_ms, "p95") for hop in latency_budget().hops if hop.is_measured}
    (first,) = [
        alarm
        for alarm in _alarms(watched, "Observability").values()
        if ("TimeToFirstTokenMs", ("environment",)) in _own(alarm)
    ]
    assert first["Threshold"] == latency_budget().total_ms == 3_000


@pytest.mark.req("STR-14", "RET-8", "ING-7")
def test_the_limits_are_those_of_the_requirements(prod: Synthesized) -> None:
    alarms = _alarms(prod, "Observability")
    prefix = "mangaassist-prod-observability-"

    def limit(name: str) -> tuple[Any, ...]:
        alarm = alarms[prefix + name]
        return (
            alarm["ComparisonOperator"],
            alarm["Threshold"],
            alarm.get("ExtendedStatistic") or alarm.get("Statistic"),
        )

    assert limit("stream-gap") == ("GreaterThanThreshold", 500, "p95")
    chunks = alarms[prefix + "retrieved-chunks"]
    assert limit("retrieved-chunks") == ("LessThanThreshold", 2, "p50")
    assert (chunks["Period"], chunks["EvaluationPeriods"], chunks["DatapointsToAlarm"]) == (60, 2, 2)
    assert limit("completion-rate") == ("LessThanThreshold", 95, "Average")


@pytest.mark.req("GEN-5")
def test_a_model_on_the_wrong_task_is_noticed_at_the_first_call(prod: Synthesized) -> None:
    for name, task, tiers, degraded in (
        ("strong-classifier", "intent_classification", {"strong", "strong_fallback"}, {"yes", "no"}),
        ("cheap-answers", "answer_synthesis", {"economy", "economy_fallback"}, {"no"}),
    ):
        alarm = _alarms(prod)[f"mangaassist-prod-observability-{name}"]
        assert alarm["Threshold"] == 0
        watched = [
            {each["Name"]: each["Value"] for each in metric["Dimensions"]} for metric in _metrics(alarm)
        ]
        assert {each["task_type"] for each in watched} == {task}
        assert {each["tier"] for each in watched} == tiers
        assert {each["degraded"] for each in watched} == degraded


@pytest.mark.req("GEN-5")
def test_unusual_tokens_per_task_and_hour_are_noticed_where_there_is_a_usual(prod: Synthesized) -> None:
    found = [alarm for alarm in _alarms(prod, "Observability").values() if "ThresholdMetricId" in alarm]
    assert {metric for alarm in found for metric, _ in _own(alarm)} == {
        "InputTokens",
        "OutputTokens",
        "TurnCount",
    }
    stats = [each["MetricStat"] for alarm in found for each in alarm["Metrics"] if "MetricStat" in each]
    assert {(each["Period"], each["Stat"]) for each in stats} == {(3_600, "Sum")}
    staging = synthesize(ENVIRONMENTS["staging"])
    assert not [alarm for alarm in _alarms(staging).values() if "ThresholdMetricId" in alarm]


@pytest.mark.req("OBS-3")
def test_every_function_is_watched_for_errors_throttles_and_slowness(watched: Synthesized) -> None:
    kinds: dict[str, set[str]] = {}
    for alarm in _alarms(watched).values():
        for metric in _metrics(alarm):
            if metric["Namespace"] == "AWS/Lambda":
                name = {each["Name"]: each["Value"] for each in metric["Dimensions"]}["FunctionName"]
                kinds.setdefault(readable(name).strip("${}"), set()).add(metric["MetricName"])
    for folder in watched.functions():
        wanted = {"Throttles", "Duration"} | ({"Errors"} if folder != "policy_validator" else set())
        assert wanted <= kinds[watched.logical_id(folder)], folder
    assert set(ERRORS_WATCHED_ELSEWHERE) <= set(watched.functions())


@pytest.mark.req("OBS-3")
def test_every_queue_of_failures_has_an_alarm_on_its_depth(application: Synthesized) -> None:
    watched = {
        readable(each["Value"])
        for alarm in _alarms(application).values()
        for metric in _metrics(alarm)
        if metric["MetricName"] == "ApproximateNumberOfMessagesVisible"
        for each in metric["Dimensions"]
    }
    queues = application.resources("AWS::SQS::Queue")
    assert queues
    for queue in queues:
        assert f"${{{queue}.QueueName}}" in watched, queue


@pytest.mark.req("OBS-3")
def test_gateways_tables_search_and_models_are_watched(watched: Synthesized) -> None:
    names = {
        (metric["Namespace"], metric["MetricName"])
        for alarm in _alarms(watched).values()
        for metric in _metrics(alarm)
    }
    assert names >= {
        ("AWS/ApiGateway", "5xx"),
        ("AWS/ApiGateway", "4xx"),
        ("AWS/ApiGateway", "IntegrationError"),
        ("AWS/ApiGateway", "ExecutionError"),
        ("AWS/ApiGateway", "ClientError"),
        ("AWS/DynamoDB", "ReadThrottleEvents"),
        ("AWS/DynamoDB", "WriteThrottleEvents"),
        ("AWS/DynamoDB", "SystemErrors"),
        ("AWS/AOSS", "SearchRequestErrors"),
    }
    queries = {
        each["Expression"]
        for alarm in _alarms(watched).values()
        for each in alarm.get("Metrics", [])
        if "SELECT" in each.get("Expression", "")
    }
    assert queries == {
        'SELECT MAX(SearchOCU) FROM "AWS/AOSS"',
        'SELECT MAX(IndexingOCU) FROM "AWS/AOSS"',
        'SELECT SUM(InvocationThrottles) FROM "AWS/Bedrock"',
        'SELECT SUM(InvocationServerErrors) FROM "AWS/Bedrock"',
        'SELECT SUM(InvocationClientErrors) FROM "AWS/Bedrock"',
    }


@pytest.mark.req("OBS-3")
def test_one_page_for_one_trouble(watched: Synthesized) -> None:
    composites = {
        made["Properties"]["AlarmName"]: made["Properties"]
        for made in watched.resources("AWS::CloudWatch::CompositeAlarm").values()
    }
    down = f"{watched.settings.resource_prefix}-observability-chat-is-down"
    assert len(composites) == 7
    known = _alarms(watched)
    for name, made in composites.items():
        assert made["AlarmDescription"].startswith("[page]")
        parts = re.findall(r'ALARM\("([^"]+)"\)', made["AlarmRule"])
        assert parts
        for part in parts:
            assert known[part]["AlarmDescription"].startswith("[ticket]"), (
                "a part that pages would page twice"
            )
        if name == down:
            assert "ActionsSuppressor" not in made
        else:
            suppressor = made["ActionsSuppressor"]["Fn::GetAtt"][0]
            template = watched.templates["Observability"]["Resources"]
            assert template[suppressor]["Properties"]["AlarmName"] == down


def test_a_composite_is_made_after_its_parts(watched: Synthesized) -> None:
    for made in watched.resources("AWS::CloudWatch::CompositeAlarm", "Observability").values():
        own = {
            name
            for name, resource in watched.resources("AWS::CloudWatch::Alarm", "Observability").items()
            if f'"{resource["Properties"]["AlarmName"]}"' in made["Properties"]["AlarmRule"]
        }
        assert own <= set(made["DependsOn"])


def _bodies(application: Synthesized) -> dict[str, str]:
    return {
        made["Properties"]["DashboardName"]: "".join(
            part if isinstance(part, str) else "x"
            for part in made["Properties"]["DashboardBody"]["Fn::Join"][1]
        )
        if isinstance(made["Properties"]["DashboardBody"], dict)
        else made["Properties"]["DashboardBody"]
        for made in application.resources("AWS::CloudWatch::Dashboard").values()
    }


@pytest.mark.req("OBS-2")
def test_there_are_six_dashboards_and_each_can_be_read(watched: Synthesized) -> None:
    bodies = _bodies(watched)
    assert set(bodies) == {f"{watched.settings.resource_prefix}-{name}" for name in DASHBOARDS}
    for body in bodies.values():
        widgets = json.loads(body)["widgets"]
        assert len(widgets) >= 6
        titles = [widget["properties"].get("title") for widget in widgets if widget["type"] != "text"]
        assert len(set(titles)) == len(titles)
        assert all(titles)


@pytest.mark.req("OBS-2")
def test_the_chat_is_shown_per_intent(prod: Synthesized) -> None:
    assert set(INTENTS) == {intent.value for intent in Intent}
    shown: dict[str, set[str]] = {}
    statistics: dict[str, set[str]] = {}
    for body in _bodies(prod).values():
        for widget in json.loads(body)["widgets"]:
            for row in widget["properties"].get("metrics", []):
                if row[0] == "MangaAssist" and "intent" in row:
                    shown.setdefault(row[1], set()).add(row[row.index("intent") + 1])
                    statistics.setdefault(row[1], set()).add(row[-1].get("stat", "Average"))
    for name in (
        "TurnCount",
        "TurnErrorCount",
        "TurnDurationMs",
        "InputTokens",
        "OutputTokens",
        "GuardrailTriggerCount",
    ):
        assert shown[name] == set(INTENTS), name
    assert statistics["TurnDurationMs"] == {"p50", "p95", "p99"}


def test_dashboards_draw_series_of_this_environment_that_are_published(watched: Synthesized) -> None:
    for body in _bodies(watched).values():
        for widget in json.loads(body)["widgets"]:
            for row in widget["properties"].get("metrics", []):
                if row[0] == "MangaAssist":
                    given = [each for each in row[2:] if isinstance(each, str)]
                    dimensions = dict(zip(given[::2], given[1::2], strict=True))
                    assert dimensions.pop("environment") == watched.settings.name
                    assert set(dimensions) in [set(names) for names in CATALOGUE[row[1]].dimensions]


@pytest.mark.req("OBS-1")
def test_traces_are_grouped_by_who_waits(watched: Synthesized) -> None:
    groups = watched.resources("AWS::XRay::Group", "Observability").values()
    filters = {made["Properties"]["FilterExpression"] for made in groups}
    name = watched.settings.name
    assert filters == {
        f'annotation.environment = "{name}" AND annotation.path_type = "{path}"'
        for path in ("critical_sync", "async_background")
    }
    assert all(len(made["Properties"]["GroupName"]) <= 32 for made in groups)


@pytest.mark.req("OBS-3")
def test_the_budget_tells_at_80_and_at_100_percent(watched: Synthesized) -> None:
    budget = watched.only("AWS::Budgets::Budget", "Observability")["Properties"]
    assert budget["Budget"]["BudgetLimit"]["Amount"] == watched.settings.alerting.monthly_budget_usd
    tags = [each["Tags"] for each in budget["Budget"]["FilterExpression"]["And"]]
    assert tags == [
        {"Key": "application", "Values": ["mangaassist"]},
        {"Key": "environment", "Values": [watched.settings.name]},
    ]
    told = {
        each["Notification"]["Threshold"]: readable(each["Subscribers"][0]["Address"]).rsplit("-", 1)[-1]
        for each in budget["NotificationsWithSubscribers"]
    }
    assert told == {80: "ticket", 100: "page"}
