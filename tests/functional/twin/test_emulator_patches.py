"""The patches beside WebSocket: each shows the stock emulator's gap and that it is closed.

An assertion about ``stock`` that fails means that upstream closed the gap: remove the patch of that name.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psutil
import pytest
from botocore.exceptions import ClientError

from tests.functional.twin.emulators import Emulator, StackFailed, function, until, zipped
from tools.twin import interpreters
from tools.twin.addresses import local_address
from tools.twin.layout import ROOT

REPORT = """
import os, sys
def handler(event, context):
    seen = {}
    try:
        import hypercorn
        seen["emulator_packages"] = True
    except ImportError:
        seen["emulator_packages"] = False
    try:
        import shared
        seen["layer"] = shared.__file__
    except ImportError:
        seen["layer"] = None
    seen["environment"] = {name: os.environ.get(name) for name in event.get("names", [])}
    return seen
"""


def invoke(emulator: Emulator, name: str, event: Any) -> dict[str, Any]:
    answer = emulator.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    return json.loads(answer["Payload"].read())


def run_in_emulator_venv(code: str) -> str:
    command = [str(interpreters.emulator_python()), "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


# --- WebSocket routes ---------------------------------------------------------------------------------

FLOOD = """
import threading
from ministack.core import lambda_runtime
from tools.twin.emulator.patches import websocket_load

together = threading.Barrier(websocket_load.AT_ONCE)
lock, running, most, done = threading.Lock(), 0, 0, 0

class Worker:
    def invoke(self, event, request_id):
        global running, most, done
        with lock:
            running += 1
            most = max(most, running)
        together.wait(60)
        with lock:
            running -= 1
            done += 1

