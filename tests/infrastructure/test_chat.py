"""The two APIs: who may enter, where messages go, what is logged."""

from __future__ import annotations

import json

import pytest

from tests.infrastructure.synthesized import Synthesized, readable


def _target(local: Synthesized, route: dict) -> str:
    """Logical id of the alias behind a route."""
    integration = local.resources("AWS::ApiGatewayV2::Integration", "Chat")[
        route["Properties"]["Target"]["Fn::Join"][1][1]["Ref"]
    ]["Properties"]
    assert integration["IntegrationType"] == "AWS_PROXY"
    uri = readable(integration["IntegrationUri"])
    return next(name for name in local.resources("AWS::Lambda::Alias", "Chat") if f"${{{name}}}" in uri)


def _alias(local: Synthesized, folder: str) -> str:
    return next(
        name
        for name, alias in local.resources("AWS::Lambda::Alias").items()
        if alias["Properties"]["FunctionName"] == {"Ref": local.logical_id(folder)}
    )


@pytest.mark.req("STR-1")
def test_messages_are_routed_by_action_to_live_aliases(local: Synthesized) -> None:
    routes = {
        route["Properties"]["RouteKey"]: _target(local, route)
        for route in local.resources("AWS::ApiGatewayV2::Route", "Chat").values()
    }
    message = _alias(local, "message")
    assert routes == {
        "$connect": _alias(local, "connect"),
        "$disconnect": _alias(local, "disconnect"),
        "$default": message,
        "message": message,
        "resend": message,
        "ping": message,
        "POST /v1/chat/guest-tokens": _alias(local, "guest_token"),
    }
    apis = {
        api["Properties"]["ProtocolType"]: api["Properties"]
        for api in local.resources("AWS::ApiGatewayV2::Api", "Chat").values()
    }
    assert apis["WEBSOCKET"]["RouteSelectionExpression"] == "$request.body.action"


@pytest.mark.req("SEC-1", "STR-1")
def test_a_connection_needs_a_token_in_the_subprotocol_header(local: Synthesized) -> None:
    (authorizer_id,) = local.resources("AWS::ApiGatewayV2::Authorizer", "Chat")
    authorizer = local.only("AWS::ApiGatewayV2::Authorizer", "Chat")["Properties"]
    assert authorizer["AuthorizerType"] == "REQUEST"
    assert authorizer["IdentitySource"] == ["route.request.header.Sec-WebSocket-Protocol"]
    assert f"${{{_alias(local, 'authorizer')}}}" in readable(authorizer["AuthorizerUri"])
    (connect,) = [
        route["Properties"]
        for route in local.resources("AWS::ApiGatewayV2::Route", "Chat").values()
        if route["Properties"]["RouteKey"] == "$connect"
    ]
    assert connect["AuthorizationType"] == "CUSTOM"
    assert connect["AuthorizerId"] == {"Ref": authorizer_id}


def test_stages_are_throttled_and_leave_one_line_per_request(application: Synthesized) -> None:
    stages = {
        stage["Properties"]["StageName"]: stage["Properties"]
        for stage in application.resources("AWS::ApiGatewayV2::Stage", "Chat").values()
    }
    throttles = {
        "live": application.settings.websocket_throttle,
        "$default": application.settings.http_throttle,
    }
    assert set(stages) == set(throttles)
    for name, throttle in throttles.items():
        limits = stages[name]["DefaultRouteSettings"]
        assert limits["ThrottlingRateLimit"] == throttle.rate_per_second
        assert limits["ThrottlingBurstLimit"] == throttle.burst
        line = json.loads(stages[name]["AccessLogSettings"]["Format"])
        assert line["requestId"] == "$context.requestId"
        assert not [value for value in line.values() if "header" in value.lower() or "authorizer." in value]
        group = stages[name]["AccessLogSettings"]["DestinationArn"]["Fn::GetAtt"][0]
        logs = application.resources("AWS::Logs::LogGroup", "Chat")[group]["Properties"]
        assert logs["RetentionInDays"] == application.settings.log_retention_days


