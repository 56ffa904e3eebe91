"""The role of a task: who is given its credentials, what they are good for, and whom the catalogue signs as."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import ClientError

from mangaassist.adapters import clients
from tests.functional.twin.emulators import Emulator
from tools.twin.catalogue import __main__ as program
from tools.twin.catalogue import identity
from tools.twin.catalogue.__main__ import Host, create_app
from tools.twin.layout import ACCOUNT, REGION

KEY = {"pk": {"S": "none"}}


def table() -> dict[str, Any]:
    return {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        },
    }


def task(container: str, *, principal: str = "ecs-tasks", account: str = ACCOUNT) -> dict[str, Any]:
    """A service whose container of this name may read one of two tables."""
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": f"{principal}.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }
    may = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": {"Fn::GetAtt": ["Mine", "Arn"]}}
    return {
        "Mine": table(),
        "Other": table(),
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
                "Policies": [
                    {"PolicyName": "may", "PolicyDocument": {"Version": "2012-10-17", "Statement": [may]}}
                ],
            },
        },
        "Cluster": {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": f"{container}-cluster"}},
        "Task": {
            "Type": "AWS::ECS::TaskDefinition",
            "Properties": {
                "Family": container,
                "RequiresCompatibilities": ["FARGATE"],
                "TaskRoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                "ContainerDefinitions": [{"Name": container, "Image": "none"}],
            },
        },
        "Service": {
            "Type": "AWS::ECS::Service",
            "Properties": {
                "ServiceName": container,
                "Cluster": {"Ref": "Cluster"},
                "TaskDefinition": {"Ref": "Task"},
            },
        },
    }


def url(emulator: Emulator, container: str) -> str:
    return f"{emulator.url}/_twin/task-credentials/{container}"


@pytest.fixture(scope="module")
def deployed(patched: Emulator) -> dict[str, str]:
    return patched.deploy(
        "reader",
        task("reader"),
        Mine={"Ref": "Mine"},
        Other={"Ref": "Other"},
        Role={"Fn::GetAtt": ["Role", "Arn"]},
    )


@pytest.fixture
def container(patched: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The environment of a container called reader, beside a person's keys that must not be found."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        identity.CREDENTIALS_URL: url(patched, "reader"),
        "AWS_ENDPOINT_URL": patched.url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }.items():
        monkeypatch.setenv(name, value)
    yield
    boto3.DEFAULT_SESSION = None
    clients.client.cache_clear()


# --- what the emulator hands out ------------------------------------------------------------------------


def test_a_container_is_given_the_role_of_its_task(patched: Emulator, deployed: dict[str, str]) -> None:
    found = httpx.get(url(patched, "reader")).raise_for_status().json()
    assert found.keys() == {"AccessKeyId", "SecretAccessKey", "Token", "RoleArn", "Expiration"}
    assert found["RoleArn"] == deployed["Role"]
    keys = {name: found[name] for name in ("AccessKeyId", "SecretAccessKey", "Token")}
    again = httpx.get(url(patched, "reader")).raise_for_status().json()
    assert keys.items() <= again.items(), "a running task keeps its keys"


def test_a_container_that_no_service_runs_is_given_nothing(patched: Emulator) -> None:
    answer = httpx.get(url(patched, "nobody"))
    assert answer.status_code == 404
    assert answer.json() == {"message": "no deployed service runs nobody under a role"}


@pytest.mark.parametrize(
    ("container", "trust"),
    [("lambdas-own", {"principal": "lambda"}), ("elsewhere", {"account": "111122223333"})],
)
def test_a_role_that_does_not_trust_tasks_of_this_account_is_not_assumed(
    patched: Emulator, container: str, trust: dict[str, str]
) -> None:
    role = patched.deploy(container, task(container, **trust), Role={"Fn::GetAtt": ["Role", "Arn"]})["Role"]
    answer = httpx.get(url(patched, container))
    assert answer.status_code == 403
    assert answer.json() == {"message": f"{role} does not let ecs-tasks.amazonaws.com assume it"}


# --- whom the catalogue signs as ------------------------------------------------------------------------


@pytest.mark.usefixtures("container")
def test_the_sdk_finds_the_role_and_may_do_what_it_allows(deployed: dict[str, str]) -> None:
    role = identity.task_role()
    assert role is not None
    assert role == deployed["Role"]
    dynamodb = identity.dynamodb(role)
    assert boto3.DEFAULT_SESSION is not None
    found = boto3.DEFAULT_SESSION.get_credentials()
    assert isinstance(found, RefreshableCredentials)
    assert found.method == "container-role"
    assert "Item" not in dynamodb.get_item(TableName=deployed["Mine"], Key=KEY)
    for refused in (
        lambda: dynamodb.get_item(TableName=deployed["Other"], Key=KEY),
        lambda: dynamodb.put_item(TableName=deployed["Mine"], Item=KEY),
        lambda: dynamodb.delete_table(TableName=deployed["Mine"]),
    ):
        with pytest.raises(ClientError, match="AccessDenied") as denied:
            refused()
        assert f"assumed-role/{role.rpartition('/')[2]}/reader" in str(denied.value)


@pytest.mark.usefixtures("container")
def test_where_no_template_has_the_task_the_account_itself_signs(
    patched: Emulator, deployed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(identity.CREDENTIALS_URL, url(patched, "nobody"))
    assert identity.task_role() is None
    assert "Item" not in identity.dynamodb(None).get_item(TableName=deployed["Other"], Key=KEY)


@pytest.mark.usefixtures("container")
def test_a_client_made_after_a_deployment_signs_as_the_new_role(deployed: dict[str, str]) -> None:
    identity.dynamodb(None)
    with pytest.raises(ClientError, match="AccessDenied"):
        identity.dynamodb(deployed["Role"]).get_item(TableName=deployed["Other"], Key=KEY)


@asynccontextmanager
async def controls(outputs: Path) -> AsyncIterator[httpx.AsyncClient]:
    host = Host(outputs, 0)
    transport = httpx.ASGITransport(app=create_app(host))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://catalogue") as client:
            yield client
    finally:
        await host.close()


@pytest.mark.usefixtures("container")
async def test_a_catalogue_that_cannot_tell_who_it_is_says_so_and_stays(
    patched: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A role that is given against its trust then fails at once instead of waiting for a table.
    monkeypatch.setattr(program, "LOADED_WITHIN_SECONDS", 0)
    patched.deploy("mute", task("mute", principal="lambda"))
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps({"MangaAssist-prod-Ingest": {"CatalogueTableName": "any"}}))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
        for address, said in ((nobody, "does not say whom"), (url(patched, "mute"), "does not let")):
            monkeypatch.setenv(identity.CREDENTIALS_URL, address)
            async with controls(outputs) as client:
                answer = await client.post("/_twin/reload")
                assert answer.status_code == 503
                assert said in answer.json()["message"]
                assert (await client.get("/_twin/health")).json() == {"status": "ok"}


async def test_nothing_deployed_is_nothing_served(tmp_path: Path) -> None:
    async with controls(tmp_path / "none.json") as client:
        assert (await client.post("/_twin/reload")).json() == {"table": None, "role": None}
