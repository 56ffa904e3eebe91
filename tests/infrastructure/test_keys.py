"""Who may use which key: each AWS service exactly what it needs, under a condition, and nobody else beside the account."""

from __future__ import annotations

import fnmatch
import re
from typing import Any

import pytest

from stacks.environments import ENVIRONMENTS, EnvironmentSettings
from tests.infrastructure.synthesized import Synthesized, readable, synthesize

READ_AND_WRITE = {"kms:Decrypt", "kms:GenerateDataKey"}
LOGS = {"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"}
SERVICES: dict[str, dict[str, set[str]]] = {
    "Alerts": dict.fromkeys(("budgets", "cloudwatch", "events", "sns"), READ_AND_WRITE),
    "Audit": {
        "cloudtrail": {"kms:DescribeKey", "kms:GenerateDataKey"},
        "config": READ_AND_WRITE,
        "events": READ_AND_WRITE,
        "logs.us-east-1": LOGS,
    },
    "Catalogue": {
        "delivery.logs": {
            "kms:Decrypt",
            "kms:DescribeKey",
            "kms:Encrypt",
            "kms:GenerateDataKey*",
            "kms:ReEncrypt*",
        },
        "logs.us-east-1": LOGS,
    },
    "Keys": {"events": READ_AND_WRITE, "logs.us-east-1": LOGS},
    "Network": {"logs.us-east-1": LOGS},
}
"""By stack and service, what its key lets the service do; the keys of all other stacks are used by roles alone."""
NARROWING = {
    "aws:SourceAccount",
    "aws:SourceArn",
    "kms:EncryptionContext:aws:cloudtrail:arn",
    "kms:EncryptionContext:aws:logs:arn",
}


def _statements(application: Synthesized, concern: str) -> list[dict[str, Any]]:
    return [
        statement
        for key in application.resources("AWS::KMS::Key", concern).values()
        for statement in key["Properties"]["KeyPolicy"]["Statement"]
    ]


def _services(statement: dict[str, Any]) -> list[str]:
    named = statement["Principal"].get("Service", [])
    return [str(service) for service in (named if isinstance(named, list) else [named])]


def _actions(statement: dict[str, Any]) -> list[str]:
    return statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]


@pytest.mark.req("SEC-5")
def test_a_service_may_do_this_with_a_key_and_nothing_else(application: Synthesized) -> None:
    for concern in application.templates:
        admitted: dict[str, set[str]] = {}
        for statement in _statements(application, concern):
            for service in _services(statement):
                name = service.removesuffix(".amazonaws.com")
                admitted.setdefault(name, set()).update(_actions(statement))
        assert admitted == SERVICES.get(concern, {}), concern


@pytest.mark.req("SEC-5")
def test_a_service_uses_a_key_for_this_account_or_one_thing_of_it_only(application: Synthesized) -> None:
    for concern in application.templates:
        for statement in _statements(application, concern):
            if _services(statement):
                asked = {key for keys in statement.get("Condition", {}).values() for key in keys}
                assert asked & NARROWING, (concern, statement)


@pytest.mark.req("SEC-5")
def test_beside_services_only_the_account_itself_is_named(application: Synthesized) -> None:
    for concern in application.templates:
        for statement in _statements(application, concern):
            if statement["Principal"] == {"AWS": "*"}:
                # Anybody of this account by way of Secrets Manager alone: what the key that AWS keeps for it says, too.
                asked = statement["Condition"]["StringEquals"]
                assert asked["kms:CallerAccount"] == {"Ref": "AWS::AccountId"}
                assert all(service.startswith("secretsmanager.") for service in asked["kms:ViaService"])
            elif not _services(statement):
                assert readable(statement["Principal"]["AWS"]) == "arn:aws:iam::${AWS::AccountId}:root"


def _key_of(application: Synthesized, concern: str, value: dict[str, Any]) -> dict[str, Any]:
    """The key that a property of a stack names, which may be another stack's."""
    if "Fn::ImportValue" in value:
        stack, export = value["Fn::ImportValue"].split(":", 1)
        concern = stack.removeprefix(f"MangaAssist-{application.settings.name}-")
        logical_id = re.sub(r"^ExportsOutputFnGetAtt(.+)Arn[0-9A-F]{8}$", r"\1", export)
    else:
        logical_id = value["Fn::GetAtt"][0]
    return application.resources("AWS::KMS::Key", concern)[logical_id]


@pytest.fixture(scope="module", params=["staging", "prod"])
def keyed(request: pytest.FixtureRequest) -> Synthesized:
    """The environments with a key for operations."""
    application = synthesize(ENVIRONMENTS[request.param])
    assert application.settings.operations_key
    return application


