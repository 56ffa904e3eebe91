"""Each rule of our own stays silent on good templates and finds the bad one."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import pytest

import stacks.checks
from stacks.checks import (
    alarms_have_runbooks,
    config_delivers,
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
    roles_passed_to_services,
)
from stacks.checks.no_wildcard_resources import CONDITIONED
from stacks.checks.rule import POLICIES, Finding, Rule, texts
from stacks.checks.template_rules import RULES
from stacks.environments import ENVIRONMENTS, lean
from tests.infrastructure.synthesized import Synthesized


def _template(**resources: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "Resources": {name: {"Type": type, "Properties": body} for name, (type, body) in resources.items()}
    }


def _policy(
    action: Any, resource: Any = "arn:aws:s3:::bucket", effect: str = "Allow", **more: Any
) -> dict[str, Any]:
    return _stated({"Effect": effect, "Action": action, "Resource": resource, **more})


def _stated(statement: dict[str, Any]) -> dict[str, Any]:
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
    expected = _acknowledged(application, rule)
    assert sorted(finding.logical_id for finding in found) == expected, found


def _acknowledged(application: Synthesized, rule: Rule) -> list[str]:
    """What ``acknowledgements.py`` gives a reason for, by logical id."""
    if rule is default_endpoints_closed.RULE and application.settings.domains is None:
        # Without names of our own CloudFront has no other way to the two APIs.
        return sorted(application.resources("AWS::ApiGatewayV2::Api"))
    if rule is data_is_encrypted.RULE:
        public = [*application.resources("AWS::S3::Bucket", "Web")]
        if application.settings.operations_key:
            return public
        logs = application.resources("AWS::Logs::LogGroup")
        queues = [
            logical_id
            for logical_id, queue in application.resources("AWS::SQS::Queue").items()
            if "KmsMasterKeyId" not in queue["Properties"]
        ]
        return sorted([*public, *logs, *queues])
    return []


def test_every_rule_that_is_written_is_run() -> None:
    written = {
        module.RULE.id
        for found in pkgutil.iter_modules(stacks.checks.__path__)
        if hasattr(module := importlib.import_module(f"stacks.checks.{found.name}"), "RULE")
    }
    assert {rule.id for rule in RULES} == written
    assert len(written) >= 16


@pytest.mark.req("SEC-5")
def test_environments_with_shoppers_encrypt_what_they_write_about_themselves() -> None:
    assert {name for name, settings in ENVIRONMENTS.items() if settings.operations_key} == {"staging", "prod"}
    assert lean(ENVIRONMENTS["prod"]).operations_key


def test_rules_have_ids_of_their_own_and_say_why() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.id.startswith("MangaAssist-") and rule.what and rule.why for rule in RULES)


@pytest.mark.req("SEC-4")
@pytest.mark.parametrize("action", ["s3:*", "s3:Get*", "s3:Get?bject", "*", ["s3:GetObject", "s3:List*"]])
def test_no_wildcard_actions(action: Any) -> None:
    assert [found.logical_id for found in _findings(no_wildcard_actions.RULE, _policy(action))] == ["Policy"]
    assert _findings(no_wildcard_actions.RULE, _policy(action, effect="Deny")) == []


@pytest.mark.req("SEC-4")
def test_what_is_not_allowed_allows_the_rest() -> None:
    rest = {"Effect": "Allow", "NotAction": "iam:CreateUser", "Resource": "arn:aws:s3:::bucket"}
    assert _findings(no_wildcard_actions.RULE, _stated(rest)) == [Finding("Policy", "Statement[0].NotAction")]
    rest = {"Effect": "Allow", "Action": "s3:GetObject", "NotResource": "arn:aws:s3:::secrets/*"}
    assert _findings(no_wildcard_resources.RULE, _stated(rest)) == [
        Finding("Policy", "Statement[0].NotResource")
    ]
    # Whoever denies all but a few denies more tomorrow, which is no harm.
    refusal = {"Effect": "Deny", "NotAction": "s3:GetObject", "NotResource": "arn:aws:s3:::bucket/*"}
    assert _findings(no_wildcard_actions.RULE, _stated(refusal)) == []
    assert _findings(no_wildcard_resources.RULE, _stated(refusal)) == []


@pytest.mark.req("SEC-4")
@pytest.mark.parametrize("type", POLICIES)
def test_permissions_are_read_wherever_they_stand(type: str) -> None:
    one = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    for statements in (one, [one]):
        document = {"Statement": statements}
        for body in ({"PolicyDocument": document}, {"Policies": [{"PolicyDocument": document}]}):
            for rule in (no_wildcard_actions.RULE, no_wildcard_resources.RULE):
                assert len(_findings(rule, _template(Holder=(type, body)))) == 1


TOO_WIDE: tuple[Any, ...] = (
    "*",
    "arn:aws:dynamodb:*:*:table/*",
    "arn:aws:dynamodb:us-east-1:*:table/sessions",
    "arn:aws:dynamodb:*:123456789012:table/sessions",
    "arn:aws:dynamodb:us-east-1:123456789012:table/*",
    "arn:aws:dynamodb:us-east-1:123456789012:table/*/index/one",
    "arn:aws:dynamodb:us-east-1:123456789012:*",
    "arn:aws:dynamodb:us-east-1:12345678901?:table/sessions",
    "arn:aws:lambda:us-east-1:123456789012:function:*",
    "arn:aws:iam::123456789012:role/*",
    "arn:aws:s3:::*",
    "arn:aws:s3:::*/feed/one",
    "arn:aws:s3:::ours-*/one",
    "arn:*",
    "arn:aws:kms:us-east-1:123456789012:key/*",
    {"Fn::Join": ["", ["arn:aws:dynamodb:us-east-1:", {"Ref": "AWS::AccountId"}, ":table/*"]]},
    {"Fn::Sub": "arn:aws:dynamodb:${AWS::Region}:${AWS::AccountId}:table/*"},
    {"Fn::Sub": ["arn:aws:dynamodb:us-east-1:1:table/${Name}", {"Name": "*"}]},
    {"Fn::If": ["Wide", "*", "arn:aws:s3:::bucket"]},
)
NARROW: tuple[Any, ...] = (
    "arn:aws:dynamodb:us-east-1:123456789012:table/sessions",
    "arn:aws:dynamodb:us-east-1:123456789012:table/sessions/index/*",
    "arn:aws:s3:::bucket/*",
    "arn:aws:sagemaker:us-east-1:123456789012:training-job/pipelines-*",
    "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/TrainingJobs:*",
    {"Fn::GetAtt": ["Bucket", "Arn"]},
    {"Fn::Join": ["", [{"Fn::GetAtt": ["Bucket", "Arn"]}, "/feed/*"]]},
    {"Fn::ImportValue": "Network:Table"},
)


@pytest.mark.req("SEC-4")
@pytest.mark.parametrize("resource", TOO_WIDE, ids=str)
def test_no_wildcard_resources(resource: Any) -> None:
    rule = no_wildcard_resources.RULE
    assert len(_findings(rule, _policy("dynamodb:GetItem", resource))) == 1
    assert len(_findings(rule, _policy("dynamodb:GetItem", [resource, "arn:aws:s3:::bucket"]))) == 1
    assert _findings(rule, _policy("dynamodb:GetItem", resource, effect="Deny")) == []


@pytest.mark.req("SEC-4")
@pytest.mark.parametrize("resource", NARROW, ids=str)
def test_a_path_below_a_name_is_no_wildcard(resource: Any) -> None:
    assert _findings(no_wildcard_resources.RULE, _policy("dynamodb:GetItem", resource)) == []


@pytest.mark.req("SEC-4")
def test_actions_that_take_no_resource_are_allowed_on_all() -> None:
    rule = no_wildcard_resources.RULE
    assert _findings(rule, _policy(["xray:PutTraceSegments", "s3:GetObject"], ["*"]))
    assert _findings(rule, _policy("xray:PutTraceSegments", "*")) == []
    assert _findings(rule, _policy("ec2:CreateNetworkInterface", "*")) == []
    assert _findings(rule, _policy(["ec2:CreateNetworkInterface", "ec2:RunInstances"], "*"))


@pytest.mark.req("SEC-4")
@pytest.mark.parametrize(
    ("type", "key"), [(type, key) for type, keys in CONDITIONED.items() for key in sorted(keys)]
)
def test_ids_that_a_service_makes_are_held_by_a_condition(type: str, key: str) -> None:
    rule, resource = no_wildcard_resources.RULE, f"arn:aws:any:us-east-1:123456789012:{type}/*"
    for operator in ("StringEquals", "ForAnyValue:StringEquals"):
        assert _findings(rule, _policy("any:Do", resource, Condition={operator: {key: "ours"}})) == []
    for condition in (
        {},
        {"StringEquals": {key: "*"}},
        {"StringLike": {key: "ours"}},
        {"StringEquals": {"aws:Anything": "ours"}},
    ):
        assert _findings(rule, _policy("any:Do", resource, Condition=condition))
    elsewhere = f"arn:aws:any:*:123456789012:{type}/*"
    assert _findings(rule, _policy("any:Do", elsewhere, Condition={"StringEquals": {key: "ours"}}))


@pytest.mark.req("SEC-4")
@pytest.mark.parametrize("action", ["iam:PassRole", "IAM:passrole", ["s3:GetObject", "iam:PassRole"]])
def test_roles_are_passed_to_a_named_service(action: Any) -> None:
    rule, role = roles_passed_to_services.RULE, {"Fn::GetAtt": ["Role", "Arn"]}
    service = "sagemaker.amazonaws.com"
    named = {"StringEquals": {"iam:PassedToService": service}}
    assert _findings(rule, _policy(action, role, Condition=named)) == []
    assert _findings(rule, _policy("s3:GetObject", role)) == []
    for wrong in (
        {},
        {"StringEquals": {"aws:PrincipalTag/a": "b"}},
        {"StringEquals": {"iam:PassedToService": []}},
        {"StringEquals": {"iam:PassedToService": "*.amazonaws.com"}},
        {"StringLike": {"iam:PassedToService": service}},
        {"StringEqualsIfExists": {"iam:PassedToService": service}},
    ):
        assert _findings(rule, _policy(action, role, Condition=wrong)) == [
            Finding("Policy", "Statement[0].Condition")
        ]


def test_a_text_keeps_the_parts_of_an_arn_apart() -> None:
    account = {"Fn::If": ["Here", {"Ref": "AWS::AccountId"}, "123456789012"]}
    found = texts({"Fn::Join": ["", ["arn:aws:iam::", account, ":role/x"]]})
    assert found == ["arn:aws:iam::<AWS.AccountId>:role/x", "arn:aws:iam::123456789012:role/x"]
    assert [len(text.split(":", 5)) for text in found] == [6, 6]


@pytest.mark.req("SEC-7")
def test_config_delivers() -> None:
    rule = config_delivers.RULE
    channel = ("AWS::Config::DeliveryChannel", {"S3BucketName": {"Ref": "Bucket"}})

    def found(**properties: Any) -> list[Finding]:
        return _findings(rule, _template(Channel=channel, Bucket=("AWS::S3::Bucket", properties)))

    assert found(VersioningConfiguration={"Status": "Enabled"}) == []
    refused = [Finding("Channel", "Properties.S3BucketName")]
    assert found(ObjectLockEnabled=True) == refused
    assert found(ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}) == refused
    assert _findings(rule, _template(Channel=channel)) == refused, "a bucket that nobody can look at"


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


BY_GROUP = {
    "IpProtocol": "tcp",
    "FromPort": 443,
    "ToPort": 443,
    "SourceSecurityGroupId": {"Ref": "Functions"},
}


@pytest.mark.req("IAC-2")
@pytest.mark.parametrize(
    "rule",
    [
        {"IpProtocol": "tcp", "CidrIp": "0.0.0.0/0"},
        {"IpProtocol": "tcp", "CidrIp": "10.0.0.0/16"},
        {"IpProtocol": "tcp", "CidrIpv6": "::/0"},
        {"IpProtocol": "tcp", "SourcePrefixListId": "pl-63a5400a"},
        {"IpProtocol": "tcp", "SourceSecurityGroupName": "default"},
        {"IpProtocol": "tcp"},
        BY_GROUP | {"CidrIp": "10.0.0.0/16"},
        BY_GROUP | {"SourcePrefixListId": "pl-63a5400a"},
        BY_GROUP | {"IpProtocol": "-1"},
        BY_GROUP | {"IpProtocol": -1},
        {"SourceSecurityGroupId": {"Ref": "Functions"}},
    ],
    ids=str,
)
def test_no_open_ingress(rule: dict[str, Any]) -> None:
    inline = _template(Group=("AWS::EC2::SecurityGroup", {"SecurityGroupIngress": [BY_GROUP, rule]}))
    assert _findings(no_open_ingress.RULE, inline) == [Finding("Group", "Properties.SecurityGroupIngress[1]")]
    apart = _template(Rule=("AWS::EC2::SecurityGroupIngress", rule))
    assert _findings(no_open_ingress.RULE, apart) == [Finding("Rule", "Properties")]
    outward = _template(Group=("AWS::EC2::SecurityGroup", {"SecurityGroupEgress": [rule]}))
    assert _findings(no_open_ingress.RULE, outward) == []


@pytest.mark.req("IAC-2")
def test_groups_admit_groups() -> None:
    for template in (
        _template(Rule=("AWS::EC2::SecurityGroupIngress", BY_GROUP)),
        _template(Group=("AWS::EC2::SecurityGroup", {"SecurityGroupIngress": [BY_GROUP]})),
        _template(Group=("AWS::EC2::SecurityGroup", {})),
    ):
        assert _findings(no_open_ingress.RULE, template) == []


GROUPS = [{"Ref": "Group"}]
INSIDE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "AWS::EC2::VPCEndpoint": (
        {"VpcEndpointType": "Interface", "SecurityGroupIds": GROUPS},
        {"VpcEndpointType": "Interface"},
    ),
    "AWS::ECS::Service": (
        {"NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": ["subnet"], "SecurityGroups": GROUPS}}},
        {"NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": ["subnet"]}}},
    ),
    "AWS::ElastiCache::ServerlessCache": ({"SecurityGroupIds": GROUPS}, {}),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": ({"SecurityGroups": GROUPS}, {}),
    "AWS::Lambda::Function": (
        {"VpcConfig": {"SubnetIds": ["subnet"], "SecurityGroupIds": GROUPS}},
        {"VpcConfig": {"SubnetIds": ["subnet"]}},
    ),
    "AWS::SageMaker::Model": (
        {"VpcConfig": {"Subnets": ["subnet"], "SecurityGroupIds": GROUPS}},
        {"VpcConfig": {"Subnets": ["subnet"]}},
    ),
}
"""By type, one that names its groups and one that would get the default group."""


def test_every_type_that_names_groups_has_its_example() -> None:
    assert set(INSIDE) == set(no_default_security_group.GROUPS)


@pytest.mark.req("IAC-2")
@pytest.mark.parametrize("type", sorted(INSIDE))
def test_no_default_security_group(type: str) -> None:
    rule, (named, silent) = no_default_security_group.RULE, INSIDE[type]
    assert _findings(rule, _template(Inside=(type, named))) == []
    assert [found.logical_id for found in _findings(rule, _template(Inside=(type, silent)))] == ["Inside"]


@pytest.mark.req("IAC-2")
def test_nothing_names_the_default_group_and_not_everything_is_in_a_vpc() -> None:
    rule = no_default_security_group.RULE
    default = {"SubnetIds": ["subnet"], "SecurityGroupIds": [{"Fn::GetAtt": ["Vpc", "DefaultSecurityGroup"]}]}
    assert _findings(rule, _template(Function=_function())) == []
    assert _findings(rule, _template(Model=("AWS::SageMaker::Model", {}))) == []
    assert _findings(rule, _template(Function=_function(VpcConfig=default)))
    gateway = {"VpcEndpointType": "Gateway"}
    assert _findings(rule, _template(Endpoint=("AWS::EC2::VPCEndpoint", gateway))) == []


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
        {"ANYTHING": "ASIA" + "ABCDEFGHIJKLMNOP"},
        {"ANYTHING": "-----BEGIN RSA PRIVATE KEY-----"},
        {"ANYTHING": "-----BEGIN PRIVATE KEY-----"},
        {"ANYTHING": "Bearer eyJhbGciOiJI" + "UzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2ln"},
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


def _alarm(type: str, **properties: Any) -> dict[str, Any]:
    good = {
        "AlarmActions": ["topic"],
        "AlarmDescription": "[page] It hurts. Runbook: docs/runbooks/restore.md",
    }
    return _template(Alarm=(type, good | properties))


@pytest.mark.req("OBS-3")
@pytest.mark.parametrize("type", ["AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"])
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
def test_alarms_have_runbooks(type: str, wrong: dict[str, Any]) -> None:
    assert _findings(alarms_have_runbooks.RULE, _alarm(type)) == []
    assert len(_findings(alarms_have_runbooks.RULE, _alarm(type, **wrong))) == 1


KEY = {"Fn::GetAtt": ["Key", "Arn"]}


def _bucket(**default: Any) -> dict[str, Any]:
    return {
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": default}]
        }
    }


def _firehose(buffer: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    given = {} if buffer is None else {"DeliveryStreamEncryptionConfigurationInput": buffer}
    return given | more


OWN_BUFFER = {"KeyType": "CUSTOMER_MANAGED_CMK", "KeyARN": KEY}
OWN_FILES = {"EncryptionConfiguration": {"KMSEncryptionConfig": {"AWSKMSKeyARN": KEY}}}
ENCRYPTED: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "AWS::Backup::BackupVault": ([{"EncryptionKeyArn": KEY}], [{}]),
    "AWS::CloudTrail::Trail": ([{"KMSKeyId": KEY}], [{}]),
    "AWS::DynamoDB::GlobalTable": (
        [{"Replicas": [{"Region": "us-east-1", "SSESpecification": {"KMSMasterKeyId": KEY}}]}],
        [
            {"Replicas": [{"Region": "us-east-1"}]},
            {
                "Replicas": [
                    {"Region": "us-east-1", "SSESpecification": {"KMSMasterKeyId": KEY}},
                    {"Region": "us-west-2"},
                ]
            },
        ],
    ),
    "AWS::DynamoDB::Table": (
        [{"SSESpecification": {"KMSMasterKeyId": KEY}}],
        [{}, {"SSESpecification": {"SSEEnabled": True}}],
    ),
    "AWS::ElastiCache::ServerlessCache": ([{"KmsKeyId": KEY}], [{}]),
    "AWS::Kinesis::Stream": (
        [{"StreamEncryption": {"EncryptionType": "KMS", "KeyId": KEY}}],
        [{}, {"StreamEncryption": {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}}],
    ),
    "AWS::KinesisFirehose::DeliveryStream": (
        [
            _firehose(OWN_BUFFER),
            _firehose(OWN_BUFFER, ExtendedS3DestinationConfiguration=OWN_FILES),
            _firehose(
                None, KinesisStreamSourceConfiguration={}, ExtendedS3DestinationConfiguration=OWN_FILES
            ),
        ],
        [
            _firehose(None),
            _firehose({"KeyType": "AWS_OWNED_CMK"}),
            _firehose(OWN_BUFFER, ExtendedS3DestinationConfiguration={}),
            _firehose(OWN_BUFFER, S3DestinationConfiguration={}),
        ],
    ),
    "AWS::Logs::LogGroup": ([{"KmsKeyId": KEY}], [{}]),
    "AWS::OpenSearchServerless::Collection": (
        [{"Name": "ours", "EncryptionConfig": {"KmsKeyArn": KEY}}],
        [{"Name": "ours"}, {"Name": "ours", "EncryptionConfig": {"AWSOwnedKey": True}}],
    ),
    "AWS::OpenSearchServerless::SecurityPolicy": (
        [
            {"Type": "encryption", "Policy": {"Fn::Join": ["", ['{"KmsARN":"', KEY, '"}']]}},
            {"Type": "network", "Policy": "[]"},
        ],
        [{"Type": "encryption", "Policy": '{"AWSOwnedKey":true}'}],
    ),
    "AWS::S3::Bucket": (
        [_bucket(SSEAlgorithm="aws:kms", KMSMasterKeyID=KEY)],
        [
            {},
            _bucket(SSEAlgorithm="AES256"),
            _bucket(SSEAlgorithm="aws:kms"),
            _bucket(SSEAlgorithm="aws:kms", KMSMasterKeyID="alias/aws/s3"),
        ],
    ),
    "AWS::SNS::Topic": ([{"KmsMasterKeyId": KEY}], [{}, {"KmsMasterKeyId": "alias/aws/sns"}]),
    "AWS::SQS::Queue": (
        [{"KmsMasterKeyId": KEY}],
        [{}, {"SqsManagedSseEnabled": True}, {"KmsMasterKeyId": "alias/aws/sqs"}],
    ),
    "AWS::SecretsManager::Secret": ([{"KmsKeyId": KEY}], [{}]),
}
"""By type, what is under a key of ours and what is not."""


def test_every_type_that_holds_data_has_its_examples() -> None:
    assert set(ENCRYPTED) >= set(data_is_encrypted.KEYS)
    holders = {"AWS::KinesisFirehose::DeliveryStream", "AWS::S3::Bucket", "AWS::DynamoDB::GlobalTable"}
    assert holders <= set(ENCRYPTED)


@pytest.mark.req("SEC-5")
@pytest.mark.parametrize("type", sorted(ENCRYPTED))
def test_data_is_encrypted(type: str) -> None:
    good, wrong = ENCRYPTED[type]
    for body in good:
        assert _findings(data_is_encrypted.RULE, _template(Holder=(type, body))) == [], body
    for body in wrong:
        assert len(_findings(data_is_encrypted.RULE, _template(Holder=(type, body)))) == 1, body


@pytest.mark.req("SEC-5")
def test_a_collection_may_leave_its_key_to_a_policy_that_names_it() -> None:
    text = ['{"Rules":[{"Resource":["collection/ours"]}],"KmsARN":"', KEY, '"}']
    policy = (
        "AWS::OpenSearchServerless::SecurityPolicy",
        {"Type": "encryption", "Policy": {"Fn::Join": ["", text]}},
    )
    for name, findings in (("ours", 0), ("theirs", 1)):
        collection = ("AWS::OpenSearchServerless::Collection", {"Name": name})
        template = _template(Collection=collection, Policy=policy)
        assert len(_findings(data_is_encrypted.RULE, template)) == findings


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
@pytest.mark.parametrize(
    ("type", "attached", "switches"),
    [
        ("AWS::SQS::Queue", "Queues", [{"SqsManagedSseEnabled": True}, {"KmsMasterKeyId": KEY}]),
        ("AWS::SNS::Topic", "Topics", [{"KmsMasterKeyId": KEY}]),
    ],
)
def test_queues_are_encrypted(type: str, attached: str, switches: list[dict[str, Any]]) -> None:
    rule = queues_are_encrypted.RULE

    def policy(effect: str, unsafe: str, target: str = "Holder") -> tuple[str, dict[str, Any]]:
        statement = {"Effect": effect, "Condition": {"Bool": {"aws:SecureTransport": unsafe}}}
        body = {attached: [{"Ref": target}], "PolicyDocument": {"Statement": [statement]}}
        return f"{type}Policy", body

    refusing = policy("Deny", "false")
    for switch in switches:
        assert _findings(rule, _template(Holder=(type, switch), Policy=refusing)) == []
        assert _findings(rule, _template(Holder=(type, switch))) == [Finding("Holder", "policy")]
        for other in (policy("Allow", "false"), policy("Deny", "true"), policy("Deny", "false", "Another")):
            assert _findings(rule, _template(Holder=(type, switch), Policy=other)) == [
                Finding("Holder", "policy")
            ]
    assert _findings(rule, _template(Holder=(type, {}), Policy=refusing)) == [Finding("Holder", "Properties")]
