"""A small WebSocket application that the emulator tests deploy: what reaches it, it writes to its scratch folder."""

from __future__ import annotations

from typing import Any

from tests.functional.twin.emulators import function

CONNECT = """
import json, os, pathlib
def handler(event, context):
    if (event.get("queryStringParameters") or {}).get("refuse"):
        return {"statusCode": 400}
    pathlib.Path(os.environ["SCRATCH"], "connected").write_text(event["requestContext"]["connectionId"])
    offered = event["headers"].get("Sec-WebSocket-Protocol", event["headers"].get("sec-websocket-protocol", ""))
    if "mangaassist" in offered:
        return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "mangaassist"}}
    return {"statusCode": 200}
"""

MESSAGE = """
import json, os, pathlib, time
def handler(event, context):
    folder = pathlib.Path(os.environ["SCRATCH"])
    context_of = event["requestContext"]
    body = event["body"]
    note = {"route": context_of["routeKey"], "body": body, "authorizer": context_of.get("authorizer"),
            "base64": event["isBase64Encoded"]}
    print("said", len(body))
    try:
        command = json.loads(body)
    except ValueError:
        command = {}
    if "meet" in command:
        # Two frames meet when both run at once: each leaves a token and waits for the other's.
        me, other = command["meet"]
        (folder / f"met-{me}").touch()
        deadline = time.monotonic() + command["patience"]
        while not (folder / f"met-{other}").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        note["met"] = (folder / f"met-{other}").exists()
    if "fail" in command:
        raise ValueError("a secret of the handler")
    name = command.get("name", "unnamed")
    beside = folder / f".{name}"
    beside.write_text(json.dumps(note))
    beside.rename(folder / name)
    return {"statusCode": 200, "body": "a return value"}
"""

DISCONNECT = """
import json, os, pathlib
def handler(event, context):
    context_of = event["requestContext"]
    note = {"connection": context_of["connectionId"], "code": context_of.get("disconnectStatusCode")}
    folder = pathlib.Path(os.environ["SCRATCH"])
    (folder / ".gone").write_text(json.dumps(note))
    (folder / ".gone").rename(folder / ("gone-" + context_of["connectionId"]))
    return {"statusCode": 200}
"""

AUTHORIZER = """
def handler(event, context):
    header = event["headers"].get("Sec-WebSocket-Protocol", event["headers"].get("sec-websocket-protocol", ""))
    effect = "Allow" if "let-me-in" in header else "Deny"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}
    return {"principalId": "guest", "context": {"subject": "guest-1", "kind": "guest"},
            "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
"""

OFFERED = ["mangaassist", "let-me-in"]


def resources(scratch: str) -> dict[str, Any]:
    """An API with an authorizer, the three predefined routes and ``message``."""
    environment = {"Environment": {"Variables": {"SCRATCH": scratch}}}
    api: dict[str, Any] = {
        "Api": {
            "Type": "AWS::ApiGatewayV2::Api",
            "Properties": {
                "Name": "socket",
                "ProtocolType": "WEBSOCKET",
                "RouteSelectionExpression": "$request.body.action",
            },
        },
        "Stage": {
            "Type": "AWS::ApiGatewayV2::Stage",
            "Properties": {"ApiId": {"Ref": "Api"}, "StageName": "live", "AutoDeploy": True},
        },
        "AuthorizerFunction": function(AUTHORIZER),
        "Authorizer": {
            "Type": "AWS::ApiGatewayV2::Authorizer",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "Name": "token",
                "AuthorizerType": "REQUEST",
                "AuthorizerUri": _invocation("AuthorizerFunction"),
                "IdentitySource": ["route.request.header.Sec-WebSocket-Protocol"],
            },
        },
    }
    routes = {
        "Connect": ("$connect", CONNECT),
        "Disconnect": ("$disconnect", DISCONNECT),
        "Default": ("$default", MESSAGE),
        "Message": ("message", MESSAGE),
    }
    for name, (key, code) in routes.items():
        api[f"{name}Function"] = function(code, **environment)
        api[f"{name}Integration"] = {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": _invocation(f"{name}Function"),
            },
        }
        authorization = (
            {"AuthorizationType": "CUSTOM", "AuthorizerId": {"Ref": "Authorizer"}}
            if name == "Connect"
            else {}
        )
        api[f"{name}Route"] = {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "RouteKey": key,
                "Target": {"Fn::Join": ["/", ["integrations", {"Ref": f"{name}Integration"}]]},
                **authorization,
            },
        }
    return api


def _invocation(function_name: str) -> dict[str, Any]:
    arn = {"Fn::GetAtt": [function_name, "Arn"]}
    prefix = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
    return {"Fn::Join": ["", [prefix, arn, "/invocations"]]}
