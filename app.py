"""Choose the environment, build its stacks, attach the checks."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from aws_cdk import App

from stacks.chat import ChatStack
from stacks.checks import attach
from stacks.environments import EnvironmentSettings, UnknownEnvironment, environment_named
from stacks.guardrail import GuardrailStack
from stacks.ingest import IngestStack
from stacks.model_policy import ModelPolicyStack
from stacks.search import SearchStack
from stacks.sessions import SessionsStack
from stacks.web import WebStack


@dataclass(frozen=True, kw_only=True)
class MangaAssist:
    """The stacks of one environment."""

    sessions: SessionsStack
    search: SearchStack
    policy: ModelPolicyStack
    ingest: IngestStack
    guardrail: GuardrailStack
    chat: ChatStack
    web: WebStack


def build(app: App, settings: EnvironmentSettings) -> MangaAssist:
    """Add the stacks of one environment to ``app``."""
    sessions = SessionsStack(app, settings=settings)
    search = SearchStack(app, settings=settings)
    policy = ModelPolicyStack(app, settings=settings)
    ingest = IngestStack(app, settings=settings, search=search, policy=policy)
    guardrail = GuardrailStack(app, settings=settings, ingest=ingest)
    chat = ChatStack(
        app, settings=settings, sessions=sessions, search=search, policy=policy, guardrail=guardrail
    )
    web = WebStack(app, settings=settings, chat=chat)
    return MangaAssist(
        sessions=sessions,
        search=search,
        policy=policy,
        ingest=ingest,
        guardrail=guardrail,
        chat=chat,
        web=web,
    )


def main() -> None:
    """Synthesize the environment named by ``-c environment=NAME``."""
    app = App()
    try:
        settings = environment_named(app.node.try_get_context("environment") or "local")
    except UnknownEnvironment as problem:
        sys.exit(f"error: {problem}")
    attach(app, build(app, settings))
    app.synth()


if __name__ == "__main__":
    main()
