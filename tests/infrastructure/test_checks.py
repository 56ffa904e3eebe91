"""Each rule of our own stays silent on good templates and finds the bad one."""

from __future__ import annotations

from typing import Any

import pytest

from stacks.checks import (
    alarms_have_runbooks,
    data_is_encrypted,
    default_endpoints_closed,
    events_are_never_lost,
    function_logs_expire,
    functions_behind_alias,
    log_groups_expire,
    no_default_security_group,
    no_emulator_addresses,
    no_open_ingress,
    no_secrets,
    no_wildcard_actions,
    no_wildcard_resources,
    queues_are_encrypted,
)
from stacks.checks.rule import Finding, Rule
from stacks.checks.template_rules import RULES
from tests.infrastructure.synthesized import Synthesized


def _template(**resources: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "Resources": {name: {"Type": type, "Properties": body} for name, (type, body) in resources.items()}
    }


def _policy(action: Any, resource: Any = "arn:aws:s3:::bucket", effect: str = "Allow") -> dict[str, Any]:
    statement = {"Effect": effect, "Action": action, "Resource": resource}
    return _template(Policy=("AWS::IAM::Policy", {"PolicyDocument": {"Statement": [statement]}}))


def _function(**properties: Any) -> tuple[str, dict[str, Any]]:
    return "AWS::Lambda::Function", properties


def _findings(rule: Rule, template: dict[str, Any]) -> list[Finding]:
    return list(rule.check(template))


@pytest.mark.req("IAC-5")
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_finds_nothing_in_our_templates(application: Synthesized, rule: Rule) -> None:
    found = [
        finding for template in application.templates.values() for finding in _findings(rule, dict(template))
    ]
    # The one acknowledged exception: without names of our own CloudFront has no other way to the two APIs.
    open_apis = rule is default_endpoints_closed.RULE and application.settings.domains is None
    assert len(found) == (2 if open_apis else 0), found


def test_rules_have_ids_of_their_own_and_say_why() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.id.startswith("MangaAssist-") and rule.what and rule.why for rule in RULES)


@pytest.mark.req("SEC-4")
@pytest.mark.parametrize("action", ["s3:*", "s3:Get*", "*", ["s3:GetObject", "s3:List*"]])
def test_no_wildcard_actions(action: Any) -> None:
    assert [found.logical_id for found in _findings(no_wildcard_actions.RULE, _policy(action))] == ["Policy"]
    assert _findings(no_wildcard_actions.RULE, _policy(action, effect="Deny")) == []
    inline = {"Policies": [{"PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": action}]}}]}
    assert _findings(no_wildcard_actions.RULE, _template(Role=("AWS::IAM::Role", inline)))


@pytest.mark.req("SEC-4")
def test_no_wildcard_resources() -> None:
    rule = no_wildcard_resources.RULE
    assert _findings(rule, _policy("s3:GetObject", "*"))
    assert _findings(rule, _policy(["xray:PutTraceSegments", "s3:GetObject"], ["*"]))
    assert _findings(rule, _policy("xray:PutTraceSegments", "*")) == []
    assert _findings(rule, _policy("ec2:CreateNetworkInterface", "*")) == []
    assert _findings(rule, _policy(["ec2:CreateNetworkInterface", "ec2:RunInstances"], "*"))
    assert _findings(rule, _policy("s3:GetObject", {"Fn::GetAtt": ["Bucket", "Arn"]})) == []


@pytest.mark.req("SEC-5")
def test_default_endpoints_closed() -> None:
    rule = default_endpoints_closed.RULE
    assert (
        _findings(rule, _template(Api=("AWS::ApiGatewayV2::Api", {"DisableExecuteApiEndpoint": True}))) == []
    )
    for body in ({}, {"DisableExecuteApiEndpoint": False}):
        assert _findings(rule, _template(Api=("AWS::ApiGatewayV2::Api", body))) == [
            Finding("Api", "Properties.DisableExecuteApiEndpoint")
        ]


