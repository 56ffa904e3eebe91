"""The stacks of one environment, in the order in which they build on each other."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import App

from stacks.alerts import AlertsStack
from stacks.chat import ChatStack
from stacks.environments import EnvironmentSettings
from stacks.guardrail import GuardrailStack
from stacks.ingest import IngestStack
from stacks.model_policy import ModelPolicyStack
from stacks.search import SearchStack
from stacks.sessions import SessionsStack
from stacks.web import WebStack


@dataclass(frozen=True, kw_only=True)
class MangaAssist:
    """The stacks of one environment."""

    alerts: AlertsStack
    sessions: SessionsStack
    search: SearchStack
    policy: ModelPolicyStack
    ingest: IngestStack
    guardrail: GuardrailStack
    chat: ChatStack
    web: WebStack


def build(app: App, settings: EnvironmentSettings) -> MangaAssist:
    """Add the stacks of one environment to ``app``."""
    alerts = AlertsStack(app, settings=settings)
    sessions = SessionsStack(app, settings=settings)
    search = SearchStack(app, settings=settings)
    policy = ModelPolicyStack(app, settings=settings)
    ingest = IngestStack(app, settings=settings, search=search, policy=policy)
    guardrail = GuardrailStack(app, settings=settings, ingest=ingest)
    chat = ChatStack(
        app, settings=settings, sessions=sessions, search=search, policy=policy, guardrail=guardrail
    )
    web = WebStack(app, settings=settings, chat=chat)
    for stack in (sessions, search, policy, ingest, guardrail, chat, web):
        stack.add_stack_dependency(alerts, "its alarms tell the topics there, which they know by name")
    return MangaAssist(
        alerts=alerts,
        sessions=sessions,
        search=search,
        policy=policy,
        ingest=ingest,
        guardrail=guardrail,
        chat=chat,
        web=web,
    )
