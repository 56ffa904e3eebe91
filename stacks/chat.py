"""The chat: guest tokens over HTTP, turns over a WebSocket."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, cast

from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.cache import CacheStack
from stacks.capacity_state import CapacityStateStack
from stacks.constructs.alarm import Severity, alarm
from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.http_api import HttpApi
from stacks.constructs.python_function import PythonFunction
from stacks.constructs.websocket_api import WebSocketApi
from stacks.environments import EndpointRole, EnvironmentSettings
from stacks.guardrail import GuardrailStack
from stacks.ingest import SEARCH_ALIAS
from stacks.model_access import embedding_model_id, generation_model_ids, model_arns
from stacks.model_policy import ModelPolicyStack
from stacks.network import NetworkStack
from stacks.search import SearchStack
from stacks.sessions import SessionsStack

DEADLINE_MS = 25_000
"""The whole request, inside the gateway's 29 s (RES-5)."""
ENDPOINT_VARIABLES: Final[Mapping[EndpointRole, str]] = MappingProxyType(
    {"intent": "INTENT_ENDPOINT", "reranker": "RERANK_ENDPOINT"}
)


class ChatStack(EnvironmentStack):
    """The two APIs and the five functions behind them."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: EnvironmentSettings,
        sessions: SessionsStack,
        search: SearchStack,
        policy: ModelPolicyStack,
        guardrail: GuardrailStack,
        network: NetworkStack | None,
        cache: CacheStack | None,
        capacity: CapacityStateStack,
    ) -> None:
        super().__init__(
            scope, "Chat", settings=settings, description="Guest tokens over HTTP, turns over a WebSocket"
        )
        self.websocket = WebSocketApi(self, "WebSocket", settings=settings)
        self.http = HttpApi(self, "Http", settings=settings)
        self._secret_key = kms.Key(
            self,
            "SecretKey",
            description=f"Guest token secret of {settings.name}",
            enable_key_rotation=True,
            removal_policy=self.removal_policy,
        )
        self.secret = secretsmanager.Secret(
            self,
            "GuestTokenSecret",
            description="Signs guest tokens; a new value signs every guest out",
            encryption_key=self._secret_key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=64, exclude_punctuation=True
            ),
            removal_policy=self.removal_policy,
        )
        # Not by Ref, which is the same on AWS: the twin's emulator answers that with the name, and IAM compares ARNs.
        self._secret_arn = cast("secretsmanager.CfnSecret", self.secret.node.default_child).attr_id
        guest_token = self._guest_token()
        authorizer = self._authorizer()
        connect = self._connect(sessions)
        disconnect = self._disconnect(sessions)
        self.message = self._message(sessions, search, policy, guardrail, network, cache, capacity)
        self.guest_token_route = self.http.route(
            apigatewayv2.HttpMethod.POST, "/v1/chat/guest-tokens", guest_token.alias
        )
        self.websocket.route(
            {
                "$connect": connect.alias,
                "$disconnect": disconnect.alias,
                "$default": self.message.alias,
                "message": self.message.alias,
                "resend": self.message.alias,
                "ping": self.message.alias,
            },
            authorizer=authorizer.alias,
        )
        self.message_errors = alarm(
            self,
            "MessageErrorsAlarm",
            settings=settings,
            what="Turns end in an unhandled error",
            runbook="function-errors",
            # Who is woken by it is decided by the composite alarms, which see the whole.
            severity=Severity.TICKET,
            metric=self.message.alias.metric_errors(period=Duration.minutes(1)),
            threshold=5,
            evaluation_periods=3,
            datapoints_to_alarm=2,
        )
        CfnOutput(self, "WebSocketUrl", value=self.websocket.stage.url)
        CfnOutput(self, "HttpApiUrl", value=f"https://{self.http.host}")
        CfnOutput(self, "MessageFunctionName", value=self.message.function.function_name)

    def _guest_token(self) -> PythonFunction:
        function = PythonFunction(
            self,
            "GuestToken",
            settings=self.settings,
            folder="guest_token",
            description="Hands a shopper without an account a short-lived token",
            timeout_seconds=10,
            variables={
                "GUEST_TOKEN_SECRET": self._secret_arn,
                "GUEST_TOKEN_TTL_SECONDS": str(self.settings.guest_token_ttl_seconds),
            },
        )
        self._allow_secret(function)
        return function

    def _authorizer(self) -> PythonFunction:
        function = PythonFunction(
            self,
            "Authorizer",
            settings=self.settings,
            folder="authorizer",
            description="Admits a connection with a valid token",
            timeout_seconds=10,
            variables={"GUEST_TOKEN_SECRET": self._secret_arn},
        )
        self._allow_secret(function)
        return function

    def _connect(self, sessions: SessionsStack) -> PythonFunction:
        function = PythonFunction(
            self,
            "Connect",
            settings=self.settings,
            folder="connect",
            description="Records a connection and its session",
            timeout_seconds=10,
            variables={
                "SESSIONS_TABLE": sessions.table.table_name,
                "SESSION_TTL_SECONDS": str(self.settings.session_ttl_seconds),
            },
        )
        sessions.grant(function, "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
        return function

    def _disconnect(self, sessions: SessionsStack) -> PythonFunction:
        function = PythonFunction(
            self,
            "Disconnect",
            settings=self.settings,
            folder="disconnect",
            description="Forgets a connection",
            timeout_seconds=10,
            variables={"SESSIONS_TABLE": sessions.table.table_name},
        )
        sessions.grant(function, "dynamodb:GetItem", "dynamodb:DeleteItem")
        return function

    def _message(
        self,
        sessions: SessionsStack,
        search: SearchStack,
        policy: ModelPolicyStack,
        guardrail: GuardrailStack,
        network: NetworkStack | None,
        cache: CacheStack | None,
        capacity: CapacityStateStack,
    ) -> PythonFunction:
        settings = self.settings
        judge = guardrail.function.alias.function_arn
        variables = {
            "SESSIONS_TABLE": sessions.table.table_name,
            "SESSION_TTL_SECONDS": str(settings.session_ttl_seconds),
            "MANAGEMENT_ENDPOINT": self.websocket.stage.callback_url,
            "GUARDRAIL_FUNCTION": judge,
            "SEARCH_ENDPOINT": search.endpoint,
            "SEARCH_ALIAS": SEARCH_ALIAS,
            "DEADLINE_MS": str(DEADLINE_MS),
            **policy.variables,
        }
        if settings.capacity.throughput:
            variables["CAPACITY_TABLE"] = capacity.table.table_name
        for role, name in settings.endpoints.items():
            variables[ENDPOINT_VARIABLES[role]] = name
        if cache is not None:
            variables.update(cache.variables(cache.chat_user))
        function = PythonFunction(
            self,
            "Message",
            settings=settings,
            folder="message",
            description="Answers a turn and streams it to the connection",
            # The gateway gives up after 29 s; the function's own deadline ends the turn before that.
            timeout_seconds=29,
            memory_mb=settings.message_memory_mb,
            reserved_concurrency=settings.message_reserved_concurrency,
            provisioned_concurrency=settings.message_provisioned_concurrency,
            # It posts to WebSocket connections, whose addresses are public.
            network=network.placement(internet=True) if network else None,
            variables=variables,
        )
        sessions.grant(
            function,
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:Query",
            "dynamodb:DeleteItem",
        )
        self._scale(function)
        if settings.capacity.throughput:
            self._use_bought_capacity(function, capacity)
        function.allow("execute-api:ManageConnections", on=[self.websocket.connections_arn()])
        function.allow("lambda:InvokeFunction", on=[judge])
        function.allow(
            "bedrock:InvokeModel",
            "bedrock:InvokeModelWithResponseStream",
            on=model_arns(self, *generation_model_ids(settings), embedding_model_id()),
        )
        if settings.endpoints:
            function.allow(
                "sagemaker:InvokeEndpoint",
                on=[
                    self.format_arn(service="sagemaker", resource="endpoint", resource_name=name)
                    for name in settings.endpoints.values()
                ],
            )
        if cache is not None:
            cache.grant(function, cache.chat_user)
        search.grant_read(function)
        policy.grant_read(function)
        return function

    def _scale(self, function: PythonFunction) -> None:
        """Warm environments follow their use; the pre-warm function moves the bounds between which they do."""
        base = self.settings.message_provisioned_concurrency
        if base is not None:
            function.alias.add_auto_scaling(
                min_capacity=base, max_capacity=self.settings.capacity.message_ceiling
            ).scale_on_utilization(utilization_target=0.7)

    def _use_bought_capacity(self, function: PythonFunction, capacity: CapacityStateStack) -> None:
        """Its ARN is new with every purchase, so the tag says which are ours."""
        capacity.grant_read_published(function)
        function.allow(
            "bedrock:InvokeModel",
            "bedrock:InvokeModelWithResponseStream",
            on=[self.format_arn(service="bedrock", resource="provisioned-model", resource_name="*")],
            conditions={"StringEquals": {"aws:ResourceTag/environment": self.settings.name}},
        )

    def _allow_secret(self, function: PythonFunction) -> None:
        function.allow("secretsmanager:GetSecretValue", on=[self._secret_arn])
        function.allow(
            "kms:Decrypt",
            on=[self._secret_key.key_arn],
            conditions={"StringEquals": {"kms:ViaService": f"secretsmanager.{self.region}.amazonaws.com"}},
        )
