"""IAM for the services beside the emulator: what is asked, who answers, and what the caller hears."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tests.functional.twin.emulators import Emulator, free_port, function
from tools.twin.faults import ErrorBody, Scope
from tools.twin.models import demands as models
from tools.twin.permissions import GRANTED_SECONDS, Demand, Gatekeeper
from tools.twin.search import demands as search

ACCOUNT = "000000000000"
BEDROCK = "arn:aws:bedrock:us-east-1"
ENDPOINT = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:endpoint/mangaassist-prod-intent"
MINE = {"aws:ResourceTag/environment": "prod"}


def resources() -> dict[str, Any]:
    """A function whose role may read the collection and little else."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    may = [
        {"Effect": "Allow", "Action": "aoss:APIAccessAll", "Resource": {"Fn::GetAtt": ["Collection", "Arn"]}},
        {
            "Effect": "Allow",
            "Action": "aoss:UpdateCollectionGroup",
            "Resource": {"Fn::GetAtt": ["Group", "Arn"]},
        },
        {
            "Effect": "Allow",
            "Action": "bedrock:InvokeModel",
            "Resource": f"{BEDROCK}:{ACCOUNT}:provisioned-model/*",
            "Condition": {"StringEquals": MINE},
        },
        {"Effect": "Allow", "Action": "sagemaker:InvokeEndpoint", "Resource": ENDPOINT},
    ]
    rules = [
        {"ResourceType": "index", "Resource": ["index/shop/cat*"], "Permission": ["aoss:ReadDocument"]},
        {
            "ResourceType": "collection",
            "Resource": ["collection/shop"],
            "Permission": ["aoss:DescribeCollectionItems"],
        },
    ]
    policy = json.dumps([{"Rules": rules, "Principal": ["ROLE"]}])
    before, after = policy.split("ROLE")
    return {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
                "Policies": [
                    {"PolicyName": "may", "PolicyDocument": {"Version": "2012-10-17", "Statement": may}}
                ],
            },
        },
        "Reader": function("def handler(event, context): pass", Role={"Fn::GetAtt": ["Role", "Arn"]}),
        "Group": {"Type": "AWS::OpenSearchServerless::CollectionGroup", "Properties": {"Name": "shop"}},
        "Collection": {"Type": "AWS::OpenSearchServerless::Collection", "Properties": {"Name": "shop"}},
        "Access": {
            "Type": "AWS::OpenSearchServerless::AccessPolicy",
            "Properties": {
                "Name": "reader",
                "Type": "data",
                "Policy": {"Fn::Join": ["", [before, {"Fn::GetAtt": ["Role", "Arn"]}, after]]},
            },
        },
    }


@pytest.fixture(scope="module")
def reader(patched: Emulator) -> str:
    """Access key of the deployed function."""
    name = patched.deploy("permissions", resources(), Reader={"Ref": "Reader"})["Reader"]
    keys = httpx.get(f"{patched.url}/_twin/credentials/{name}").raise_for_status().json()
    assert keys.keys() == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    return keys["AWS_ACCESS_KEY_ID"]


def verdict(emulator: Emulator, key: str, *demands: Demand) -> str | None:
    question = {
        "access_key": key,
        "demands": [
            {"action": each.action, "resource": each.resource, "context": dict(each.context)}
            for each in demands
        ],
    }
    return httpx.post(f"{emulator.url}/_twin/authorize", json=question).raise_for_status().json()["reason"]


# --- the emulator's answer ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "demand",
    [
        Demand("sagemaker:InvokeEndpoint", ENDPOINT),
        Demand("bedrock:InvokeModel", f"{BEDROCK}:{ACCOUNT}:provisioned-model/abc", MINE),
        Demand("aoss:UpdateCollectionGroup", models.GROUP),
        Demand("aoss:ReadDocument", "index/catalogue"),
        Demand("aoss:DescribeCollectionItems", "collection/"),
    ],
)
def test_what_the_role_allows_is_allowed(patched: Emulator, reader: str, demand: Demand) -> None:
    assert verdict(patched, reader, demand) is None


