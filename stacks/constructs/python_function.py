"""One Python function: its role, layers, log group, tracing, environment and ``live`` alias in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_lambda_destinations import SqsDestination
from constructs import Construct

from stacks.constructs.bundling import ROOT
from stacks.constructs.failure_queue import FailureQueue
from stacks.constructs.layers import layers_of
from stacks.constructs.log_group import log_group
from stacks.constructs.placement import Placement
from stacks.environments import EnvironmentSettings

METRICS_NAMESPACE: Final = "MangaAssist"
LIVE: Final = "live"
NETWORK_INTERFACES: Final = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)
"""What Lambda does in a function's name to put it into a VPC; it checks them against every resource."""
_LOG_LEVELS: Final = {
    "DEBUG": lambda_.ApplicationLogLevel.DEBUG,
    "INFO": lambda_.ApplicationLogLevel.INFO,
    "WARNING": lambda_.ApplicationLogLevel.WARN,
}


class PythonFunction(Construct):
    """The function in ``lambdas/<folder>``; callers go through ``alias``, so that code and layers switch together."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: EnvironmentSettings,
        folder: str,
        description: str,
        timeout_seconds: int,
        variables: Mapping[str, str] | None = None,
        memory_mb: int = 512,
        reserved_concurrency: int | None = None,
        provisioned_concurrency: int | None = None,
        failures: FailureQueue | None = None,
        network: Placement | None = None,
    ) -> None:
        """
        Args:
            scope: the stack.
            id: construct id.
            settings: the environment.
            folder: name under ``lambdas/``; also the service name in logs, metrics and traces.
            description: what the function is for, shown in the console.
            timeout_seconds: Lambda's own limit on one invocation.
            variables: the environment beyond what every function gets.
            memory_mb: CPU grows with it.
            reserved_concurrency: a share of the account's concurrency kept for, and capping, this function.
            provisioned_concurrency: environments kept warm behind the alias.
            failures: where an event goes whose asynchronous attempts all failed.
            network: where in the VPC it runs; outside of any without one, see ``stacks.network.OUTSIDE`` for who and why.
        """
        super().__init__(scope, id)
        self.folder = folder
        self.timeout_seconds = timeout_seconds
        stack = Stack.of(self)
        logs = log_group(self, "Logs", settings=settings, name=folder)
        # A role of its own instead of AWSLambdaBasicExecutionRole, which may write to every log group of the account.
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        logs.grant_write(self.role)
        if network is not None:
            self._enter_network()
        if failures is not None:
            # Lambda puts what failed into the queue in the function's name.
            failures.grant_key(self.role)
        self.function = lambda_.Function(
            self,
            "Function",
            code=lambda_.Code.from_asset(str(ROOT / "lambdas" / folder), exclude=["__pycache__", "*.pyc"]),
            handler="handler.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=_architecture(settings),
            layers=layers_of(stack, settings),
            description=description,
            role=self.role,
            memory_size=memory_mb,
            timeout=Duration.seconds(timeout_seconds),
            tracing=lambda_.Tracing.ACTIVE,
            log_group=logs,
            logging_format=lambda_.LoggingFormat.JSON,
            application_log_level_v2=_LOG_LEVELS[settings.log_level],
            environment={
                "ENVIRONMENT": settings.name,
                "LOG_LEVEL": settings.log_level,
                "POWERTOOLS_SERVICE_NAME": folder,
                "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
                **(variables or {}),
            },
            reserved_concurrent_executions=reserved_concurrency,
            vpc=network.vpc if network else None,
            vpc_subnets=network.subnets if network else None,
            security_groups=list(network.security_groups) if network else None,
        )
        self.alias = lambda_.Alias(
            self,
            "Alias",
            alias_name=LIVE,
            version=self.function.current_version,
            provisioned_concurrent_executions=provisioned_concurrency,
            on_failure=None if failures is None else SqsDestination(failures),
            # Two more attempts, then the failure queue; an event older than an hour is stale.
            retry_attempts=None if failures is None else 2,
            max_event_age=None if failures is None else Duration.hours(1),
        )

    def allow(self, *actions: str, on: Sequence[str], conditions: Mapping[str, object] | None = None) -> None:
        """Let the function perform ``actions`` on the resources ``on`` (ARNs)."""
        self.role.add_to_policy(
            iam.PolicyStatement(actions=list(actions), resources=list(on), conditions=dict(conditions or {}))
        )

    def _enter_network(self) -> None:
        """Let Lambda, and nobody who runs inside the function, handle its network interfaces."""
        self.allow(*NETWORK_INTERFACES, on=["*"])
        self.role.add_to_policy(
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                actions=list(NETWORK_INTERFACES),
                resources=["*"],
                # Present in requests that a function's own code makes; any function, because this role has but one.
                conditions={
                    "ArnLike": {
                        "lambda:SourceFunctionArn": Stack.of(self).format_arn(
                            service="lambda",
                            resource="function",
                            resource_name="*",
                            arn_format=ArnFormat.COLON_RESOURCE_NAME,
                        )
                    }
                },
            )
        )


def _architecture(settings: EnvironmentSettings) -> lambda_.Architecture:
    return lambda_.Architecture.ARM_64 if settings.architecture == "arm64" else lambda_.Architecture.X86_64