def test_api_gateway_may_write_the_websocket_log_before_the_stage_asks_for_it(local: Synthesized) -> None:
    (account,) = local.resources("AWS::ApiGateway::Account", "Chat")
    (stage,) = [
        stage
        for stage in local.resources("AWS::ApiGatewayV2::Stage", "Chat").values()
        if stage["Properties"]["StageName"] == "live"
    ]
    assert account in stage["DependsOn"]
    resource = local.only("AWS::ApiGateway::Account", "Chat")
    assert resource["DeletionPolicy"] == "Retain", "other environments of the account use it too"


@pytest.mark.req("SEC-6")
def test_the_guest_secret_is_made_by_secrets_manager_under_our_key(application: Synthesized) -> None:
    secrets = application.resources("AWS::SecretsManager::Secret", "Chat")
    (secret_id,) = [name for name in secrets if name.startswith("GuestTokenSecret")]
    secret = secrets[secret_id]["Properties"]
    assert secret["GenerateSecretString"]["PasswordLength"] >= 32
    assert "SecretString" not in secret
    assert readable(secret["KmsKeyId"]) == "${SecretKey573D36D8.Arn}"
    for folder in ("authorizer", "guest_token"):
        variables = application.function(folder)["Environment"]["Variables"]
        assert variables["GUEST_TOKEN_SECRET"] == {"Fn::GetAtt": [secret_id, "Id"]}, "the ARN, not the secret"
        assert application.permissions(folder)["secretsmanager:GetSecretValue"] == sorted(
            f"${{{name}.Id}}" for name in secrets
        )


@pytest.mark.req("SEC-4")
def test_message_posts_to_connections_of_its_own_stage(local: Synthesized) -> None:
    (api,) = [
        name
        for name, api in local.resources("AWS::ApiGatewayV2::Api", "Chat").items()
        if api["Properties"]["ProtocolType"] == "WEBSOCKET"
    ]
    (arn,) = local.permissions("message")["execute-api:ManageConnections"]
    assert arn == f"arn:aws:execute-api:us-east-1:${{AWS::AccountId}}:${{{api}}}/live/POST/@connections/*"
    endpoint = readable(local.function("message")["Environment"]["Variables"]["MANAGEMENT_ENDPOINT"])
    assert endpoint == f"https://${{{api}}}.execute-api.us-east-1.${{AWS::URLSuffix}}/live"


def test_failing_turns_raise_an_alarm(local: Synthesized) -> None:
    alarm = local.only("AWS::CloudWatch::Alarm", "Chat")["Properties"]
    assert alarm["MetricName"] == "Errors"
    assert alarm["TreatMissingData"] == "notBreaching"
    assert {"Name": "FunctionName", "Value": {"Ref": local.logical_id("message")}} in alarm["Dimensions"]


@pytest.mark.req("IAC-1")
def test_stacks_tell_what_others_need(application: Synthesized) -> None:
    wanted = {
        "Sessions": {"SessionsTableName"},
        "Search": {"CollectionEndpoint"},
        "ModelPolicy": {
            "PolicyApplicationId",
            "PolicyEnvironmentId",
            "PolicyProfileId",
            "InstantStrategyId",
            "GradualStrategyId",
        },
        "Ingest": {"CatalogueTableName", "FeedBucketName", "IngestFunctionName"},
        "Guardrail": {"GuardrailFunctionName"},
        "Chat": {"WebSocketUrl", "HttpApiUrl", "MessageFunctionName"},
        "Web": {"WebBucketName", "PageUrl", "ChatUrl", "DistributionId"},
    }
    if application.settings.replica_regions:
        wanted["Chat"] |= {"GuestTokenSecretArn", "OriginSecretArn"}
    for concern, names in wanted.items():
        outputs = application.templates[concern]["Outputs"]
        assert {name for name in outputs if not name.startswith("ExportsOutput")} == names