def test_functions_behind_alias() -> None:
    rule = functions_behind_alias.RULE
    alias = ("AWS::Lambda::Alias", {"FunctionName": {"Ref": "Function"}, "Name": "live"})
    other = ("AWS::Lambda::Alias", {"FunctionName": {"Ref": "Function"}, "Name": "next"})
    assert _findings(rule, _template(Function=_function(), Alias=alias)) == []
    assert _findings(rule, _template(Function=_function())) == [Finding("Function", "Properties")]
    assert _findings(rule, _template(Function=_function(), Alias=other))


def test_function_logs_expire() -> None:
    rule = function_logs_expire.RULE
    function = _function(LoggingConfig={"LogGroup": {"Ref": "Logs"}})
    kept = ("AWS::Logs::LogGroup", {"RetentionInDays": 7})
    endless = ("AWS::Logs::LogGroup", {})
    assert _findings(rule, _template(Function=function, Logs=kept)) == []
    assert _findings(rule, _template(Function=function, Logs=endless))
    assert _findings(rule, _template(Function=_function(), Logs=kept))


@pytest.mark.parametrize(
    "value",
    ["http://127.0.0.1:4566", "http://LOCALHOST:1", {"Fn::Join": ["", ["http://0.0.0.0:", {"Ref": "Port"}]]}],
)
def test_no_emulator_addresses(value: Any) -> None:
    template = _template(Function=_function(Environment={"Variables": {"SEARCH_ENDPOINT": value}}))
    assert _findings(no_emulator_addresses.RULE, template)


@pytest.mark.parametrize("value", ["0.0.0.0/0", "10.0.0.0/16", "https://index.example"])
def test_networks_are_not_addresses_of_the_emulator(value: str) -> None:
    template = _template(Route=("AWS::EC2::Route", {"DestinationCidrBlock": value}))
    assert _findings(no_emulator_addresses.RULE, template) == []


def test_a_container_may_ask_itself_and_nothing_else_by_a_loopback_address() -> None:
    asked = {"Command": ["CMD", "probe", "127.0.0.1:50051"]}

    def found(**container: Any) -> list[Finding]:
        task = ("AWS::ECS::TaskDefinition", {"ContainerDefinitions": [container]})
        return _findings(no_emulator_addresses.RULE, _template(Task=task))

    assert found(HealthCheck=asked) == []
    assert found(**asked)
    assert found(Environment=[{"Name": "TABLE_ENDPOINT", "Value": "http://127.0.0.1:4566"}])


@pytest.mark.req("IAC-2")
@pytest.mark.parametrize(
    "rule", [{"CidrIp": "0.0.0.0/0"}, {"CidrIp": "10.0.0.0/16"}, {"CidrIpv6": "::/0"}], ids=str
)
def test_no_open_ingress(rule: dict[str, str]) -> None:
    inline = _template(Group=("AWS::EC2::SecurityGroup", {"SecurityGroupIngress": [rule]}))
    assert _findings(no_open_ingress.RULE, inline) == [Finding("Group", "Properties.SecurityGroupIngress[0]")]
    apart = _template(Rule=("AWS::EC2::SecurityGroupIngress", rule))
    assert _findings(no_open_ingress.RULE, apart) == [Finding("Rule", "Properties")]
    by_group = {"SourceSecurityGroupId": {"Ref": "Functions"}}
    assert _findings(no_open_ingress.RULE, _template(Rule=("AWS::EC2::SecurityGroupIngress", by_group))) == []
    outward = _template(Group=("AWS::EC2::SecurityGroup", {"SecurityGroupEgress": [rule]}))
    assert _findings(no_open_ingress.RULE, outward) == []