lambda_runtime.get_or_create_worker = Worker
websocket_load.apply()
calls = [threading.Thread(target=Worker().invoke, args=({}, "")) for _ in range(3 * websocket_load.AT_ONCE)]
for call in calls: call.start()
for call in calls: call.join()
print(most, done)
"""


def test_websocket_load_bounds_what_runs_at_once_and_loses_nothing() -> None:
    assert run_in_emulator_venv(FLOOD).split() == ["16", "48"]


# --- CloudFormation -----------------------------------------------------------------------------------


def test_stub_types_lists_only_what_the_emulator_does_not_know() -> None:
    known = run_in_emulator_venv(
        "from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS as known\n"
        "from tools.twin.emulator.patches.stub_types import listed\n"
        "print(*[name for name in listed() if name in known])"
    )
    assert known.split() == [], "upstream knows these now: remove them from stub_types.txt"


def test_stub_types_are_recorded_with_stable_answers(stock: Emulator, patched: Emulator) -> None:
    resources = {
        "Collection": {
            "Type": "AWS::OpenSearchServerless::Collection",
            "Properties": {"Name": "twin", "Type": "VECTORSEARCH"},
        }
    }
    with pytest.raises((StackFailed, ClientError), match="OpenSearchServerless"):
        stock.deploy("stub", resources)
    outputs = patched.deploy(
        "stub",
        resources,
        Endpoint={"Fn::GetAtt": ["Collection", "CollectionEndpoint"]},
        Arn={"Fn::GetAtt": ["Collection", "Arn"]},
    )
    assert outputs["Endpoint"] == "http://127.0.0.1:9"
    assert outputs["Arn"].startswith("arn:aws:opensearchserverless:us-east-1:000000000000:Collection-")


def test_an_inference_profile_of_our_own_is_named_after_its_model(patched: Emulator) -> None:
    copied = "arn:aws:bedrock:us-east-1:000000000000:inference-profile/global.anthropic.claude-sonnet-5-5"
    profile = {
        "Type": "AWS::Bedrock::ApplicationInferenceProfile",
        "Properties": {"InferenceProfileName": "strong", "ModelSource": {"CopyFrom": copied}},
    }
    outputs = patched.deploy(
        "own-profile", {"Profile": profile}, Arn={"Fn::GetAtt": ["Profile", "InferenceProfileArn"]}
    )
    assert outputs["Arn"] == copied.replace(":inference-profile", ":application-inference-profile")


def test_stub_types_answer_after_a_restart_too() -> None:
    arguments = (
        '"AWS::SageMaker::Model", "intent-1", {"Name": "n"}, {"Name": "n"}, "stack", "Intent", {"Name": "n"}'
    )
    code = (
        "from ministack.services.cloudformation import stacks\n"
        f"_, attributes = stacks._update_resource({arguments})\n"
        "print('ModelName' in attributes, attributes.get('ModelName'), attributes.get('Name'))"
    )
    assert run_in_emulator_venv(code).split() == ["False", "None", "n"]
    patched = "from tools.twin.emulator.patches import stub_types\nstub_types.apply()\n" + code
    assert run_in_emulator_venv(patched).split() == ["True", "intent-1", "n"]


def table(**replica: Any) -> dict[str, Any]:
    return {
        "Table": {
            "Type": "AWS::DynamoDB::GlobalTable",
            "Properties": {
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                "BillingMode": "PAY_PER_REQUEST",
                "Replicas": [{"Region": "us-west-2"}, {"Region": "us-east-1", **replica}],
            },
        }
    }


def test_global_table_update_keeps_the_table(stock: Emulator, patched: Emulator) -> None:
    kept = []
    for emulator in (stock, patched):
        before = emulator.deploy("kept", table(), Name={"Ref": "Table"})["Name"]
        emulator.client("dynamodb").put_item(TableName=before, Item={"pk": {"S": "mine"}})
        client = emulator.client("cloudformation")
        body = {"Resources": table(Tags=[{"Key": "a", "Value": "b"}])}
        client.update_stack(StackName="kept", TemplateBody=json.dumps(body))
        client.get_waiter("stack_update_complete").wait(StackName="kept", WaiterConfig={"Delay": 1})
        (after,) = client.describe_stack_resources(StackName="kept")["StackResources"]
        kept.append(after["PhysicalResourceId"] == before)
        if kept[-1]:
            assert emulator.client("dynamodb").scan(TableName=before)["Count"] == 1
    assert kept == [False, True]


def test_table_protection_is_as_the_template_says(stock: Emulator, patched: Emulator) -> None:
    protected = {
        "DeletionProtectionEnabled": True,
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
    }
    seen = []
    for emulator in (stock, patched):
        name = emulator.deploy("protected", table(**protected), Name={"Ref": "Table"})["Name"]
        client = emulator.client("dynamodb")
        backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        seen.append(
            (
                client.describe_table(TableName=name)["Table"]["DeletionProtectionEnabled"],
                backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"],
            )
        )
    assert seen == [(False, "DISABLED"), (True, "ENABLED")]


def test_secret_strings_heed_what_is_excluded(stock: Emulator, patched: Emulator) -> None:
    def generated(emulator: Emulator, **wanted: Any) -> str:
        name = f"secret-{len(wanted)}"
        properties = {"GenerateSecretString": {"PasswordLength": 64, "ExcludePunctuation": True, **wanted}}
        secret = {"Type": "AWS::SecretsManager::Secret", "Properties": properties}
        arn = emulator.deploy(name, {"Secret": secret}, Arn={"Ref": "Secret"})["Arn"]
        return emulator.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]

    # 64 characters, a third of which would be punctuation.
    assert not generated(stock).isalnum(), "upstream heeds it now: remove secret_strings"
    found = generated(patched)
    assert (len(found), found.isalnum()) == (64, True)
    document = json.loads(
        generated(patched, SecretStringTemplate='{"user": "a"}', GenerateStringKey="password")
    )
    assert (document["user"], document["password"].isalnum()) == ("a", True)


SLOW_RESOURCE = """
import json, time, urllib.request
def handler(event, context):
    time.sleep(1)
    answer = {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
    answer |= {"Status": "SUCCESS", "PhysicalResourceId": "slow"}
    body = json.dumps(answer).encode()
    urllib.request.urlopen(urllib.request.Request(event["ResponseURL"], body, method="PUT"))
"""


def test_stack_looks_wait_for_the_stack(stock: Emulator, patched: Emulator) -> None:
    token = {"Fn::GetAtt": ["F", "Arn"]}
    resources = {
        "F": function(SLOW_RESOURCE),
        "Slow": {"Type": "Custom::Slow", "Properties": {"ServiceToken": token}},
    }
    template = json.dumps({"Resources": resources})
    seen = []
    for emulator in (stock, patched):
        client = emulator.client("cloudformation")
        client.create_stack(StackName="slow", TemplateBody=template)
        seen.append(client.describe_stacks(StackName="slow")["Stacks"][0]["StackStatus"])
    assert seen == ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]


def test_metric_math_alarms_are_recorded(stock: Emulator, patched: Emulator) -> None:
    alarm = {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "ComparisonOperator": "GreaterThanThreshold",
            "EvaluationPeriods": 1,
            "Threshold": 5,
            "Metrics": [
                {"Id": "share", "Expression": "100 * errors / calls"},
                *(
                    {
                        "Id": name,
                        "ReturnData": False,
                        "MetricStat": {
                            "Metric": {"Namespace": "Twin", "MetricName": name},
                            "Period": 60,
                            "Stat": "Sum",
                        },
                    }
                    for name in ("errors", "calls")
                ),
            ],
        },
    }
    with pytest.raises(StackFailed):
        stock.deploy("math", {"Alarm": alarm})
    patched.deploy("math", {"Alarm": alarm})


@pytest.mark.parametrize("kind", ["AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"])
def test_table_ttl_is_restored(stock: Emulator, patched: Emulator, kind: str) -> None:
    table: dict[str, Any] = {
        "Type": kind,
        "Properties": {
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
            **({"Replicas": [{"Region": "us-east-1"}]} if kind.endswith("GlobalTable") else {}),
        },
    }
    descriptions = []
    for emulator in (stock, patched):
        name = emulator.deploy(f"ttl-{kind[-11:].replace(':', '')}", {"T": table}, Name={"Ref": "T"})["Name"]
        description = emulator.client("dynamodb").describe_time_to_live(TableName=name)
        descriptions.append(description["TimeToLiveDescription"])
    assert descriptions[0]["TimeToLiveStatus"] == "DISABLED"
    assert descriptions[1] == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}


def test_http_api_cors_answers_preflights(stock: Emulator, patched: Emulator) -> None:
    resources = {
        "Api": {
            "Type": "AWS::ApiGatewayV2::Api",
            "Properties": {
                "Name": "cors",
                "ProtocolType": "HTTP",
                "CorsConfiguration": {"AllowOrigins": ["https://store.example"], "AllowMethods": ["POST"]},
            },
        },
        "Stage": {
            "Type": "AWS::ApiGatewayV2::Stage",
            "Properties": {"ApiId": {"Ref": "Api"}, "StageName": "$default", "AutoDeploy": True},
        },
    }
    origins = []
    for emulator in (stock, patched):
        api = emulator.deploy("cors", resources, Api={"Ref": "Api"})["Api"]
        headers = {"Origin": "https://store.example", "Access-Control-Request-Method": "POST"}
        url = f"{emulator.url}/_aws/execute-api/{api}/$default/v1"
        origins.append(httpx.options(url, headers=headers).headers.get("access-control-allow-origin"))
    assert origins == [None, "https://store.example"]


@pytest.mark.parametrize(
    ("patch", "resource", "attribute", "answer"),
    [
        (
            "vpc_cidr_block",
            {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.7.0.0/16"}},
            "CidrBlock",
            "10.7.0.0/16",
        ),
        (
            "user_pool_provider_url",
            {"Type": "AWS::Cognito::UserPool", "Properties": {}},
            "ProviderURL",
            "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_",
        ),
    ],
)
def test_missing_attributes_have_answers(
    stock: Emulator, patched: Emulator, patch: str, resource: dict[str, Any], attribute: str, answer: str
) -> None:
    name, value = patch.replace("_", "-"), {"Fn::GetAtt": ["It", attribute]}
    assert patched.deploy(name, {"It": resource}, It=value)["It"].startswith(answer)
    try:
        upstream = stock.deploy(name, {"It": resource}, It=value)["It"]
    except StackFailed:
        return
    assert not upstream.startswith(answer), f"upstream answers now: remove {patch}"


# --- functions ----------------------------------------------------------------------------------------


def test_function_errors_carry_the_exceptions_class(stock: Emulator, patched: Emulator) -> None:
    code = "class NoSuchManga(Exception): pass\ndef handler(event, context):\n    raise NoSuchManga('MG1')\n"
    types = []
    for emulator in (stock, patched):
        name = emulator.deploy("errors", {"F": function(code)}, Name={"Ref": "F"})["Name"]
        types.append(invoke(emulator, name, {})["errorType"])
    assert types == ["Runtime.HandlerError", "NoSuchManga"]


def test_embedded_metrics_become_metrics(stock: Emulator, patched: Emulator) -> None:
    document = {
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": "Twin",
                    "Dimensions": [["service"]],
                    "Metrics": [{"Name": "Turns", "Unit": "Count"}],
                }
            ],
        },
        "service": "message",
        "Turns": [2, 3],
    }
    code = f"def handler(event, context):\n    print({json.dumps(json.dumps(document))})\n"
    sums = []
    for emulator in (stock, patched):
        name = emulator.deploy("metrics", {"F": function(code)}, Name={"Ref": "F"})["Name"]
        invoke(emulator, name, {})
        now = datetime.now(UTC)
        points = emulator.client("cloudwatch").get_metric_statistics(
            Namespace="Twin",
            MetricName="Turns",
            Dimensions=[{"Name": "service", "Value": "message"}],
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=5),
            Period=60,
            Statistics=["Sum"],
        )["Datapoints"]
        sums.append(sum(point["Sum"] for point in points))
    assert sums == [0, 5]


def test_lambda_interpreter_sees_only_layers_and_code(stock: Emulator, patched: Emulator) -> None:
    seen = []
    for emulator in (stock, patched):
        name = emulator.deploy("bare", {"F": function(REPORT)}, Name={"Ref": "F"})["Name"]
        seen.append(invoke(emulator, name, {})["emulator_packages"])
    assert seen == [True, False]


def test_lambda_layers_are_unpacked_once_for_all(stock: Emulator, patched: Emulator) -> None:
    places = []
    for emulator in (stock, patched):
        client = emulator.client("lambda")
        role = emulator.client("iam").create_role(RoleName="layered", AssumeRolePolicyDocument="{}")["Role"][
            "Arn"
        ]
        content = {"ZipFile": zipped(python__shared="VALUE = 1")}
        layer = client.publish_layer_version(LayerName="shared", Content=content)["LayerVersionArn"]
        for name in ("one", "two"):
            client.create_function(
                FunctionName=name,
                Runtime="python3.13",
                Handler="index.handler",
                Role=role,
                Code={"ZipFile": zipped(index=REPORT)},
                Layers=[layer],
            )
        places.append([invoke(emulator, name, {})["layer"] for name in ("one", "two")])
    assert None not in places[0] + places[1]
    assert len(set(places[0])) == 2, "upstream shares layers now: remove lambda_layers"
    assert len(set(places[1])) == 1


def test_lambda_addresses_lead_to_the_emulator(stock: Emulator, patched: Emulator) -> None:
    real = "https://abc123.execute-api.us-east-1.amazonaws.com/live"
    variables = {"MANAGEMENT_ENDPOINT": real, "PAGE": "https://store.example/"}
    found = []
    for emulator in (stock, patched):
        resource = function(REPORT, Environment={"Variables": variables})
        name = emulator.deploy("addresses", {"F": resource}, Name={"Ref": "F"})["Name"]
        found.append(invoke(emulator, name, {"names": list(variables)})["environment"])
    assert found[0] == variables, "upstream rewrites addresses now: look at lambda_addresses"
    local = f"{patched.url}/_aws/execute-api/abc123/live"
    assert found[1] == {"MANAGEMENT_ENDPOINT": local, "PAGE": "https://store.example/"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("wss://a1.execute-api.us-east-1.amazonaws.com/live", "ws://127.0.0.1:9/_aws/execute-api/a1/live"),
        ("https://a1.execute-api.eu-west-1.amazonaws.com", "http://127.0.0.1:9/_aws/execute-api/a1"),
        (
            "connect-src 'self' wss://a1.execute-api.us-east-1.amazonaws.com/live; img-src 'self'",
            "connect-src 'self' ws://127.0.0.1:9/_aws/execute-api/a1/live; img-src 'self'",
        ),
        ("https://a1.execute-api.us-east-1.amazonaws.com.evil.example/", None),
        ("https://bedrock-runtime.us-east-1.amazonaws.com/", None),
    ],
)
def test_only_addresses_of_deployed_apis_are_rewritten(text: str, expected: str | None) -> None:
    assert local_address(text, 9) == (expected or text)


LAYER = """
import io, json, pathlib, tempfile, zipfile
from ministack.core import persistence
from ministack.services import lambda_svc
folder = pathlib.Path(tempfile.mkdtemp())
persistence.PERSIST_STATE, persistence.STATE_DIR = True, str(folder)
lambda_svc.CODE_BLOB_DIR = str(folder / "blobs")
content = io.BytesIO()
with zipfile.ZipFile(content, "w") as archive:
    archive.writestr("python/shared.py", "x" * 100_000)
zipped = lambda_svc.base64.b64encode(content.getvalue()).decode()
for name in ("one", "two"):
    for _ in range(2):
        lambda_svc._publish_layer_version(name, {"Content": {"ZipFile": zipped}})
for _ in range(2):
    persistence.save_all({"lambda": lambda_svc.get_state})
blobs = len(list((folder / "blobs").glob("*"))) if (folder / "blobs").exists() else 0
saved = (folder / "lambda.json").read_text()
lambda_svc._layers.clear()
lambda_svc.load_persisted_state(persistence.load_state("lambda"))
back = [version["_zip_data"] for layer in lambda_svc._layers.values() for version in layer["versions"]]
print(json.dumps({
    "blobs": blobs,
    "inline": saved.count(zipped[:64]),
    "right": [each == content.getvalue() for each in back],
    "shared": len(set(map(id, back))) == 1,
}))
"""


def test_layers_lie_beside_the_state_file() -> None:
    patch = "from tools.twin.emulator.patches import lambda_layer_files as files; files.apply()\n"
    stock, patched = (json.loads(run_in_emulator_venv(before + LAYER)) for before in ("", patch))
    assert stock["inline"] == 4, "upstream keeps layers in files now: remove lambda_layer_files"
    assert patched == {"blobs": 1, "inline": 0, "right": [True] * 4, "shared": True}


SAVED = """
import builtins, json, pathlib, tempfile
from ministack.core import persistence
from ministack.core.responses import AccountRegionScopedDict
writes = 0
def counting_open(*arguments, **options):
    file = builtins.open(*arguments, **options)
    write = file.write
    def counted(text):
        global writes
        writes += 1
        return write(text)
    file.write = counted
    return file
persistence.open = counting_open
persistence.PERSIST_STATE, persistence.STATE_DIR = True, tempfile.mkdtemp()
scoped = AccountRegionScopedDict()
scoped.set_scoped("000000000000", "us-east-1", "名前", {"content": b"\\x00\\xff", "n": [1, 2.5, None, True]})
persistence.save_state("kept", {"tables": scoped})
del persistence.open
text = pathlib.Path(persistence.STATE_DIR, "kept.json").read_text()
back = persistence.load_state("kept")["tables"].get_scoped("000000000000", "us-east-1", "名前")
print(json.dumps({"writes": writes, "text": text, "is_back": back["content"] == b"\\x00\\xff"}))
"""


def test_state_files_are_the_same_bytes_written_at_once() -> None:
    patch = "from tools.twin.emulator.patches import state_files; state_files.apply()\n"
    slow, quick = (json.loads(run_in_emulator_venv(before + SAVED)) for before in ("", patch))
    assert slow["writes"] > 1, "upstream writes state at once now: remove state_files"
    assert quick == {**slow, "writes": 1}
    assert quick["is_back"]


# --- AppConfig ----------------------------------------------------------------------------------------

VALIDATOR = """
import base64, json
def handler(event, context):
    if json.loads(base64.b64decode(event["content"]))["tier"] == "free":
        raise ValueError("no tier is free")
"""
SCHEMA = {"type": "object", "required": ["tier"], "properties": {"tier": {"type": "string"}}}


def configuration(emulator: Emulator) -> tuple[Any, dict[str, str]]:
    """A profile with both kinds of validator, and an environment to deploy to."""
    resources = {
        "Validator": function(VALIDATOR),
        "App": {"Type": "AWS::AppConfig::Application", "Properties": {"Name": "policy"}},
        "Env": {
            "Type": "AWS::AppConfig::Environment",
            "Properties": {"ApplicationId": {"Ref": "App"}, "Name": "local"},
        },
        "Strategy": {
            "Type": "AWS::AppConfig::DeploymentStrategy",
            "Properties": {
                "Name": "instant",
                "DeploymentDurationInMinutes": 0,
                "GrowthFactor": 100,
                "ReplicateTo": "NONE",
            },
        },
        "Profile": {
            "Type": "AWS::AppConfig::ConfigurationProfile",
            "Properties": {
                "ApplicationId": {"Ref": "App"},
                "Name": "policy",
                "LocationUri": "hosted",
                "Validators": [
                    {"Type": "JSON_SCHEMA", "Content": json.dumps(SCHEMA)},
                    {"Type": "LAMBDA", "Content": {"Fn::GetAtt": ["Validator", "Arn"]}},
                ],
            },
        },
    }
    names = {name: {"Ref": name} for name in ("App", "Env", "Strategy", "Profile")}
    return emulator.client("appconfig"), emulator.deploy("configuration", resources, **names)


def test_configuration_validators_run(stock: Emulator, patched: Emulator) -> None:
    client, ids = configuration(stock)
    assert create(client, ids, b"no JSON"), "upstream validates now: remove configuration_validators"

    client, ids = configuration(patched)
    for content in (b"no JSON", b"{}", b'{"tier": 1}'):
        with pytest.raises(client.exceptions.BadRequestException, match="JSON schema validator"):
            create(client, ids, content)
    assert client.list_hosted_configuration_versions(**profile(ids))["Items"] == []

    refused, accepted = create(client, ids, b'{"tier": "free"}'), create(client, ids, b'{"tier": "strong"}')
    with pytest.raises(client.exceptions.BadRequestException, match="no tier is free"):
        start(client, ids, refused)
    with pytest.raises(client.exceptions.BadRequestException, match="no tier is free"):
        client.validate_configuration(**profile(ids), ConfigurationVersion=str(refused))
    client.validate_configuration(**profile(ids), ConfigurationVersion=str(accepted))
    assert start(client, ids, accepted)["State"] == "COMPLETE"


def profile(ids: dict[str, str]) -> dict[str, str]:
    return {"ApplicationId": ids["App"], "ConfigurationProfileId": ids["Profile"]}


def create(client: Any, ids: dict[str, str], content: bytes) -> int:
    return client.create_hosted_configuration_version(
        **profile(ids), Content=content, ContentType="application/json"
    )["VersionNumber"]


def start(client: Any, ids: dict[str, str], version: int) -> dict[str, Any]:
    return client.start_deployment(
        **profile(ids),
        EnvironmentId=ids["Env"],
        DeploymentStrategyId=ids["Strategy"],
        ConfigurationVersion=str(version),
    )


# --- IAM ----------------------------------------------------------------------------------------------


def keys_of_user(emulator: Emulator, name: str, *statements: dict[str, Any]) -> tuple[str, str]:
    """Access keys of a new user who may do what ``statements`` say."""
    iam = emulator.client("iam")
    iam.create_user(UserName=name)
    policy = {"Version": "2012-10-17", "Statement": list(statements)}
    iam.put_user_policy(UserName=name, PolicyName="may", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def is_allowed(call: Any) -> bool:
    try:
        call()
    except ClientError as error:
        if "AccessDenied" in error.response["Error"]["Code"]:
            return False
        raise
    return True


def test_iam_actions_of_converse_are_those_of_invoke(stock: Emulator, patched: Emulator) -> None:
    may = {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": "*"}
    verdicts = []
    for emulator in (stock, patched):
        client = emulator.client("bedrock-runtime", keys_of_user(emulator, "talker", may))
        messages = [{"role": "user", "content": [{"text": "hello"}]}]
        verdicts.append(
            is_allowed(
                lambda client=client, messages=messages: client.converse(
                    modelId="anthropic.claude-3-haiku-20240307-v1:0", messages=messages
                )
            )
        )
    assert verdicts == [False, True]


def test_iam_leading_keys_restrict_to_a_partition(stock: Emulator, patched: Emulator) -> None:
    may = {
        "Effect": "Allow",
        "Action": "dynamodb:GetItem",
        "Resource": "*",
        "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["mine"]}},
    }
    verdicts = []
    for emulator in (stock, patched):
        emulator.client("dynamodb").create_table(
            TableName="leading",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )
        client = emulator.client("dynamodb", keys_of_user(emulator, "reader", may))
        for key in ("mine", "yours"):
            item = {"pk": {"S": key}}
            verdicts.append(
                is_allowed(lambda client=client, item=item: client.get_item(TableName="leading", Key=item))
            )
    assert verdicts == [True, True, True, False]


def test_iam_plain_http_counts_as_tls(stock: Emulator, patched: Emulator) -> None:
    may = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    insecure = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": ["arn:aws:s3:::secure", "arn:aws:s3:::secure/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }
    verdicts = []
    for emulator in (stock, patched):
        root = emulator.client("s3")
        root.create_bucket(Bucket="secure")
        root.put_bucket_policy(Bucket="secure", Policy=json.dumps(insecure))
        client = emulator.client("s3", keys_of_user(emulator, "visitor", may))
        verdicts.append(is_allowed(lambda client=client: client.list_objects_v2(Bucket="secure")))
    assert verdicts == [False, True]


def test_iam_configuration_data_is_checked_on_the_configuration(stock: Emulator, patched: Emulator) -> None:
    resources = {
        "App": {"Type": "AWS::AppConfig::Application", "Properties": {"Name": "read"}},
        "Env": {
            "Type": "AWS::AppConfig::Environment",
            "Properties": {"ApplicationId": {"Ref": "App"}, "Name": "local"},
        },
        "Profile": {
            "Type": "AWS::AppConfig::ConfigurationProfile",
            "Properties": {"ApplicationId": {"Ref": "App"}, "Name": "policy", "LocationUri": "hosted"},
        },
    }
    verdicts = []
    for emulator in (stock, patched):
        ids = emulator.deploy("read", resources, **{name: {"Ref": name} for name in resources})
        path = f"application/{ids['App']}/environment/{ids['Env']}/configuration/{ids['Profile']}"
        may = {
            "Effect": "Allow",
            "Action": ["appconfig:StartConfigurationSession", "appconfig:GetLatestConfiguration"],
            "Resource": f"arn:aws:appconfig:us-east-1:000000000000:{path}",
        }
        for name, statement in (("may", may), ("may-not", {**may, "Resource": may["Resource"] + "-other"})):
            client = emulator.client("appconfigdata", keys_of_user(emulator, f"configured-{name}", statement))
            asked = {
                "ApplicationIdentifier": ids["App"],
                "EnvironmentIdentifier": ids["Env"],
                "ConfigurationProfileIdentifier": ids["Profile"],
            }
            verdicts.append(is_allowed(lambda: client.start_configuration_session(**asked)))  # noqa: B023
            token = emulator.client("appconfigdata").start_configuration_session(**asked)[
                "InitialConfigurationToken"
            ]
            verdicts.append(is_allowed(lambda: client.get_latest_configuration(ConfigurationToken=token)))  # noqa: B023
        with pytest.raises(client.exceptions.BadRequestException):
            client.get_latest_configuration(ConfigurationToken="used up")
    assert verdicts == [True, True, True, True, True, True, False, False]


# --- control API --------------------------------------------------------------------------------------


def test_the_control_api_names_the_patches_and_refuses_the_unknown(patched: Emulator) -> None:
    health = httpx.get(f"{patched.url}/_twin/health").json()
    assert health["status"] == "ok"
    assert "websocket_gone" in health["patches"]
    assert httpx.get(f"{patched.url}/_twin/nothing").status_code == 404


def test_idle_workers_can_be_ended(patched: Emulator) -> None:
    process = psutil.Process(patched.running.pid)
    name = patched.deploy("idle", {"F": function(REPORT)}, Name={"Ref": "F"})["Name"]
    invoke(patched, name, {})
    assert process.children()
    assert httpx.delete(f"{patched.url}/_twin/workers").json()["ended"] > 0
    assert process.children() == []
    assert invoke(patched, name, {})["emulator_packages"] is False


def test_segments_sent_by_udp_can_be_read_as_traces(patched: Emulator) -> None:
    trace = "1-67000000-000000000000000000000001"
    segments = [
        {"trace_id": trace, "id": f"{n}", "name": "message", "start_time": 10.0 + n} for n in range(2)
    ]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for document in [*map(json.dumps, segments), "not a segment"]:
            sender.sendto(b'{"format":"json","version":1}\n' + document.encode(), ("127.0.0.1", patched.port))
    url = f"{patched.url}/_twin/traces"
    found = until(lambda: [each for each in httpx.get(url).json()["traces"] if each["segments"] == 2])
    assert found == [{"id": trace, "segments": 2, "name": "message", "start_time": 10.0}]
    assert httpx.get(f"{url}/{trace}").json()["segments"] == segments
    assert httpx.delete(url).json() == {"traces": []}
    assert httpx.get(f"{url}/{trace}").status_code == 404


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "throttle"),
    [
        ("dynamodb", "list_tables", {}, "ProvisionedThroughputExceededException"),
        ("lambda", "list_functions", {}, "TooManyRequestsException"),
        ("s3", "list_buckets", {}, "SlowDown"),
        ("secretsmanager", "list_secrets", {}, "ThrottlingException"),
    ],
)
def test_injected_faults_look_like_the_services_own(
    patched: Emulator, service: str, operation: str, arguments: dict[str, Any], throttle: str
) -> None:
    control, call = f"{patched.url}/_twin/faults", getattr(patched.client(service), operation)
    try:
        for kind, code in (("throttle", throttle), ("error", "Internal")):
            httpx.put(f"{control}/{service}", json={"kind": kind}).raise_for_status()
            with pytest.raises(ClientError) as failed:
                call(**arguments)
            assert failed.value.response["Error"]["Code"].startswith(code)
    finally:
        httpx.delete(control)
    call(**arguments)


def test_truncated_answers_break_off(patched: Emulator) -> None:
    control, call = f"{patched.url}/_twin/faults", f"{patched.url}/_aws/execute-api/nobody/live/v1"
    whole = httpx.get(call)
    assert whole.content
    httpx.put(f"{control}/execute-api", json={"kind": "truncate"}).raise_for_status()
    try:
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(call)
    finally:
        httpx.delete(control)


async def test_a_fault_on_execute_api_refuses_handshakes(patched: Emulator) -> None:
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus

    control = f"{patched.url}/_twin/faults"
    await asyncio.to_thread(httpx.put, f"{control}/execute-api", json={"kind": "error"})
    try:
        with pytest.raises(InvalidStatus):
            await connect(patched.socket_url("whatever"))
        hits = httpx.get(control).json()["faults"]["execute-api"]["hits"]
    finally:
        await asyncio.to_thread(httpx.delete, control)
    assert hits == 1


def test_provisioned_concurrency_is_checked_under_its_own_actions() -> None:
    asked = (
        "from ministack.core import iam_actions\n"
        "print(iam_actions._lambda_action('GET', '/2019-09-30/functions/f/provisioned-concurrency'))\n"
    )
    patch = "from tools.twin.emulator.patches import iam_provisioned_concurrency as p; p.apply()\n"
    assert run_in_emulator_venv(asked).strip() == "GetFunction"
    assert run_in_emulator_venv(patch + asked).strip() == "GetProvisionedConcurrencyConfig"
