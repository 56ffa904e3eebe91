"""The WebSocket API: routes to function aliases, one throttled and logged stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_apigatewayv2_authorizers import WebSocketLambdaAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import WebSocketLambdaIntegration
from constructs import Construct

from mangaassist.identity.origin import HEADER as ORIGIN_HEADER
from stacks.constructs.access_log import AccessLog
from stacks.constructs.api_domain import ApiDomain
from stacks.environments import EnvironmentSettings

STAGE: Final = "live"
IDENTITY_SOURCE: Final = "route.request.header.Sec-WebSocket-Protocol"
"""Browsers cannot set other headers on a WebSocket, and a token in the URL would end up in logs."""
ORIGIN_SOURCE: Final = f"route.request.header.{ORIGIN_HEADER}"
"""What lacks one of the sources is refused by the gateway itself, at no cost of ours."""


class WebSocketApi(Construct):
    """A WebSocket API whose messages are routed by their ``action`` field.

    The stage comes first and the routes are added afterwards, because a function behind a route wants to know the
    stage's callback address.
    """

    def __init__(self, scope: Construct, id: str, *, settings: EnvironmentSettings) -> None:
        super().__init__(scope, id)
        self.api = apigatewayv2.WebSocketApi(
            self,
            "Api",
            api_name=f"{settings.resource_prefix}-chat",
            description="Streams answers to the chat widget",
            route_selection_expression="$request.body.action",
        )
        self._settings = settings
        domains = settings.domains
        self.domain: ApiDomain | None = None
        if domains is not None:
            # The construct has no property for it.
            cast("apigatewayv2.CfnApi", self.api.node.default_child).disable_execute_api_endpoint = True
            self.domain = ApiDomain(
                self, "Domain", name=domains.websocket, certificate_arn=domains.api_certificate_arn
            )
        self.stage = apigatewayv2.WebSocketStage(
            self,
            "Stage",
            web_socket_api=self.api,
            stage_name=STAGE,
            auto_deploy=True,
            detailed_metrics_enabled=True,
            # The same path with and without a name of our own: CloudFront passes it on as it comes.
            domain_mapping=apigatewayv2.DomainMappingOptions(
                domain_name=self.domain.domain, mapping_key=STAGE
            )
            if self.domain
            else None,
            throttle=apigatewayv2.ThrottleSettings(
                rate_limit=settings.websocket_throttle.rate_per_second,
                burst_limit=settings.websocket_throttle.burst,
            ),
            access_log_settings=AccessLog(
                self,
                settings=settings,
                name="websocket-api",
                fields=("eventType", "connectionId", "messageId"),
            ),
        )
        self.callback_domain = self._callback()
        self.log_role = self._allow_logs()
        self.routes: dict[str, apigatewayv2.WebSocketRoute] = {}

    def route(self, handlers: Mapping[str, lambda_.IFunction], *, authorizer: lambda_.IFunction) -> None:
        """Send each route key to its function; ``authorizer`` decides about ``$connect``."""
        for key, handler in handlers.items():
            name = key.removeprefix("$").capitalize()
            self.routes[key] = self.api.add_route(
                key,
                integration=WebSocketLambdaIntegration(f"{name}Integration", handler),
                authorizer=WebSocketLambdaAuthorizer(
                    "TokenAuthorizer",
                    authorizer,
                    identity_source=[IDENTITY_SOURCE, *([ORIGIN_SOURCE] if self._settings.edge else [])],
                )
                if key == "$connect"
                else None,
            )

    @property
    def host(self) -> str:
        """The host the API is served at, under which API Gateway recognizes it."""
        if self._settings.domains:
            return self._settings.domains.websocket
        stack = Stack.of(self)
        return f"{self.api.api_id}.execute-api.{stack.region}.{stack.url_suffix}"

    @property
    def url(self) -> str:
        """Where the API itself is connected to; shoppers come through the edge where there is one."""
        return f"wss://{self.host}/{STAGE}" if self._settings.domains else self.stage.url

    @property
    def callback_url(self) -> str:
        """Where functions post to connections. A closed default endpoint is closed for this as well."""
        domains = self._settings.domains
        if domains is None:
            return self.stage.callback_url
        host = domains.callback(self._settings.region) if self.callback_domain else self.host
        return f"https://{host}/{STAGE}"

    def connections_arn(self) -> str:
        """What ``execute-api:ManageConnections`` is granted on: posting to connections of this stage."""
        return Stack.of(self).format_arn(
            service="execute-api", resource=self.api.api_id, resource_name=f"{STAGE}/POST/@connections/*"
        )

    def _callback(self) -> ApiDomain | None:
        """A name that stays this region's when ``host`` moves: connections that are open stay where they are."""
        domains = self._settings.domains
        if domains is None or not self._settings.fails_over:
            return None
        callback = ApiDomain(
            self,
            "CallbackDomain",
            name=domains.callback(self._settings.region),
            certificate_arn=domains.api_certificate_arn,
        )
        apigatewayv2.ApiMapping(
            self,
            "CallbackMapping",
            api=self.api,
            domain_name=callback.domain,
            stage=self.stage,
            api_mapping_key=STAGE,
        )
        return callback

    def _allow_logs(self) -> iam.Role:
        """Let API Gateway write logs of WebSocket stages, which it does with one role per account and region.

        Retained, because another environment of the same account may rely on it after this stack is gone.
        """
        role = iam.Role(
            self,
            "LogRole",
            assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"),
            managed_policies=[
                iam.ManagedPolicy.from_aws_managed_policy_name(
                    "service-role/AmazonAPIGatewayPushToCloudWatchLogs"
                )
            ],
        )
        role.apply_removal_policy(RemovalPolicy.RETAIN)
        account = apigateway.CfnAccount(self, "LogAccount", cloud_watch_role_arn=role.role_arn)
        account.apply_removal_policy(RemovalPolicy.RETAIN)
        self.stage.node.add_dependency(account)
        return role
