"""Handlers follow AppConfig at most every 15 s and never without a policy."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.response import StreamingBody
from botocore.stub import Stubber

from mangaassist.adapters.appconfig_policy import BUILT_IN, POLL_SECONDS, AppConfigPolicySource
from mangaassist.generation.policy import POLICY_FILE, built_in_policy, parse_policy

SESSION = {
    "ApplicationIdentifier": "app1234",
    "EnvironmentIdentifier": "env1234",
    "ConfigurationProfileIdentifier": "pro1234",
    "RequiredMinimumPollIntervalInSeconds": POLL_SECONDS,
}


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


class Service:
    """AppConfig's data plane as a queue of answers; tokens are checked to be used once and in order."""

    def __init__(self) -> None:
        self.client: Any = boto3.client(
            "appconfigdata", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        self.stub = Stubber(self.client)
        self._token = 0

    def begins_a_session(self) -> None:
        self._token += 1
        answer = {"InitialConfigurationToken": f"token-{self._token}"}
        self.stub.add_response("start_configuration_session", answer, SESSION)

    def serves(self, document: str | bytes) -> None:
        raw = document.encode() if isinstance(document, str) else document
        expected = {"ConfigurationToken": f"token-{self._token}"}
        self._token += 1
        answer = {
            "NextPollConfigurationToken": f"token-{self._token}",
            "NextPollIntervalInSeconds": 60,
            "ContentType": "application/json",
            "Configuration": StreamingBody(io.BytesIO(raw), len(raw)),
        }
        self.stub.add_response("get_latest_configuration", answer, expected)

    def fails(self, code: str = "InternalServerException") -> None:
        self.stub.add_client_error("get_latest_configuration", code)


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    with made.stub:
        yield made
    made.stub.assert_no_pending_responses()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source(service: Service, clock: Clock) -> AppConfigPolicySource:
    return AppConfigPolicySource(
        application="app1234", environment="env1234", profile="pro1234", client=service.client, clock=clock
    )


def policy_text(max_tokens: int) -> str:
    document = json.loads(POLICY_FILE.read_text(encoding="utf-8"))
    document["tasks"]["judge"]["max_tokens"] = max_tokens
    return json.dumps(document)


@pytest.mark.req("OPS-2")
async def test_a_flip_is_followed_at_the_next_poll_and_not_before(
    source: AppConfigPolicySource, service: Service, clock: Clock
) -> None:
    service.begins_a_session()
    service.serves(policy_text(101))
    first = await source.current()
    assert first.tasks["judge"].max_tokens == 101
    assert source.version == first.fingerprint
    clock.seconds += POLL_SECONDS - 0.1
    assert await source.current() is first
    service.serves(policy_text(102))
    clock.seconds += 0.1
    assert (await source.current()).tasks["judge"].max_tokens == 102
    assert source.version == parse_policy(policy_text(102)).fingerprint


async def test_an_unchanged_poll_keeps_the_policy(
    source: AppConfigPolicySource, service: Service, clock: Clock
) -> None:
    service.begins_a_session()
    service.serves(policy_text(101))
    first = await source.current()
    service.serves(b"")
    clock.seconds += POLL_SECONDS
    assert await source.current() is first


@pytest.mark.req("GEN-2")
async def test_a_handler_that_cannot_reach_appconfig_starts_with_the_built_in_policy(
    source: AppConfigPolicySource, service: Service
) -> None:
    service.stub.add_client_error("start_configuration_session", "AccessDeniedException")
    assert await source.current() is built_in_policy()
    assert source.version == BUILT_IN


@pytest.mark.req("GEN-2")
async def test_a_failure_keeps_the_last_good_copy_and_begins_a_new_session_later(
    source: AppConfigPolicySource, service: Service, clock: Clock
) -> None:
    service.begins_a_session()
    service.serves(policy_text(101))
    good = await source.current()
    service.fails("ThrottlingException")
    clock.seconds += POLL_SECONDS
    assert await source.current() is good
    # Not asked again before the next poll is due: a failing service must not cost every turn a time-out.
    assert await source.current() is good
    service.begins_a_session()
    service.serves(policy_text(103))
    clock.seconds += POLL_SECONDS
    assert (await source.current()).tasks["judge"].max_tokens == 103


@pytest.mark.req("GEN-2")
@pytest.mark.parametrize("bad", ["not json", "{}", b"\xff\xfe\xfa", '{"schema_version": 1}'])
async def test_a_document_that_is_no_policy_never_reaches_the_handler(
    source: AppConfigPolicySource,
    service: Service,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    bad: str | bytes,
) -> None:
    told: list[dict[str, Any]] = []

    class Log:
        def info(self, message: str, **facts: Any) -> None: ...

        def warning(self, message: str, **facts: Any) -> None:
            told.append(facts)

    monkeypatch.setattr("mangaassist.adapters.appconfig_policy.logger", Log)
    service.begins_a_session()
    service.serves(policy_text(101))
    good = await source.current()
    service.serves(bad)
    clock.seconds += POLL_SECONDS
    assert await source.current() is good
    service.serves(b"")
    clock.seconds += POLL_SECONDS
    assert await source.current() is good
    assert len(told) == 1, "the reason is logged once, not at every poll"
    assert told[0]["reason"]
    assert told[0]["policy_version"] == good.fingerprint
    service.serves(policy_text(104))
    clock.seconds += POLL_SECONDS
    assert (await source.current()).tasks["judge"].max_tokens == 104


async def test_callers_at_the_same_time_make_one_poll(
    source: AppConfigPolicySource, service: Service
) -> None:
    service.begins_a_session()
    service.serves(policy_text(101))
    policies = await asyncio.gather(*(source.current() for _ in range(8)))
    assert {policy.tasks["judge"].max_tokens for policy in policies} == {101}


def test_a_source_outlives_the_event_loop_it_was_first_used_in(
    source: AppConfigPolicySource, service: Service, clock: Clock
) -> None:
    service.begins_a_session()
    service.serves(policy_text(101))
    assert asyncio.run(source.current()).tasks["judge"].max_tokens == 101
    service.serves(policy_text(102))
    clock.seconds += POLL_SECONDS
    assert asyncio.run(source.current()).tasks["judge"].max_tokens == 102


def test_no_network_is_no_failure(clock: Clock) -> None:
    class Unreachable:
        def start_configuration_session(self, **_: Any) -> Any:
            raise EndpointConnectionError(endpoint_url="https://appconfigdata.us-east-1.amazonaws.com")

    source = AppConfigPolicySource(
        application="a", environment="e", profile="p", client=Unreachable(), clock=clock
    )
    assert source.latest() is built_in_policy()


def test_a_client_that_cannot_be_made_is_no_failure(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise ValueError("no region")

    monkeypatch.setattr("mangaassist.adapters.clients.client", refuse)
    source = AppConfigPolicySource(application="a", environment="e", profile="p", clock=clock)
    assert source.latest() is built_in_policy()
