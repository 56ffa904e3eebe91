"""The pipeline and the roles that deploy, and the same way on GitHub Actions."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from aws_cdk import App

from stacks.checks import template_rules
from stacks.delivery import BOOTSTRAP_ROLES, PROD_ALARM, TARGETS, build_delivery
from tests.infrastructure.synthesized import ROOT, Synthesized

WORKFLOWS = ROOT / ".github" / "workflows"


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    flags = json.loads((ROOT / "cdk.json").read_text("utf-8"))["context"]
    app = App(context=flags)
    stack = build_delivery(app)
    return app.synth().get_stack_by_name(stack.stack_name).template


@pytest.fixture(scope="module")
def stages(template: dict[str, Any]) -> list[dict[str, Any]]:
    (pipeline,) = of_type(template, "AWS::CodePipeline::Pipeline").values()
    return pipeline["Properties"]["Stages"]


def of_type(template: dict[str, Any], type: str) -> dict[str, Any]:
    return {name: body for name, body in template["Resources"].items() if body["Type"] == type}


def commands(template: dict[str, Any], project: str) -> list[str]:
    for body in of_type(template, "AWS::CodeBuild::Project").values():
        if body["Properties"]["Name"] == f"mangaassist-{project}":
            return json.loads(body["Properties"]["Source"]["BuildSpec"])["phases"]["build"]["commands"]
    raise AssertionError(f"no project {project}")


@pytest.mark.req("IAC-3")
def test_the_stages_come_in_order_and_prod_waits_for_a_person(stages: list[dict[str, Any]]) -> None:
    assert [stage["Name"] for stage in stages] == ["Source", "Verify", "Dev", "Staging", "Prod"]
    prod = sorted(stages[-1]["Actions"], key=lambda action: action["RunOrder"])
    assert [action["Name"] for action in prod] == ["ChangeSets", "Approve", "Deploy", "Smoke"]
    assert prod[1]["ActionTypeId"]["Category"] == "Approval"
    assert len({action["RunOrder"] for action in prod}) == 4


@pytest.mark.req("IAC-3")
def test_a_release_that_hurts_is_rolled_back(stages: list[dict[str, Any]]) -> None:
    assert {stage["Name"] for stage in stages if stage.get("OnFailure") == {"Result": "ROLLBACK"}} == {
        "Dev",
        "Staging",
        "Prod",
    }
    (condition,) = stages[-1]["OnSuccess"]["Conditions"]
    (rule,) = condition["Rules"]
    assert (condition["Result"], rule["RuleTypeId"]["Provider"]) == ("ROLLBACK", "CloudWatchAlarm")


def test_the_alarm_that_rolls_back_exists(prod: Synthesized) -> None:
    (alarm,) = [
        body
        for body in prod.resources("AWS::CloudWatch::CompositeAlarm").values()
        if body["Properties"]["AlarmName"] == PROD_ALARM
    ]
    assert alarm["Properties"]["AlarmRule"]


def test_what_is_deployed_is_what_was_verified(
    template: dict[str, Any], stages: list[dict[str, Any]]
) -> None:
    assert commands(template, "verify")[:3] == ["make setup", "make check", "make test"]
    for stage, target in zip(stages[2:], TARGETS, strict=True):
        assert f"--app cdk.out/{target}" in " ".join(commands(template, f"{target}deploy"))
        for action in stage["Actions"]:
            if action["ActionTypeId"]["Category"] == "Build":
                assert action["InputArtifacts"] == [{"Name": "verified"}]


@pytest.mark.req("SEC-4")
def test_whoever_deploys_may_only_take_on_the_deployment_roles(template: dict[str, Any]) -> None:
    assumed = {
        name: statement
        for name, body in of_type(template, "AWS::IAM::Policy").items()
        for statement in body["Properties"]["PolicyDocument"]["Statement"]
        if statement["Action"] == "sts:AssumeRole"
    }
    assert len([name for name in assumed if name.startswith("GitHub")]) == len(TARGETS)
    for statement in assumed.values():
        text = json.dumps(statement["Resource"])
        assert sorted(set(re.findall(r"role/cdk-hnb659fds-([a-z-]+)-role-", text))) == sorted(BOOTSTRAP_ROLES)


@pytest.mark.parametrize("target", TARGETS)
def test_a_github_role_trusts_one_environment_of_one_repository(
    template: dict[str, Any], target: str
) -> None:
    (role,) = [
        body
        for name, body in of_type(template, "AWS::IAM::Role").items()
        if name.startswith(f"GitHub{target.capitalize()}")
    ]
    (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    equals = statement["Condition"]["StringEquals"]
    assert equals["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    subject = json.dumps(equals["token.actions.githubusercontent.com:sub"])
    assert f":environment:{target}" in subject
    assert "*" not in subject


def test_our_own_rules_hold_here_too(template: dict[str, Any]) -> None:
    assert [finding for rule in template_rules.RULES for finding in rule.check(template)] == []


def test_github_delivers_to_the_same_environments_in_the_same_order() -> None:
    workflow = yaml.safe_load((WORKFLOWS / "deliver.yml").read_text("utf-8"))
    deliver = workflow["jobs"]["deliver"]
    assert deliver["strategy"]["matrix"]["environment"] == list(TARGETS)
    assert (deliver["strategy"]["max-parallel"], deliver["strategy"]["fail-fast"]) == (1, True)
    assert deliver["environment"] == "${{ matrix.environment }}"
    assert deliver["permissions"] == {"contents": "read", "id-token": "write"}
