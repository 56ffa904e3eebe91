"""The second region as it waits: enough of the chat to take over, and nothing that costs while nobody asks (RES-7).

An application of its own, rendered by ``-c standby=REGION`` and deployed after the primary's, which makes what is
replicated there. It owns no table, no secret and no feed, only what reads them: search of its own, the functions, both
APIs under the primary's own names, and the second of their failover records. One distribution, in front of both regions,
stays the primary's.

Left out, each with its price: sign-in (shoppers go on as guests), the calendar of sales (raised by hand), dashboards and their composite alarms, the log archive (logs stay here for their hot days).
"""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import App, Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from stacks.alerts import AlertsStack
from stacks.chat import ChatStack
from stacks.constructs.alarm import Severity, alarm
from stacks.constructs.watch import watch_http, watch_table, watch_websocket
from stacks.environments import EnvironmentSettings
from stacks.guardrail import GuardrailStack
from stacks.ingest import IngestStack
from stacks.model_policy import ModelPolicyStack
from stacks.search import SearchStack
from stacks.sessions import SessionsStack


@dataclass(frozen=True, kw_only=True)
class Standby:
    """The stacks of a standby region."""

    alerts: AlertsStack
    sessions: SessionsStack
    search: SearchStack
    policy: ModelPolicyStack
    ingest: IngestStack
    guardrail: GuardrailStack
    chat: ChatStack


def build_standby(app: App, settings: EnvironmentSettings) -> Standby:
    """Add the stacks of a standby region to ``app``; ``settings`` are those of ``stacks.environments.standby``."""
    alerts = AlertsStack(app, settings=settings)
    sessions = SessionsStack(app, settings=settings)
    search = SearchStack(app, settings=settings, network=None)
    policy = ModelPolicyStack(app, settings=settings)
    ingest = IngestStack(app, settings=settings, search=search, policy=policy, network=None)
    guardrail = GuardrailStack(app, settings=settings, ingest=ingest, network=None)
    chat = ChatStack(
        app,
        settings=settings,
        sessions=sessions,
        search=search,
        policy=policy,
        guardrail=guardrail,
        network=None,
        cache=None,
        capacity=None,
        identity=None,
    )
    watch_table(sessions.table, settings=settings, what="sessions")
    watch_table(ingest.catalogue, settings=settings, what="the catalogue")
    watch_websocket(chat.websocket, settings=settings)
    watch_http(chat.http, settings=settings)
    _watch_arrivals(chat, settings)
    for stack in (sessions, search, policy, ingest, guardrail, chat):
        stack.add_stack_dependency(alerts, "its alarms tell the topics there, which they know by name")
    return Standby(
        alerts=alerts,
        sessions=sessions,
        search=search,
        policy=policy,
        ingest=ingest,
        guardrail=guardrail,
        chat=chat,
    )


def _watch_arrivals(chat: ChatStack, settings: EnvironmentSettings) -> None:
    """Wake somebody when shoppers arrive: the primary's region may be unable to say that they left."""
    alarm(
        chat,
        "ShoppersArriveAlarm",
        settings=settings,
        what="Shoppers connect to the standby region",
        runbook="region-loss",
        severity=Severity.PAGE,
        metric=cloudwatch.Metric(
            namespace="AWS/ApiGateway",
            metric_name="ConnectCount",
            dimensions_map={"ApiId": chat.websocket.api.api_id, "Stage": chat.websocket.stage.stage_name},
            statistic="Sum",
            period=Duration.minutes(1),
        ),
        threshold=0,
        evaluation_periods=3,
        datapoints_to_alarm=2,
    )
