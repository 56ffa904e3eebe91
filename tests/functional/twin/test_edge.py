"""The edge in front of a patched emulator: page, headers, configuration, API."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.functional.twin.emulators import Emulator, free_port, function
from tools.twin.edge import application

ECHO = """
import json
def handler(event, context):
    request = event["requestContext"]["http"]
    body = {"method": request["method"], "path": event["rawPath"], "query": event.get("rawQueryString"),
            "body": event.get("body"), "host": event["headers"].get("host"),
            "proof": event["headers"].get("x-origin-secret"), "locale": event["headers"].get("accept-language")}
    return {"statusCode": 201, "headers": {"content-type": "application/json", "x-answer": "42"},
            "body": json.dumps(body)}
"""
SOCKET = "wss://abc123.execute-api.us-east-1.amazonaws.com/live"
PAGE = "d111.cloudfront.net"
OWN_PORT = 5_999
POLICY = f"default-src 'self'; connect-src 'self' {SOCKET}"


def resources() -> dict[str, Any]:
    arn = {"Fn::GetAtt": ["Echo", "Arn"]}
    prefix = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
    security = {
        "ContentSecurityPolicy": {"ContentSecurityPolicy": POLICY, "Override": True},
        "ContentTypeOptions": {"Override": True},
        "FrameOptions": {"FrameOption": "DENY", "Override": True},
        "StrictTransportSecurity": {"AccessControlMaxAgeSec": 31536000, "Override": True},
    }
    return {
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {}},
        "Headers": {
            "Type": "AWS::CloudFront::ResponseHeadersPolicy",
            "Properties": {
                "ResponseHeadersPolicyConfig": {"Name": "page", "SecurityHeadersConfig": security}
            },
        },
        "Echo": function(ECHO),
        "Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Name": "http", "ProtocolType": "HTTP"}},
        "Stage": {
            "Type": "AWS::ApiGatewayV2::Stage",
            "Properties": {"ApiId": {"Ref": "Api"}, "StageName": "$default", "AutoDeploy": True},
        },
        "Integration": {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "IntegrationType": "AWS_PROXY",
                "PayloadFormatVersion": "2.0",
                "IntegrationUri": {"Fn::Join": ["", [prefix, arn, "/invocations"]]},
            },
        },
        "Route": {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "RouteKey": "ANY /v1/{proxy+}",
                "Target": {"Fn::Join": ["/", ["integrations", {"Ref": "Integration"}]]},
            },
        },
        "Distribution": {
            "Type": "AWS::CloudFront::Distribution",
            "Properties": {"DistributionConfig": distribution()},
        },
    }


def distribution() -> dict[str, Any]:
    host = {"Fn::Join": ["", [{"Ref": "Api"}, ".execute-api.us-east-1.amazonaws.com"]]}
    return {
        "Enabled": True,
        "DefaultCacheBehavior": {"TargetOriginId": "page", "ViewerProtocolPolicy": "https-only"},
        "CacheBehaviors": [
            {
                "PathPattern": "/v1/*",
                "TargetOriginId": "api",
                "ViewerProtocolPolicy": "https-only",
                "AllowedMethods": ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"],
            },
            {
                "PathPattern": "/live",
                "TargetOriginId": "api",
                "ViewerProtocolPolicy": "https-only",
                "AllowedMethods": ["GET", "HEAD"],
            },
        ],
        "Origins": [
            {"Id": "page", "DomainName": "bucket.s3.amazonaws.com", "S3OriginConfig": {}},
            {
                "Id": "api",
                "DomainName": host,
                "CustomOriginConfig": {"OriginProtocolPolicy": "https-only"},
                "OriginCustomHeaders": [{"HeaderName": "X-Origin-Secret", "HeaderValue": "proof"}],
            },
        ],
    }


@pytest.fixture(scope="module")
def outputs(patched: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The outputs file of a deployed page and API."""
    deployed = patched.deploy(
        "edge",
        resources(),
        Bucket={"Ref": "Bucket"},
        Api={"Ref": "Api"},
        Distribution={"Ref": "Distribution"},
    )
    storage = patched.client("s3")
    for key, content_type, body in (
        ("index.html", "text/html", b"<!doctype html><title>twin</title>"),
        ("config.json", "application/json", json.dumps({"websocket_url": SOCKET, "api_base": ""}).encode()),
        ("page.js", "binary/octet-stream", b"export {}"),
    ):
        storage.put_object(Bucket=deployed["Bucket"], Key=key, Body=body, ContentType=content_type)
    path = tmp_path_factory.mktemp("edge") / "outputs.json"
    api = f"https://{deployed['Api']}.execute-api.us-east-1.amazonaws.com"
    document = {
        "MangaAssist-local-Web": {
            "WebBucketName": deployed["Bucket"],
            "DistributionId": deployed["Distribution"],
            "PageUrl": f"https://{PAGE}/",
        },
        "MangaAssist-local-Chat": {"HttpApiUrl": api, "WebSocketUrl": SOCKET},
    }
    path.write_text(json.dumps(document))
    return path


@asynccontextmanager
async def edge(emulator_port: int, outputs: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = application(OWN_PORT, emulator_port, outputs)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://edge") as client,
    ):
        yield client