@pytest.mark.req("SEC-5")
def test_cloudwatch_logs_may_use_the_key_of_every_log_group_under_its_name(keyed: Synthesized) -> None:
    seen = 0
    for concern in keyed.templates:
        for group in keyed.resources("AWS::Logs::LogGroup", concern).values():
            properties = group["Properties"]
            key = _key_of(keyed, concern, properties["KmsKeyId"])
            (admitted,) = [
                statement
                for statement in key["Properties"]["KeyPolicy"]["Statement"]
                if _services(statement) == ["logs.us-east-1.amazonaws.com"]
            ]
            ((operator, asked),) = admitted["Condition"].items()
            assert operator in {"ArnEquals", "ArnLike"}
            patterns = asked["kms:EncryptionContext:aws:logs:arn"]
            arn = f"arn:aws:logs:us-east-1:${{AWS::AccountId}}:log-group:{properties['LogGroupName']}"
            assert any(
                fnmatch.fnmatchcase(arn, readable(pattern).replace("[", "[[]"))
                for pattern in (patterns if isinstance(patterns, list) else [patterns])
            ), arn
            seen += 1
    assert seen >= 20


@pytest.mark.req("SEC-5")
def test_the_key_for_logs_is_no_key_for_the_logs_of_others(keyed: Synthesized) -> None:
    (admitted,) = [
        statement
        for statement in _statements(keyed, "Keys")
        if _services(statement) == ["logs.us-east-1.amazonaws.com"]
    ]
    name = keyed.settings.name
    patterns = admitted["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
    assert {readable(pattern) for pattern in patterns} == {
        f"arn:aws:logs:us-east-1:${{AWS::AccountId}}:log-group:{group}"
        for group in (
            f"/mangaassist/{name}/*",
            f"/aws/sagemaker/Endpoints/mangaassist-{name}-*",
            f"aws-waf-logs-mangaassist-{name}*",
        )
    }


@pytest.mark.req("SEC-5", "RES-5")
def test_whoever_sends_to_a_queue_may_use_its_key_for_that_alone(keyed: Synthesized) -> None:
    senders = 0
    for concern in keyed.templates:
        queues = keyed.resources("AWS::SQS::Queue", concern)
        for policy in keyed.resources("AWS::IAM::Policy", concern).values():
            statements = policy["Properties"]["PolicyDocument"]["Statement"]
            for statement in statements:
                if "sqs:SendMessage" not in _actions(statement):
                    continue
                queue = queues[statement["Resource"]["Fn::GetAtt"][0]]["Properties"]
                (use,) = [each for each in statements if each["Resource"] == queue["KmsMasterKeyId"]]
                assert set(_actions(use)) == READ_AND_WRITE
                assert use["Condition"] == {"StringEquals": {"kms:ViaService": "sqs.us-east-1.amazonaws.com"}}
                senders += 1
    assert senders >= 5


@pytest.mark.req("SEC-5", "RES-5")
def test_rules_may_use_the_key_of_every_queue_that_they_send_to(keyed: Synthesized) -> None:
    sent = 0
    for concern in keyed.templates:
        queues = keyed.resources("AWS::SQS::Queue", concern)
        for rule in keyed.resources("AWS::Events::Rule", concern).values():
            for target in rule["Properties"]["Targets"]:
                for arn in (target["Arn"], target.get("DeadLetterConfig", {}).get("Arn", {})):
                    logical_id = arn.get("Fn::GetAtt", [None])[0]
                    if logical_id in queues:
                        value = queues[logical_id]["Properties"]["KmsMasterKeyId"]
                        policy = _key_of(keyed, concern, value)["Properties"]["KeyPolicy"]["Statement"]
                        (admitted,) = [each for each in policy if "events.amazonaws.com" in _services(each)]
                        assert set(_actions(admitted)) == READ_AND_WRITE
                        sent += 1
    assert sent >= 2


@pytest.mark.req("SEC-5")
def test_elsewhere_the_services_own_keys_do(application: Synthesized) -> None:
    if application.settings.operations_key:
        assert len(application.resources("AWS::KMS::Key", "Keys")) == 1
        return
    assert "Keys" not in application.templates
    for group in application.resources("AWS::Logs::LogGroup").values():
        assert "KmsKeyId" not in group["Properties"]


@pytest.mark.req("SEC-5")
def test_the_edge_of_another_region_has_a_key_there() -> None:
    settings = EnvironmentSettings(
        **{
            **ENVIRONMENTS["staging"].model_dump(),
            "region": "us-west-2",
            "replica_regions": (),
        }
    )
    made = synthesize(settings)
    assert {"Keys", "Keys-us-east-1"} <= set(made.templates)
    for group in made.resources("AWS::Logs::LogGroup", "Edge").values():
        assert readable(group["Properties"]["KmsKeyId"]).startswith("${import:Exports")
        assert "Keys-us-east-1" in str(group["Properties"]["KmsKeyId"])
    (admitted,) = [
        statement
        for statement in _statements(made, "Keys-us-east-1")
        if "logs.us-east-1.amazonaws.com" in _services(statement)
    ]
    assert set(_actions(admitted)) == LOGS