@pytest.mark.req("IAC-2")
def test_no_default_security_group() -> None:
    rule = no_default_security_group.RULE
    named = {"SubnetIds": ["subnet"], "SecurityGroupIds": [{"Ref": "Group"}]}
    default = {"SubnetIds": ["subnet"], "SecurityGroupIds": [{"Fn::GetAtt": ["Vpc", "DefaultSecurityGroup"]}]}
    assert _findings(rule, _template(Function=_function())) == []
    assert _findings(rule, _template(Function=_function(VpcConfig=named))) == []
    assert _findings(rule, _template(Function=_function(VpcConfig={"SubnetIds": ["subnet"]})))
    assert _findings(rule, _template(Function=_function(VpcConfig=default)))
    gateway = {"VpcEndpointType": "Gateway"}
    assert _findings(rule, _template(Endpoint=("AWS::EC2::VPCEndpoint", gateway))) == []
    assert _findings(rule, _template(Endpoint=("AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Interface"})))


def test_no_emulator_variables() -> None:
    variables = {"AWS_ENDPOINT_URL_S3": "https://s3.example"}
    assert _findings(
        no_emulator_addresses.RULE, _template(Function=_function(Environment={"Variables": variables}))
    )


@pytest.mark.req("SEC-6")
@pytest.mark.parametrize(
    "variables",
    [
        {"GUEST_TOKEN_SECRET": "correct horse battery staple"},
        {"DB_PASSWORD": "hunter2"},
        {"ANYTHING": "AKIA" + "ABCDEFGHIJKLMNOP"},
        {"ANYTHING": "-----BEGIN RSA PRIVATE KEY-----"},
    ],
)
def test_no_secrets(variables: dict[str, str]) -> None:
    assert _findings(no_secrets.RULE, _template(Function=_function(Environment={"Variables": variables})))


@pytest.mark.req("SEC-6")
def test_a_reference_to_a_secret_is_not_a_secret() -> None:
    variables = {
        "GUEST_TOKEN_SECRET": {"Ref": "Secret"},
        "GUEST_TOKEN_TTL_SECONDS": "3600",
        "PARTNERS_CREDENTIAL_SECRET": "arn:aws:secretsmanager:us-east-1:111122223333:secret:partners",
    }
    assert (
        _findings(no_secrets.RULE, _template(Function=_function(Environment={"Variables": variables}))) == []
    )


@pytest.mark.req("IAC-5")
def test_a_finding_stops_the_synth(tmp_path: Any) -> None:
    from aws_cdk import App, CfnResource, Stack, Validations

    from stacks.checks.template_rules import TemplateRules

    app = App(outdir=str(tmp_path))
    stack = Stack(app, "Bad")
    CfnResource(stack, "Topic", type="AWS::SNS::Topic", properties={"DisplayName": "http://localhost:4566"})
    Validations.of(app).add_plugins(TemplateRules())
    with pytest.raises(RuntimeError):
        app.synth()
    assert "MangaAssist-NoEmulatorAddresses" in (tmp_path / "validation-report.json").read_text("utf-8")


def _alarm(**properties: Any) -> dict[str, Any]:
    good = {
        "AlarmActions": ["topic"],
        "AlarmDescription": "[page] It hurts. Runbook: docs/runbooks/restore.md",
    }
    return _template(Alarm=("AWS::CloudWatch::Alarm", good | properties))


@pytest.mark.req("OBS-3")
@pytest.mark.parametrize(
    "wrong",
    [
        {"AlarmActions": []},
        {"ActionsEnabled": False},
        {"AlarmDescription": "It hurts."},
        {"AlarmDescription": "[page] It hurts. Runbook: docs/runbooks/nobody-wrote-this.md"},
    ],
    ids=str,
)
def test_alarms_have_runbooks(wrong: dict[str, Any]) -> None:
    assert _findings(alarms_have_runbooks.RULE, _alarm()) == []
    assert len(_findings(alarms_have_runbooks.RULE, _alarm(**wrong))) == 1