@pytest.mark.parametrize(
    "demand",
    [
        Demand("sagemaker:InvokeEndpoint", ENDPOINT.replace("prod", "dev")),
        Demand("sagemaker:DeleteEndpoint", ENDPOINT),
        Demand("bedrock:InvokeModel", f"{BEDROCK}:{ACCOUNT}:provisioned-model/abc"),
        Demand("bedrock:InvokeModel", f"{BEDROCK}::foundation-model/amazon.nova-lite-v1:0", MINE),
        Demand("aoss:BatchGetCollectionGroup", models.GROUP),
        Demand("aoss:WriteDocument", "index/catalogue"),
        Demand("aoss:ReadDocument", "index/sessions"),
        Demand("aoss:UpdateCollectionItems", "collection/"),
    ],
)
def test_what_it_does_not_is_denied_in_the_words_of_iam(
    patched: Emulator, reader: str, demand: Demand
) -> None:
    reason = verdict(patched, reader, demand) or ""
    assert reason.startswith(f"User: arn:aws:sts::{ACCOUNT}:assumed-role/")
    assert f"is not authorized to perform: {demand.action}" in reason


def test_one_denial_among_several_is_a_denial(patched: Emulator, reader: str) -> None:
    allowed, denied = Demand("sagemaker:InvokeEndpoint", ENDPOINT), Demand("iam:CreateRole", "*")
    assert "iam:CreateRole" in (verdict(patched, reader, allowed, denied) or "")


def test_root_may_all_and_a_stranger_nothing(patched: Emulator) -> None:
    assert verdict(patched, "test", Demand("iam:CreateRole", "*")) is None
    assert "token" in (verdict(patched, "AKIASTRANGER", Demand("iam:CreateRole", "*")) or "")


def test_who_is_no_function_has_no_credentials(patched: Emulator) -> None:
    assert httpx.get(f"{patched.url}/_twin/credentials/nobody").status_code == 404


# --- the gate -----------------------------------------------------------------------------------------


def ask_for(scope: Scope, body: bytes) -> Iterable[Demand]:
    if scope["path"] == "/invoke":
        yield Demand("sagemaker:InvokeEndpoint", body.decode())


def refusal(reason: str) -> ErrorBody:
    return {"x-reason": "told"}, reason.encode()


@asynccontextmanager
async def gate(emulator: str, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """An echo behind a gate."""

    async def echo(request: Request) -> Response:
        return PlainTextResponse(await request.body())

    app = Starlette(routes=[Route("/{path:path}", echo, methods=["POST"])])
    kept = Gatekeeper(app, emulator=emulator, demands_of=ask_for, refusal=refusal, **options)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(kept), base_url="http://gate") as client:
        yield client


def signed(key: str) -> dict[str, str]:
    return {"authorization": f"AWS4-HMAC-SHA256 Credential={key}/20261121/us-east-1/sagemaker/aws4_request"}


async def test_a_granted_request_arrives_whole(patched: Emulator, reader: str) -> None:
    async with gate(patched.url) as client:
        answer = await client.post("/invoke", content=ENDPOINT, headers=signed(reader))
    assert (answer.status_code, answer.text) == (200, ENDPOINT)


async def test_a_denied_request_is_answered_for_the_service(patched: Emulator, reader: str) -> None:
    async with gate(patched.url) as client:
        answer = await client.post("/invoke", content="another", headers=signed(reader))
    assert (answer.status_code, answer.headers["x-reason"]) == (403, "told")
    assert "is not authorized to perform: sagemaker:InvokeEndpoint on resource: another" in answer.text


async def test_a_grant_is_remembered_for_a_second_and_a_denial_never(monkeypatch: pytest.MonkeyPatch) -> None:
    now, asked, answers = [0.0], [], ["no", None, "no more"]

    def ask(_: Gatekeeper, question: bytes) -> str | None:
        asked.append(json.loads(question)["access_key"])
        return answers.pop(0)

    monkeypatch.setattr(Gatekeeper, "_ask", ask)
    async with gate("http://127.0.0.1:9", clock=lambda: now[0]) as client:

        async def status() -> int:
            return (await client.post("/invoke", content="x", headers=signed("ASIAONE"))).status_code

        assert [await status() for _ in range(3)] == [403, 200, 200]
        assert len(asked) == 2
        now[0] = GRANTED_SECONDS
        assert await status() == 403
        assert len(asked) == 3


