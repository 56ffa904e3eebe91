"""Calls that functions make, or had better not be able to make. Each is harmless where it is allowed.

A probe is allowed unless the answer is a denial: what it asks for need not exist, conditions fail, versions are unknown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import boto3
import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tools.twin.layout import CREDENTIALS, REGION
from tools.twin.supervisor import Twin

DENIALS: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden"})
KEY: Final = {"pk": {"S": "PROBE"}, "sk": {"S": "PROBE"}}
EMBEDDING_MODEL: Final = "amazon.titan-embed-text-v2:0"
STRONG_MODEL: Final = "global.anthropic.claude-sonnet-5-5"


@dataclass(frozen=True)
class Caller:
    """A function or a task of the twin, with the credentials it runs under."""

    twin: Twin
    name: str
    keys: Mapping[str, str]

    @classmethod
    def function(cls, twin: Twin, name: str) -> Caller:
        """The deployed function ``name``."""
        answer = httpx.get(f"{twin.urls().emulator}/_twin/credentials/{name}", trust_env=False)
        return cls(twin, name, answer.raise_for_status().json())

    @classmethod
    def task(cls, twin: Twin, container: str) -> Caller:
        """The deployed task with a container of this name, which finds its keys where this looks for them."""
        url = f"{twin.urls().emulator}/_twin/task-credentials/{container}"
        found = httpx.get(url, trust_env=False).raise_for_status().json()
        values = (found["AccessKeyId"], found["SecretAccessKey"], found["Token"])
        return cls(twin, container, dict(zip(SECRETS, values, strict=True)))

    @classmethod
    def root(cls, twin: Twin) -> Caller:
        """The account itself, which may do everything."""
        return cls(twin, "root", {**CREDENTIALS, "AWS_SESSION_TOKEN": ""})

    def client(self, service: str, endpoint: str | None = None) -> Any:
        return boto3.client(
            service,
            endpoint_url=endpoint or self.twin.urls().emulator,
            region_name=REGION,
            aws_access_key_id=self.keys["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.keys["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=self.keys["AWS_SESSION_TOKEN"] or None,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def models(self, service: str) -> Any:
        """A client for what the twin's models process serves."""
        return self.client(service, self.twin.urls().models)

    def search(self, method: str, path: str, body: str = "") -> None:
        """A signed request to the collection; raises ``ClientError`` when it is denied."""
        request = AWSRequest(method, f"{self.twin.urls().search}{path}", data=body.encode())
        request.headers["content-type"] = "application/json"
        request.headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD"
        credentials = Credentials(*(self.keys[name] for name in SECRETS))
        SigV4Auth(credentials, "aoss", REGION).add_auth(request)
        answer = httpx.request(
            method, request.url, headers=dict(request.headers), content=body, trust_env=False
        )
        if answer.status_code == 403:
            raise ClientError({"Error": {"Code": "Forbidden", "Message": answer.text}}, f"{method} {path}")

    def output(self, concern: str, name: str) -> str:
        return self.twin.outputs()[concern][name]


SECRETS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@dataclass(frozen=True)
class Places:
    """Names that no stack output tells, looked up once with the account's own keys."""

    guest_secret: str
    origin_secret: str
    partner_secret: str
    sessions_key: str
    feed_object: str
    failures_queue: str


Probe = Callable[[Caller, Places], object]


def is_denied(probe: Probe, caller: Caller, places: Places) -> bool:
    """Whether the call was refused for want of a permission; anything else it says does not matter."""
    try:
        probe(caller, places)
    except ClientError as error:
        return error.response["Error"]["Code"] in DENIALS
    return False


# --- tables -------------------------------------------------------------------------------------------


def _table(name: str) -> Callable[[Caller], str]:
    concern, output = {
        "sessions": ("Sessions", "SessionsTableName"),
        "catalogue": ("Ingest", "CatalogueTableName"),
        "capacity": ("CapacityState", "CapacityTableName"),
    }[name]
    return lambda caller: caller.output(concern, output)


def get(table: str) -> Probe:
    find = _table(table)
    return lambda caller, _: caller.client("dynamodb").get_item(TableName=find(caller), Key=KEY)


def put(table: str) -> Probe:
    find = _table(table)
    return lambda caller, _: caller.client("dynamodb").put_item(
        TableName=find(caller), Item=KEY, ConditionExpression="attribute_exists(pk)"
    )


def update(table: str) -> Probe:
    find = _table(table)
    return lambda caller, _: caller.client("dynamodb").update_item(
        TableName=find(caller),
        Key=KEY,
        UpdateExpression="SET a = :a",
        ConditionExpression="attribute_exists(pk)",
        ExpressionAttributeValues={":a": {"S": "a"}},
    )


def delete(table: str) -> Probe:
    find = _table(table)
    return lambda caller, _: caller.client("dynamodb").delete_item(TableName=find(caller), Key=KEY)


