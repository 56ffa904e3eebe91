"""The functions around the policy: the one that seeds it, the one that refuses a bad one, and their answers."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, cast

import pytest

from lambdas.policy_seed import handler as seed
from lambdas.policy_validator import handler as validator
from mangaassist.adapters import custom_resource
from mangaassist.errors import InvalidModelPolicy
from mangaassist.generation.policy import POLICY_FILE, built_in_policy, parse_policy
from tests.unit.mangactl.appconfig import FakeAppConfig

PROPERTIES = {
    "ServiceToken": "arn:aws:lambda:us-east-1:123456789012:function:seed:live",
    "ApplicationId": "app1234",
    "EnvironmentId": "env1234",
    "ConfigurationProfileId": "pro1234",
    "DeploymentStrategyId": "ins1234",
}


def request(kind: str, **changes: Any) -> dict[str, Any]:
    return {
        "RequestType": kind,
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "SeededPolicy",
        "ResponseURL": "http://127.0.0.1/none",
        "ResourceProperties": PROPERTIES | changes,
    }


def act(kind: str, appconfig: FakeAppConfig, **changes: Any) -> str:
    return seed.act(request(kind, **changes), appconfig, pause=lambda seconds: None)


# --- seed -----------------------------------------------------------------------------------------


def test_create_writes_the_built_in_policy_and_waits_until_it_is_in_force() -> None:
    appconfig = FakeAppConfig()
    appconfig.states.extend(["DEPLOYING", "DEPLOYING", "COMPLETE"])
    assert act("Create", appconfig) == "pro1234"
    assert parse_policy(appconfig.versions[1]["Content"]) == built_in_policy()
    assert appconfig.deployments[1]["State"] == "COMPLETE"


def test_create_takes_the_policy_of_its_properties() -> None:
    appconfig = FakeAppConfig()
    act("Create", appconfig, Policy=POLICY_FILE.read_text(encoding="utf-8").replace("800", "700"))
    assert parse_policy(appconfig.versions[1]["Content"]).tasks["answer_synthesis"].max_tokens == 700


def test_create_refuses_a_bad_policy_before_anything_changes() -> None:
    appconfig = FakeAppConfig()
    with pytest.raises(InvalidModelPolicy):
        act("Create", appconfig, Policy="{}")
    assert appconfig.changes == []


@pytest.mark.req("OPS-2")
@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
def test_a_deploy_never_touches_a_flip(kind: str) -> None:
    appconfig = FakeAppConfig()
    appconfig.deploy(POLICY_FILE.read_text(encoding="utf-8"))
    assert act(kind, appconfig) == "pro1234"
    assert appconfig.changes == []


def test_create_after_one_that_broke_off_deploys_what_is_there() -> None:
    appconfig = FakeAppConfig()
    appconfig.create_hosted_configuration_version(
        ApplicationId="app1234",
        ConfigurationProfileId="pro1234",
        Content=POLICY_FILE.read_bytes(),
        ContentType="application/json",
    )
    act("Create", appconfig)
    assert sorted(appconfig.versions) == [1]
    assert appconfig.deployments[1]["ConfigurationVersion"] == "1"


def test_a_rolled_back_seed_fails_the_deploy() -> None:
    appconfig = FakeAppConfig()
    appconfig.states.extend(["DEPLOYING", "ROLLED_BACK"])
    with pytest.raises(seed.SeedNotDeployed, match="ROLLED_BACK"):
        act("Create", appconfig)


# --- validator ------------------------------------------------------------------------------------


def validate(content: bytes) -> None:
    event = {"applicationId": "app1234", "content": base64.b64encode(content).decode(), "uri": "hosted"}
    validator.handler(event, None)


@pytest.mark.req("GEN-2")
def test_the_validator_accepts_the_built_in_policy() -> None:
    validate(POLICY_FILE.read_bytes())


@pytest.mark.req("GEN-2")
def test_the_validator_refuses_with_every_problem_in_its_message() -> None:
    document = json.loads(POLICY_FILE.read_text(encoding="utf-8"))
    document["tasks"]["judge"]["fallback"] = []
    document["tiers"]["strong"]["model_id"] = "claude-latest"
    with pytest.raises(InvalidModelPolicy, match=r"floating alias.*fallback is empty"):
        validate(json.dumps(document).encode())


@pytest.mark.parametrize("content", [None, "", "no base64!", 7, "e30="])
def test_the_validator_refuses_what_is_no_document(content: Any) -> None:
    with pytest.raises(InvalidModelPolicy):
        validator.handler({"content": content}, None)


# --- answers to CloudFormation --------------------------------------------------------------------


class Context:
    def __init__(self, milliseconds: int = 60_000) -> None:
        self._milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self._milliseconds


class CloudFormation(HTTPServer):
    """Takes answers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.answers: list[dict[str, Any]] = []
        self.content_types: list[str | None] = []
        self.url = f"http://127.0.0.1:{self.server_port}/answer"


class Answers(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        server = cast(CloudFormation, self.server)
        server.answers.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        server.content_types.append(self.headers["content-type"])
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Stay quiet."""


@pytest.fixture
def cloudformation() -> Iterator[CloudFormation]:
    with CloudFormation() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_success_is_answered_with_the_resources_id(cloudformation: CloudFormation) -> None:
    event = request("Create") | {"ResponseURL": cloudformation.url}
    custom_resource.answer(event, Context(), lambda each: "pro1234")
    assert cloudformation.answers == [
        {
            "Status": "SUCCESS",
            "Reason": "",
            "PhysicalResourceId": "pro1234",
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "SeededPolicy",
        }
    ]
    assert cloudformation.content_types == [""]


def test_a_failure_is_answered_with_its_reason(cloudformation: CloudFormation) -> None:
    def fail(event: Any) -> str:
        raise InvalidModelPolicy(["tasks.judge is missing: bind it to a tier"])

    event = request("Create") | {"ResponseURL": cloudformation.url}
    custom_resource.answer(event, Context(), fail)
    answer = cloudformation.answers[0]
    assert answer["Status"] == "FAILED"
    assert answer["Reason"] == "InvalidModelPolicy: tasks.judge is missing: bind it to a tier"


def test_running_out_of_time_is_answered_once(cloudformation: CloudFormation) -> None:
    answered = threading.Event()

    class Noted(list[dict[str, Any]]):
        def append(self, item: dict[str, Any]) -> None:
            super().append(item)
            answered.set()

    cloudformation.answers = noted = Noted()

    def linger(event: Any) -> str:
        assert answered.wait(10)
        return "too late"

    event = request("Create") | {"ResponseURL": cloudformation.url}
    custom_resource.answer(event, Context(milliseconds=5_000), linger)
    assert [(each["Status"], each["PhysicalResourceId"]) for each in noted] == [("FAILED", "SeededPolicy")]