async def test_a_grant_is_the_askers_and_for_what_was_asked(patched: Emulator, reader: str) -> None:
    async with gate(patched.url, clock=lambda: 0.0) as client:
        granted = await client.post("/invoke", content=ENDPOINT, headers=signed(reader))
        other_place = await client.post("/invoke", content="another", headers=signed(reader))
        stranger = await client.post("/invoke", content=ENDPOINT, headers=signed("AKIASTRANGER"))
    assert [each.status_code for each in (granted, other_place, stranger)] == [200, 403, 403]


async def test_what_needs_no_permission_is_not_asked_about() -> None:
    async with gate(f"http://127.0.0.1:{free_port()}") as client:
        assert (await client.post("/other", content="x")).text == "x"
        assert (await client.post("/_twin/invoke", content="x")).text == "x"


async def test_nothing_is_granted_without_a_signature_or_an_emulator(reader: str) -> None:
    async with gate(f"http://127.0.0.1:{free_port()}") as client:
        unsigned = await client.post("/invoke", content=ENDPOINT)
        unheard = await client.post("/invoke", content=ENDPOINT, headers=signed(reader))
    assert (unsigned.status_code, unsigned.text) == (403, "the request is not signed")
    assert (unheard.status_code, "Connection refused" in unheard.text) == (403, True)


# --- what a request stands for ------------------------------------------------------------------------


def scope(method: str, path: str, target: str = "") -> Scope:
    return {"method": method, "path": path, "headers": [(b"x-amz-target", target.encode())]}


def asked(method: str, path: str, body: object = None, target: str = "") -> list[tuple[str, str]]:
    tags = {f"{BEDROCK}:{ACCOUNT}:provisioned-model/ours": {"environment": "prod"}}
    demands = models.demands_of(
        scope(method, path, target), json.dumps(body).encode(), lambda model: tags.get(model, {})
    )
    return [(each.action, each.resource) for each in demands]


def test_a_profile_is_asked_for_together_with_its_model() -> None:
    action = "bedrock:InvokeModelWithResponseStream"
    assert asked("POST", "/model/global.anthropic.claude-sonnet-5-5/converse-stream") == [
        (action, f"{BEDROCK}:{ACCOUNT}:inference-profile/global.anthropic.claude-sonnet-5-5"),
        (action, f"{BEDROCK}::foundation-model/anthropic.claude-sonnet-5-5"),
        (action, "arn:aws:bedrock:::foundation-model/anthropic.claude-sonnet-5-5"),
    ]
    assert asked("POST", "/model/us.amazon.nova-lite-v1%3A0/converse") == [
        ("bedrock:InvokeModel", f"{BEDROCK}:{ACCOUNT}:inference-profile/us.amazon.nova-lite-v1:0"),
        ("bedrock:InvokeModel", f"{BEDROCK}::foundation-model/amazon.nova-lite-v1:0"),
    ]
    assert asked("POST", "/model/amazon.titan-embed-text-v2:0/invoke") == [
        ("bedrock:InvokeModel", f"{BEDROCK}::foundation-model/amazon.titan-embed-text-v2:0")
    ]


def test_a_profile_of_our_own_is_asked_for_with_the_models_behind_it() -> None:
    own = f"{BEDROCK}:{ACCOUNT}:application-inference-profile/global.anthropic.claude-sonnet-5-5"
    assert asked("POST", f"/model/{own}/converse") == [
        ("bedrock:InvokeModel", own),
        ("bedrock:InvokeModel", f"{BEDROCK}::foundation-model/anthropic.claude-sonnet-5-5"),
        ("bedrock:InvokeModel", "arn:aws:bedrock:::foundation-model/anthropic.claude-sonnet-5-5"),
    ]