def query(table: str) -> Probe:
    find = _table(table)
    return lambda caller, _: caller.client("dynamodb").query(
        TableName=find(caller),
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "PROBE"}},
    )


def scan(table: str) -> Probe:
    find = _table(table)
    return lambda caller, _: caller.client("dynamodb").scan(TableName=find(caller), Limit=1)


def batch_get(table: str) -> Probe:
    find = _table(table)
    return lambda caller, _: caller.client("dynamodb").batch_get_item(
        RequestItems={find(caller): {"Keys": [KEY]}}
    )


def batch_write(table: str) -> Probe:
    find = _table(table)
    return lambda caller, _: caller.client("dynamodb").batch_write_item(
        RequestItems={find(caller): [{"DeleteRequest": {"Key": KEY}}]}
    )


# --- the rest -----------------------------------------------------------------------------------------


def read_policy(caller: Caller, _: Places) -> object:
    outputs = caller.twin.outputs()["ModelPolicy"]
    return caller.client("appconfigdata").start_configuration_session(
        ApplicationIdentifier=outputs["PolicyApplicationId"],
        EnvironmentIdentifier=outputs["PolicyEnvironmentId"],
        ConfigurationProfileIdentifier=outputs["PolicyProfileId"],
    )


def flip_policy(caller: Caller, _: Places) -> object:
    outputs = caller.twin.outputs()["ModelPolicy"]
    return caller.client("appconfig").start_deployment(
        ApplicationId=outputs["PolicyApplicationId"],
        EnvironmentId=outputs["PolicyEnvironmentId"],
        ConfigurationProfileId=outputs["PolicyProfileId"],
        DeploymentStrategyId=outputs["InstantStrategyId"],
        ConfigurationVersion="1",  # the seeded one, which is harmless to put in force once more
    )


def invoke_guardrail(caller: Caller, _: Places) -> object:
    name = caller.output("Guardrail", "GuardrailFunctionName")
    return caller.client("lambda").invoke(FunctionName=f"{name}:live", InvocationType="DryRun")


def post_to_connection(caller: Caller, _: Places) -> object:
    client = caller.client("apigatewaymanagementapi", caller.twin.urls().management)
    return client.post_to_connection(ConnectionId="probe", Data=b"{}")


def embed(caller: Caller, _: Places) -> object:
    return caller.models("bedrock-runtime").invoke_model(
        modelId=EMBEDDING_MODEL, body=json.dumps({"inputText": "probe"})
    )


def converse(caller: Caller, _: Places) -> object:
    messages = [{"role": "user", "content": [{"text": "probe"}]}]
    answer = caller.models("bedrock-runtime").converse_stream(modelId=STRONG_MODEL, messages=messages)
    return list(answer["stream"])


def unknown_model(caller: Caller, _: Places) -> object:
    messages = [{"role": "user", "content": [{"text": "probe"}]}]
    return caller.models("bedrock-runtime").converse(modelId="meta.llama9-1t-v1:0", messages=messages)


def ask_endpoint(role: str) -> Probe:
    return lambda caller, _: caller.models("sagemaker-runtime").invoke_endpoint(
        EndpointName=f"mangaassist-{caller.twin.layout.held.environment}-{role}", Body=b"no question"
    )


def describe_endpoint(caller: Caller, _: Places) -> object:
    name = f"mangaassist-{caller.twin.layout.held.environment}-intent"
    return caller.models("sagemaker").describe_endpoint(EndpointName=name)


def read_secret(name: str) -> Probe:
    return lambda caller, places: caller.client("secretsmanager").get_secret_value(
        SecretId=getattr(places, name)
    )


def move_secret(name: str) -> Probe:
    return lambda caller, places: caller.client("secretsmanager").update_secret_version_stage(
        SecretId=getattr(places, name), VersionStage="PROBE", MoveToVersionId="0" * 32
    )


def raise_message(caller: Caller, _: Places) -> object:
    """Without bounds it changes nothing: a target that is not there needs both."""
    return caller.models("application-autoscaling").register_scalable_target(
        ServiceNamespace="lambda",
        ResourceId="function:probe:live",
        ScalableDimension="lambda:function:ProvisionedConcurrency",
    )


def look_at_scaling(caller: Caller, _: Places) -> object:
    return caller.models("application-autoscaling").describe_scalable_targets(ServiceNamespace="lambda")


def look_at_search_units(caller: Caller, _: Places) -> object:
    name = f"mangaassist-{caller.twin.layout.held.environment}"
    return caller.models("opensearchserverless").batch_get_collection_group(names=[name])


def look_at_warm_environments(caller: Caller, _: Places) -> object:
    name = caller.output("Chat", "MessageFunctionName")
    return caller.client("lambda").get_provisioned_concurrency_config(FunctionName=name, Qualifier="live")


def buy_throughput(caller: Caller, _: Places) -> object:
    return caller.models("bedrock").create_provisioned_model_throughput(
        provisionedModelName="probe probe", modelId="amazon.nova-lite-v1:0", modelUnits=1
    )


