"""The HTTP API: routes to function aliases, one throttled and logged stage."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from stacks.constructs.access_log import AccessLog
from stacks.constructs.api_domain import ApiDomain
from stacks.environments import EnvironmentSettings


class HttpApi(Construct):
    """An HTTP API served at the root of its address (stage ``$default``), so that paths start with ``/v1``."""

    def __init__(self, scope: Construct, id: str, *, settings: EnvironmentSettings) -> None:
        super().__init__(scope, id)
        self._domains = settings.domains
        self.domain: ApiDomain | None = None
        self.api = apigatewayv2.HttpApi(
            self,
            "Api",
            api_name=f"{settings.resource_prefix}-http",
            description="Request-response side of the chat",
            create_default_stage=False,
            disable_execute_api_endpoint=True if self._domains else None,
        )
        if self._domains:
            self.domain = ApiDomain(
                self,
                "Domain",
                name=self._domains.api,
                certificate_arn=self._domains.api_certificate_arn,
            )
        self.stage = apigatewayv2.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            detailed_metrics_enabled=True,
            domain_mapping=apigatewayv2.DomainMappingOptions(domain_name=self.domain.domain)
            if self.domain
            else None,
            throttle=apigatewayv2.ThrottleSettings(
                rate_limit=settings.http_throttle.rate_per_second, burst_limit=settings.http_throttle.burst
            ),
            access_log_settings=AccessLog(
                self, settings=settings, name="http-api", fields=("responseLatency",)
            ),
        )

    @property
    def host(self) -> str:
        """The host the API is served at, under which API Gateway recognizes it."""
        if self._domains:
            return self._domains.api
        stack = Stack.of(self)
        return f"{self.api.api_id}.execute-api.{stack.region}.{stack.url_suffix}"

    def route(
        self, method: apigatewayv2.HttpMethod, path: str, handler: lambda_.IFunction
    ) -> apigatewayv2.HttpRoute:
        """Send ``method path`` to ``handler``."""
        name = "".join(part.capitalize() for part in path.replace("-", "/").split("/"))
        return self.api.add_routes(
            path=path, methods=[method], integration=HttpLambdaIntegration(f"{name}Integration", handler)
        )[0]