@pytest.mark.req("SEC-5")
@pytest.mark.parametrize(
    ("type", "good", "wrong"),
    [
        (
            "AWS::DynamoDB::GlobalTable",
            {"Replicas": [{"Region": "us-east-1", "SSESpecification": {"KMSMasterKeyId": "key"}}]},
            {"Replicas": [{"Region": "us-east-1"}]},
        ),
        ("AWS::DynamoDB::Table", {"SSESpecification": {"KMSMasterKeyId": "key"}}, {"SSESpecification": {}}),
        ("AWS::SecretsManager::Secret", {"KmsKeyId": "key"}, {}),
        ("AWS::Kinesis::Stream", {"StreamEncryption": {"KeyId": "key"}}, {"StreamEncryption": {}}),
        ("AWS::CloudTrail::Trail", {"KMSKeyId": "key"}, {}),
    ],
)
def test_data_is_encrypted(type: str, good: dict[str, Any], wrong: dict[str, Any]) -> None:
    assert _findings(data_is_encrypted.RULE, _template(Holder=(type, good))) == []
    assert len(_findings(data_is_encrypted.RULE, _template(Holder=(type, wrong)))) == 1


def test_events_are_never_lost() -> None:
    rule = events_are_never_lost.RULE
    alias = ("AWS::Lambda::Alias", {})
    queue = ("AWS::SQS::Queue", {})
    kept = {"DeadLetterConfig": {"Arn": "queue"}}

    def sent(target: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return "AWS::Events::Rule", {"Targets": [target]}

    by_ref = {"Arn": {"Ref": "Alias"}}
    assert _findings(rule, _template(Alias=alias, Rule=sent(by_ref | kept))) == []
    assert _findings(rule, _template(Alias=alias, Rule=sent(by_ref))) == [
        Finding("Rule", "Properties.Targets[0]")
    ]
    assert _findings(rule, _template(Rule=sent({"Arn": "arn:aws:lambda:eu-west-1:1:function:f:live"})))
    assert _findings(rule, _template(Queue=queue, Rule=sent({"Arn": {"Fn::GetAtt": ["Queue", "Arn"]}}))) == []
    for target, findings in (({"Arn": "x"} | kept, 0), ({"Arn": "x"}, 1)):
        schedule = _template(Schedule=("AWS::Scheduler::Schedule", {"Target": target}))
        assert len(_findings(rule, schedule)) == findings
    stream = {"EventSourceArn": "arn:…:table/stream", "StartingPosition": "LATEST"}
    assert _findings(rule, _template(Mapping=("AWS::Lambda::EventSourceMapping", stream)))
    stream["DestinationConfig"] = "queue"
    assert _findings(rule, _template(Mapping=("AWS::Lambda::EventSourceMapping", stream))) == []


@pytest.mark.req("SEC-7")
def test_log_groups_expire() -> None:
    rule = log_groups_expire.RULE
    assert _findings(rule, _template(Logs=("AWS::Logs::LogGroup", {"RetentionInDays": 7}))) == []
    assert _findings(rule, _template(Logs=("AWS::Logs::LogGroup", {}))) == [
        Finding("Logs", "Properties.RetentionInDays")
    ]


@pytest.mark.req("SEC-5")
def test_queues_are_encrypted() -> None:
    rule = queues_are_encrypted.RULE
    refusal = {
        "Effect": "Deny",
        "Action": "sqs:*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = (
        "AWS::SQS::QueuePolicy",
        {"Queues": [{"Ref": "Queue"}], "PolicyDocument": {"Statement": [refusal]}},
    )
    queue = ("AWS::SQS::Queue", {"SqsManagedSseEnabled": True})
    assert _findings(rule, _template(Queue=queue, Policy=policy)) == []
    assert _findings(rule, _template(Queue=queue)) == [Finding("Queue", "policy")]
    assert _findings(rule, _template(Queue=("AWS::SQS::Queue", {}), Policy=policy)) == [
        Finding("Queue", "Properties")
    ]