async def test_the_page_comes_from_the_bucket_with_the_deployed_headers(
    patched: Emulator, outputs: Path
) -> None:
    async with edge(patched.port, outputs) as client:
        page = await client.get("/")
    assert page.status_code == 200
    assert page.text == "<!doctype html><title>twin</title>"
    assert page.headers["content-type"].startswith("text/html")
    local = f"ws://127.0.0.1:{patched.port}/_aws/execute-api/abc123/live"
    assert page.headers["content-security-policy"] == f"default-src 'self'; connect-src 'self' {local}"
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "strict-transport-security" not in page.headers


async def test_the_configuration_leads_to_the_twin(patched: Emulator, outputs: Path) -> None:
    async with edge(patched.port, outputs) as client:
        configuration = (await client.get("/config.json")).json()
    local = f"ws://127.0.0.1:{patched.port}/_aws/execute-api/abc123/live"
    assert configuration == {"websocket_url": local, "api_base": ""}


async def test_changed_files_are_served_at_once_and_unchanged_ones_by_tag(
    patched: Emulator, outputs: Path
) -> None:
    bucket = json.loads(outputs.read_text())["MangaAssist-local-Web"]["WebBucketName"]
    async with edge(patched.port, outputs) as client:
        first = await client.get("/page.js")
        assert first.headers["content-type"].startswith("text/javascript")
        same = await client.get("/page.js", headers={"If-None-Match": first.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        patched.client("s3").put_object(Bucket=bucket, Key="page.js", Body=b"export const changed = true")
        assert (await client.get("/page.js")).text == "export const changed = true"


async def test_the_api_is_passed_through_whole(patched: Emulator, outputs: Path) -> None:
    async with edge(patched.port, outputs) as client:
        headers = {"content-type": "text/plain"}
        answer = await client.post(
            "/v1/chat/tokens?for=guest&x=%E6%BC%AB", content="question", headers=headers
        )
    assert answer.status_code == 201
    assert answer.headers["x-answer"] == "42"
    seen = answer.json()
    assert (seen["method"], seen["path"], seen["body"]) == ("POST", "/v1/chat/tokens", "question")
    assert seen["query"] == "for=guest&x=%E6%BC%AB"


@pytest.mark.req("SEC-5")
async def test_the_edge_proves_itself_whatever_the_viewer_claims(patched: Emulator, outputs: Path) -> None:
    async with edge(patched.port, outputs) as client:
        headers = {"X-Origin-Secret": "forged", "Accept-Language": "ja"}
        seen = (await client.get("/v1/anything", headers=headers)).json()
    assert (seen["proof"], seen["locale"]) == ("proof", "ja")


async def test_a_method_that_the_behavior_does_not_allow_is_refused(patched: Emulator, outputs: Path) -> None:
    async with edge(patched.port, outputs) as client:
        assert (await client.post("/live")).status_code == 403
        assert (await client.post("/index.html")).status_code == 405


async def test_the_distributions_own_name_becomes_the_edges(patched: Emulator, outputs: Path) -> None:
    bucket = json.loads(outputs.read_text())["MangaAssist-local-Web"]["WebBucketName"]
    configuration = json.dumps({"websocket_url": f"wss://{PAGE}/live", "page": f"https://{PAGE}"})
    stored = patched.client("s3").get_object(Bucket=bucket, Key="config.json")["Body"].read()
    patched.client("s3").put_object(Bucket=bucket, Key="config.json", Body=configuration.encode())
    async with edge(patched.port, outputs) as client:
        seen = (await client.get("/config.json")).json()
    patched.client("s3").put_object(Bucket=bucket, Key="config.json", Body=stored)
    assert seen == {
        "websocket_url": f"ws://127.0.0.1:{OWN_PORT}/live",
        "page": f"http://127.0.0.1:{OWN_PORT}",
    }


async def test_what_is_not_there_is_not_found(patched: Emulator, outputs: Path) -> None:
    async with edge(patched.port, outputs) as client:
        for path in ("/nothing.js", "/../../etc/passwd", "/%2e%2e/secret"):
            assert (await client.get(path)).status_code == 404


async def test_before_the_deployment_it_says_what_to_do(patched: Emulator, tmp_path: Path) -> None:
    async with edge(patched.port, tmp_path / "none.json") as client:
        page, api = await client.get("/"), await client.get("/v1/anything")
    assert (page.status_code, page.text) == (503, "The page is not deployed yet: run `make up` and reload.")
    assert (api.status_code, api.text) == (503, page.text)


async def test_without_the_emulator_it_answers_in_one_line(outputs: Path) -> None:
    async with edge(free_port(), outputs) as client:
        page, api = await client.get("/"), await client.get("/v1/anything")
        assert (await client.get("/_twin/health")).json() == {"status": "ok"}
    assert (page.status_code, api.status_code) == (502, 502)
    assert "does not answer" in page.text
    assert "does not answer" in api.text


async def test_the_edge_can_be_broken_too(patched: Emulator, outputs: Path) -> None:
    async with edge(patched.port, outputs) as client:
        await client.put("/_twin/faults/edge", json={"kind": "throttle"})
        assert (await client.get("/")).status_code == 429
        await client.delete("/_twin/faults")
        assert (await client.get("/")).status_code == 200