def test_bought_capacity_is_asked_for_with_its_tags() -> None:
    arn = f"{BEDROCK}:{ACCOUNT}:provisioned-model/ours"
    found = models.demands_of(scope("POST", f"/model/{arn}/converse"), b"", lambda _: {"environment": "prod"})
    assert list(found) == [Demand("bedrock:InvokeModel", arn, MINE)]


def test_control_planes_name_their_own_operations() -> None:
    buying = {"modelId": "amazon.nova-lite-v1:0", "tags": [{"key": "environment", "value": "prod"}]}
    assert asked("POST", "/provisioned-model-throughput", buying) == [
        ("bedrock:CreateProvisionedModelThroughput", f"{BEDROCK}::foundation-model/amazon.nova-lite-v1:0"),
        ("bedrock:TagResource", f"{BEDROCK}:{ACCOUNT}:provisioned-model/new"),
    ]
    assert asked("GET", "/provisioned-model-throughputs") == [
        ("bedrock:ListProvisionedModelThroughputs", "*")
    ]
    assert asked("DELETE", "/provisioned-model-throughput/ours") == [
        ("bedrock:DeleteProvisionedModelThroughput", f"{BEDROCK}:{ACCOUNT}:provisioned-model/ours")
    ]
    assert asked("POST", "/", {"EndpointName": "mangaassist-prod-intent"}, "SageMaker.DescribeEndpoint") == [
        ("sagemaker:DescribeEndpoint", ENDPOINT)
    ]
    assert asked("POST", "/", {}, "OpenSearchServerless.UpdateCollectionGroup") == [
        ("aoss:UpdateCollectionGroup", models.GROUP)
    ]
    registering = models.demands_of(
        scope("POST", "/", "AnyScaleFrontendService.RegisterScalableTarget"),
        json.dumps({"ScalableDimension": "lambda:function:ProvisionedConcurrency"}).encode(),
        lambda _: {},
    )
    assert list(registering) == [
        Demand(
            "application-autoscaling:RegisterScalableTarget",
            f"arn:aws:application-autoscaling:us-east-1:{ACCOUNT}:scalable-target/*",
            {"application-autoscaling:scalable-dimension": "lambda:function:ProvisionedConcurrency"},
        )
    ]
    assert asked("POST", "/endpoints/mangaassist-prod-intent/invocations") == [
        ("sagemaker:InvokeEndpoint", ENDPOINT)
    ]
    assert asked("POST", "/", {}, "Nobody.Knows") == []


@pytest.mark.parametrize(
    ("method", "path", "action", "resource"),
    [
        ("POST", "/catalogue/_search", "ReadDocument", "index/catalogue"),
        ("POST", "/_msearch", "ReadDocument", "index/*"),
        ("GET", "/catalogue/_doc/a%2Fb", "ReadDocument", "index/catalogue"),
        ("POST", "/_bulk", "WriteDocument", "index/*"),
        ("DELETE", "/catalogue/_doc/1", "WriteDocument", "index/catalogue"),
        ("PUT", "/catalogue", "CreateIndex", "index/catalogue"),
        ("DELETE", "/catalogue", "DeleteIndex", "index/catalogue"),
        ("HEAD", "/catalogue", "DescribeIndex", "index/catalogue"),
        ("GET", "/_cat/indices", "DescribeIndex", "index/*"),
        ("PUT", "/catalogue/_mapping", "UpdateIndex", "index/catalogue"),
        ("GET", "/_alias/catalogue", "DescribeCollectionItems", "collection/"),
        ("POST", "/_aliases", "UpdateCollectionItems", "collection/"),
        ("DELETE", "/catalogue-1/_alias/catalogue", "DeleteCollectionItems", "collection/"),
    ],
)
def test_the_collection_speaks_of_documents_indexes_and_items(
    method: str, path: str, action: str, resource: str
) -> None:
    assert list(search.demands_of(scope(method, path), b"")) == [Demand(f"aoss:{action}", resource)]
