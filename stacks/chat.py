"""The chat: guest tokens over HTTP, turns over a WebSocket."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, cast

from aws_cdk import Annotations, CfnOutput, Duration
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.cache import CacheStack
from stacks.capacity_state import CapacityStateStack
from stacks.constructs.alarm import Severity, alarm
from stacks.constructs.api_domain import Failover
from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.failover import FailoverCheck
from stacks.constructs.http_api import HttpApi
from stacks.constructs.model_profiles import ModelProfiles
from stacks.constructs.python_function import PythonFunction
from stacks.constructs.replaceable import HOST_AND_PORT, Replaceable
from stacks.constructs.replicas import key_of_replicas, replica_key_alias, replicated_secret
from stacks.constructs.secret_rotation import SecretRotation
from stacks.constructs.websocket_api import WebSocketApi
from stacks.environments import EndpointRole, EnvironmentSettings
from stacks.guardrail import GuardrailStack
from stacks.identity import IdentityStack
from stacks.ingest import SEARCH_ALIAS
from stacks.model_access import embedding_model_id, generation_model_ids, model_arns
from stacks.model_policy import ModelPolicyStack
from stacks.network import NetworkStack, catalogue_target
from stacks.partner_access import PartnerAccess
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
        capacity: CapacityStateStack | None,
        identity: IdentityStack | None,
    ) -> None:
        super().__init__(
            scope, "Chat", settings=settings, description="Guest tokens over HTTP, turns over a WebSocket"
        )
        self.websocket = WebSocketApi(self, "WebSocket", settings=settings)
        self.http = HttpApi(self, "Http", settings=settings)
        self.failover = self._record()
        self.secret_key: kms.IKey = (
            key_of_replicas(self, "SecretKey", settings)
            if settings.standby_of
            else kms.Key(
                self,
                "SecretKey",
                description=f"Secrets of the chat of {settings.name}",
                enable_key_rotation=True,
                removal_policy=self.removal_policy,
            )
        )
        self.secret = self._secret(
            "GuestTokenSecret", "Signs guest tokens; the value before counts until the next one comes"
        )
        self.secret_arn = _arn(self.secret)
        if settings.name == "prod" and settings.domains is None:
            Annotations.of(self).add_warning_v2(
                "mangaassist:default-endpoints-open",
                "prod has no domains of its own: the APIs' default endpoints stay reachable (deployment.example.toml)",
            )
        self.origin_secret = (
            self._secret("OriginSecret", "By it the APIs know what came through the edge")
            if settings.edge
            else None
        )
        guest_token = self._guest_token()
        authorizer = self._authorizer(identity)
        self.rotation = self._rotation(settings.secret_rotation_days)
        self.profiles = ModelProfiles(self, "Profiles", settings=settings) if settings.bedrock else None
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
        CfnOutput(self, "WebSocketUrl", value=self.websocket.url)
        CfnOutput(self, "HttpApiUrl", value=f"https://{self.http.host}")
        CfnOutput(self, "MessageFunctionName", value=self.message.function.function_name)
        if settings.replica_regions:
            # The standby is told them: its replicas have the same ARNs but for the region.
            CfnOutput(self, "GuestTokenSecretArn", value=self.secret_arn)
            if self.origin_secret_arn:
                CfnOutput(self, "OriginSecretArn", value=self.origin_secret_arn)

    def _guest_token(self) -> PythonFunction:
        function = PythonFunction(
            self,
            "GuestToken",
            settings=self.settings,
            folder="guest_token",
            description="Hands a shopper without an account a short-lived token",
            timeout_seconds=10,
            variables={
                **self._door_variables(),
                "GUEST_TOKEN_TTL_SECONDS": str(self.settings.guest_token_ttl_seconds),
            },
        )
        self._allow_secrets(function)
        return function

    def _authorizer(self, identity: IdentityStack | None) -> PythonFunction:
        sign_in = (
            {
                "USER_POOL": identity.pool.user_pool_id,
                "USER_POOL_CLIENT": identity.client.user_pool_client_id,
            }
            if identity
            else {}
        )
        function = PythonFunction(
            self,
            "Authorizer",
            settings=self.settings,
            folder="authorizer",
            description="Admits a connection with a valid token",
            timeout_seconds=10,
            variables={**self._door_variables(), **sign_in},
        )
        self._allow_secrets(function)
        return function

    def _rotation(self, days: int | None) -> SecretRotation | None:
        if days is None:
            return None
        return SecretRotation(
            self,
            "GuestSecretRotation",
            settings=self.settings,
            folder="rotate_guest_secret",
            description="Gives guest tokens a new signing secret",
            days=days,
            secret_arn=self.secret_arn,
            key=self.secret_key,
        )

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
        capacity: CapacityStateStack | None,
    ) -> PythonFunction:
        settings = self.settings
        judge = guardrail.function.alias.function_arn
        variables = {
            "SESSIONS_TABLE": sessions.table.table_name,
            "SESSION_TTL_SECONDS": str(settings.session_ttl_seconds),
            "MANAGEMENT_ENDPOINT": self.websocket.callback_url,
            "GUARDRAIL_FUNCTION": judge,
            "SEARCH_ENDPOINT": search.endpoint,
            "SEARCH_ALIAS": SEARCH_ALIAS,
            "DEADLINE_MS": str(DEADLINE_MS),
            **policy.variables,
        }
        if capacity is not None and settings.capacity.throughput:
            variables["CAPACITY_TABLE"] = capacity.table.table_name
        if self.profiles is not None:
            variables["MODEL_PROFILES"] = self.to_json_string(self.profiles.by_model)
        for role, name in settings.endpoints.items():
            variables[ENDPOINT_VARIABLES[role]] = name
        if cache is not None:
            variables.update(cache.variables(cache.chat_user))
        store = PartnerAccess(self)
        variables.update(store.variables)
        variables.update(self._catalogue_variables())
        campaigns = self._campaigns()
        variables.update(campaigns)
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
            # It posts to WebSocket connections and asks partners, whose addresses are public.
            network=network.placement(internet=True, catalogue=True) if network else None,
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
        if capacity is not None and settings.capacity.throughput:
            self._use_bought_capacity(function, capacity)
        function.allow("execute-api:ManageConnections", on=[self.websocket.connections_arn()])
        function.allow("lambda:InvokeFunction", on=[judge])
        function.allow(
            "bedrock:InvokeModel",
            "bedrock:InvokeModelWithResponseStream",
            on=model_arns(self, *generation_model_ids(settings), embedding_model_id()),
        )
        if self.profiles is not None:
            self.profiles.grant_invoke(function)
        if settings.endpoints:
            function.allow(
                "sagemaker:InvokeEndpoint",
                on=[
                    self.format_arn(service="sagemaker", resource="endpoint", resource_name=name)
                    for name in settings.endpoints.values()
                ],
            )
        store.grant(function)
        if campaigns:
            function.allow("personalize:GetRecommendations", on=sorted(set(campaigns.values())))
        if cache is not None:
            cache.grant(function, cache.chat_user)
        search.grant_read(function)
        policy.grant_read(function)
        return function

    def _catalogue_variables(self) -> dict[str, str]:
        """Where the catalogue service answers; by its name, which is known before it runs."""
        catalogue = self.settings.catalogue
        address = Replaceable(
            self,
            "CatalogueTarget",
            what="host:port of the catalogue service",
            pattern=HOST_AND_PORT,
            setting=catalogue_target(self.settings) if catalogue else None,
        )
        tls = {"CATALOGUE_TLS": "true"} if catalogue and catalogue.certificate_arn else {}
        return {"CATALOGUE_TARGET": address.value, **tls}

    def _campaigns(self) -> dict[str, str]:
        """ARNs by variable of the campaigns that recommend."""
        personalize = self.settings.personalize
        return {
            variable: name
            if name.startswith("arn:")
            else self.format_arn(service="personalize", resource="campaign", resource_name=name)
            for variable, name in (
                ("PERSONALIZE_USER_CAMPAIGN", personalize.user_campaign),
                ("PERSONALIZE_SIMILAR_CAMPAIGN", personalize.similar_campaign),
            )
            if name
        }

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

    def _record(self) -> FailoverCheck | None:
        """Record the names of both APIs: alone, or as one of two that a health check chooses between."""
        settings, domains = self.settings, self.settings.domains
        if (settings.replica_regions or settings.standby_of) and not settings.fails_over:
            Annotations.of(self).add_warning_v2(
                "mangaassist:no-failover",
                "no failover to the other region: it needs domains with hosted_zone and standby_certificate_arn "
                "(deployment.example.toml, docs/runbooks/region-loss.md)",
            )
        if domains is None or domains.hosted_zone is None or not (self.http.domain and self.websocket.domain):
            return None
        check, failover = None, None
        if settings.fails_over:
            if settings.standby_of is None:
                check = FailoverCheck(
                    self,
                    "Failover",
                    settings=settings,
                    regional_domain_name=self.http.domain.domain.regional_domain_name,
                )
            failover = Failover(region=settings.region, check=check.check if check else None)
        # One check for both: guest tokens and connections move together.
        for domain in (self.http.domain, self.websocket.domain):
            domain.record(domains.hosted_zone, failover)
        if self.websocket.callback_domain:
            self.websocket.callback_domain.record(domains.hosted_zone, None)
        return check

    def _secret(self, id: str, description: str) -> secretsmanager.ISecret:
        if self.settings.standby_of:
            return replicated_secret(
                self, id, parameter=f"{id.removesuffix('Secret')}ReplicaArn", settings=self.settings
            )
        secret = secretsmanager.Secret(
            self,
            id,
            description=description,
            encryption_key=self.secret_key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=64, exclude_punctuation=True
            ),
            removal_policy=self.removal_policy,
        )
        if self.settings.replica_regions:
            # Not under a name of our own, which would replace the secret: a replica has the name and the ARN of the
            # original, but for the region. What rotation changes here changes there. On the resource itself: the
            # construct would name an alias of this region.
            cast("secretsmanager.CfnSecret", secret.node.default_child).replica_regions = [
                secretsmanager.CfnSecret.ReplicaRegionProperty(
                    region=region, kms_key_id=replica_key_alias(self.settings)
                )
                for region in self.settings.replica_regions
            ]
        return secret

    @property
    def origin_secret_arn(self) -> str | None:
        """What CloudFront proves itself with; ``None`` where nothing stands in front."""
        return _arn(self.origin_secret) if self.origin_secret else None

    def _door_variables(self) -> dict[str, str]:
        """Where the functions at the door find what they check callers with."""
        origin = {"ORIGIN_SECRET": self.origin_secret_arn} if self.origin_secret_arn else {}
        return {"GUEST_TOKEN_SECRET": self.secret_arn, **origin}

    def _allow_secrets(self, function: PythonFunction) -> None:
        function.allow("secretsmanager:GetSecretValue", on=[*self._door_variables().values()])
        function.allow(
            "kms:Decrypt",
            on=[self.secret_key.key_arn],
            conditions={"StringEquals": {"kms:ViaService": f"secretsmanager.{self.region}.amazonaws.com"}},
        )


def _arn(secret: secretsmanager.ISecret) -> str:
    """Not by Ref, which is the same on AWS: the twin's emulator answers that with the name, and IAM compares ARNs."""
    own = cast("secretsmanager.CfnSecret | None", secret.node.default_child)
    return own.attr_id if own else secret.secret_arn
