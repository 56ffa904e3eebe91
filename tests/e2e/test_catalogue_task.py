"""The catalogue process stands in for a task on Fargate: it signs as the task's role, and goes on doing so."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil
import pytest

from mangaassist.adapters.grpc_catalogue import GrpcProducts, connect
from mangaassist.errors import DependencyUnavailable
from tests.e2e.probes import Caller
from tools.twin.layout import HOST
from tools.twin.state import Record
from tools.twin.supervisor import Twin

BOTH = pytest.mark.environments("local", "prod")
PROD = pytest.mark.environments("prod")
POLICY = "probe"


async def reads_its_table(twin: Twin) -> bool:
    """Whether the service can say of an ASIN that there is none: no memory of its own knows that."""
    unknown = f"B0{secrets.token_hex(4).upper()}"
    with connect(f"{HOST}:{twin.layout.grpc_port}") as channel:
        try:
            return await GrpcProducts(channel).get([unknown], deadline_ms=5_000) == {}
        except DependencyUnavailable:
            return False


def signs_as(twin: Twin) -> str | None:
    """The role of the running process; ``None`` for the account itself."""
    answer = httpx.post(f"{twin.layout.url('catalogue')}/_twin/reload", trust_env=False, timeout=90)
    return answer.raise_for_status().json()["role"]


def declared(twin: Twin) -> str | None:
    """The role that the deployed template gives the task."""
    if "Catalogue" not in twin.outputs():
        return None
    root = Caller.root(twin)
    stack = f"MangaAssist-{twin.layout.held.environment}-Catalogue"
    resources = root.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    (name,) = [
        each["PhysicalResourceId"]
        for each in resources
        if each["ResourceType"] == "AWS::IAM::Role" and each["LogicalResourceId"].startswith("TaskRole")
    ]
    return root.client("iam").get_role(RoleName=name)["Role"]["Arn"]


@contextmanager
def denied_the_tables(twin: Twin, role: str) -> Iterator[None]:
    iam, name = Caller.root(twin).client("iam"), role.rpartition("/")[2]
    deny = '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}]}'
    iam.put_role_policy(RoleName=name, PolicyName=POLICY, PolicyDocument=deny)
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=name, PolicyName=POLICY)


@BOTH
@pytest.mark.req("SEC-4")
async def test_it_signs_as_the_role_that_the_template_declares(twin: Twin) -> None:
    role = declared(twin)
    assert (role is None) == (twin.layout.held.environment == "local")
    assert signs_as(twin) == role
    assert await reads_its_table(twin)


@BOTH
def test_it_is_started_without_keys(twin: Twin) -> None:
    record = Record.read(twin.layout)
    assert record is not None
    (catalogue,) = [each for each in record.processes if each.name == "catalogue"]
    environment = psutil.Process(catalogue.pid).environ()
    assert not [name for name in environment if name.startswith("AWS_") and "KEY" in name]
    assert environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"].startswith(twin.urls().emulator)


@PROD
@pytest.mark.req("SEC-4")
async def test_what_the_role_is_denied_the_running_process_cannot_do(twin: Twin) -> None:
    role = declared(twin)
    assert role is not None
    assert await reads_its_table(twin)
    with denied_the_tables(twin, role):
        assert not await reads_its_table(twin)
    assert await reads_its_table(twin)


@PROD
@pytest.mark.parametrize("process", ["catalogue", "emulator"])
async def test_it_keeps_its_role_when_it_or_the_emulator_is_revived(twin: Twin, process: str) -> None:
    twin.save()
    twin.kill(process)
    twin.revive(process)
    assert signs_as(twin) == declared(twin)
    assert await reads_its_table(twin)