def look_at_distribution(caller: Caller, _: Places) -> object:
    return caller.client("cloudfront").get_distribution_config(Id=caller.output("Web", "DistributionId"))


def list_page(caller: Caller, _: Places) -> object:
    return caller.client("s3").list_objects_v2(Bucket=caller.output("Web", "WebBucketName"))


def delete_from_page(caller: Caller, _: Places) -> object:
    return caller.client("s3").delete_object(Bucket=caller.output("Web", "WebBucketName"), Key="probe")


def read_feed(caller: Caller, places: Places) -> object:
    return caller.client("s3").get_object(
        Bucket=caller.output("Ingest", "FeedBucketName"), Key=places.feed_object
    )


def write_feed(caller: Caller, _: Places) -> object:
    return caller.client("s3").put_object(
        Bucket=caller.output("Ingest", "FeedBucketName"), Key="feed/probe", Body=b""
    )


def write_quarantine(caller: Caller, _: Places) -> object:
    return caller.client("s3").put_object(
        Bucket=caller.output("Ingest", "FeedBucketName"), Key="quarantine/probe", Body=b""
    )


def look_at_failures(caller: Caller, places: Places) -> object:
    return caller.client("sqs").get_queue_attributes(
        QueueUrl=places.failures_queue, AttributeNames=["ApproximateNumberOfMessages"]
    )


def decrypt_by_itself(caller: Caller, places: Places) -> object:
    return caller.client("kms").generate_data_key(KeyId=places.sessions_key, KeySpec="AES_256")


def log_elsewhere(caller: Caller, _: Places) -> object:
    return caller.client("logs").create_log_stream(
        logGroupName=f"/mangaassist/{caller.twin.layout.held.environment}/elsewhere", logStreamName="probe"
    )


PROBES: Final[Mapping[str, Probe]] = {
    **{f"{verb.__name__} sessions": verb("sessions") for verb in (get, put, update, delete, query, scan)},
    **{
        f"{verb.__name__} catalogue": verb("catalogue")
        for verb in (get, put, update, batch_get, batch_write, delete, query, scan)
    },
    **{f"{verb.__name__} capacity": verb("capacity") for verb in (get, put, scan)},
    "read guest secret": read_secret("guest_secret"),
    "move guest secret": move_secret("guest_secret"),
    "read partner secret": read_secret("partner_secret"),
    "read origin secret": read_secret("origin_secret"),
    "move origin secret": move_secret("origin_secret"),
    "read policy": read_policy,
    "flip policy": flip_policy,
    "invoke guardrail": invoke_guardrail,
    "post to connection": post_to_connection,
    "embed": embed,
    "converse": converse,
    "converse with an unknown model": unknown_model,
    "ask intent": ask_endpoint("intent"),
    "ask reranker": ask_endpoint("reranker"),
    "describe endpoint": describe_endpoint,
    "search": lambda caller, _: caller.search("POST", "/catalogue/_search", "{}"),
    "write index": lambda caller, _: caller.search("POST", "/catalogue/_bulk", "no bulk\n"),
    "create index": lambda caller, _: caller.search("PUT", "/probe", '{"mappings": "none"}'),
    "delete index": lambda caller, _: caller.search("DELETE", "/probe"),
    "switch alias": lambda caller, _: caller.search("POST", "/_aliases", '{"actions": "none"}'),
    "read feed": read_feed,
    "write feed": write_feed,
    "write quarantine": write_quarantine,
    "look at failed feeds": look_at_failures,
    "list page": list_page,
    "delete from page": delete_from_page,
    "look at distribution": look_at_distribution,
    "look at scaling": look_at_scaling,
    "raise message": raise_message,
    "look at search units": look_at_search_units,
    "look at warm environments": look_at_warm_environments,
    "buy throughput": buy_throughput,
    # What none may do.
    "use a key by itself": decrypt_by_itself,
    "log elsewhere": log_elsewhere,
    "drop sessions": lambda caller, _: caller.client("dynamodb").delete_table(
        TableName=caller.output("Sessions", "SessionsTableName")
    ),
    "drop catalogue": lambda caller, _: caller.client("dynamodb").delete_table(
        TableName=caller.output("Ingest", "CatalogueTableName")
    ),
    "change a function": lambda caller, _: caller.client("lambda").update_function_configuration(
        FunctionName=caller.output("Chat", "MessageFunctionName"), Description="probe"
    ),
    "grant itself more": lambda caller, _: caller.client("iam").attach_role_policy(
        RoleName="probe", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
    ),
    "become another": lambda caller, _: caller.client("sts").assume_role(
        RoleArn=caller.output("Backup", "RestoreRoleArn"), RoleSessionName="probe"
    ),
    "list secrets": lambda caller, _: caller.client("secretsmanager").list_secrets(),
    "list stacks": lambda caller, _: caller.client("cloudformation").describe_stacks(),
}
