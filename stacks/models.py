"""The models that run all the time: the intent classifier on Inferentia, the reranker on a GPU."""

from __future__ import annotations

from typing import Final

from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from stacks.constructs.alarm import Severity, alarm
from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.failure_queue import FailureQueue
from stacks.constructs.model_endpoint import ModelEndpoint, Serving
from stacks.constructs.python_function import PythonFunction
from stacks.environments import EndpointRole, EnvironmentSettings, ModelServing
from stacks.model_registry import ModelRegistryStack
from stacks.network import PREFIX_LISTS, NetworkStack

SERVING: Final = (
    Serving(
        role="intent",
        what="intent classifications",
        update="canary",
        latency_p99_ms=50,  # INT-3
        invocations_per_minute=2_400,
        concurrency=4,
        variables={"HF_TASK": "text-classification"},
    ),
    Serving(
        role="reranker",
        what="rerankings",
        update="rolling",
        latency_p99_ms=50,  # RET-3
        invocations_per_minute=900,
        concurrency=3,
        # Local files only: the container is cut off from every model hub.
        variables={"HF_MODEL_ID": "/opt/ml/model", "MAX_CLIENT_BATCH_SIZE": "32", "AUTO_TRUNCATE": "true"},
    ),
)


class ModelsStack(EnvironmentStack):
    """Two endpoints that scale by themselves, roll back by themselves and are warmed up."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: EnvironmentSettings,
        models: ModelServing,
        registry: ModelRegistryStack,
        network: NetworkStack | None,
    ) -> None:
        super().__init__(
            scope, "Models", settings=settings, description="Intent classifier and reranker endpoints"
        )
        vpc = None if network is None else self._enter(network)
        fleets = {"intent": models.intent, "reranker": models.reranker}
        self.endpoints: dict[EndpointRole, ModelEndpoint] = {
            serving.role: ModelEndpoint(
                self,
                serving.role.capitalize(),
                settings=settings,
                serving=serving,
                fleet=fleets[serving.role],
                registry=registry,
                vpc=vpc,
            )
            for serving in SERVING
        }
        self.warmup = self._warm_up()
        for role, endpoint in self.endpoints.items():
            CfnOutput(self, f"{role.capitalize()}EndpointName", value=endpoint.name)

    def _enter(self, network: NetworkStack) -> sagemaker.CfnModel.VpcConfigProperty:
        group = ec2.SecurityGroup(
            self,
            "Instances",
            vpc=network.vpc,
            description="Model instances: fetch their artefact from S3, and nothing else",
            allow_all_outbound=False,
        )
        # SageMaker forwards invocations from inside: no rule lets anybody in.
        group.add_egress_rule(
            ec2.Peer.prefix_list(PREFIX_LISTS[self.region]["s3"]), ec2.Port.tcp(443), "Artefacts in S3"
        )
        return sagemaker.CfnModel.VpcConfigProperty(
            security_group_ids=[group.security_group_id],
            subnets=[subnet.subnet_id for subnet in network.vpc.private_subnets],
        )

    def _warm_up(self) -> PythonFunction:
        """Calls go out whenever an endpoint comes back into service, which is also how scaling out ends.

        SageMaker lets nobody address one instance: the function makes so many calls at once that each is likely to get
        some. An image with our own server needs none of it, because it is not ready before it has warmed itself.
        """
        self.failures = FailureQueue(self, "WarmUpFailures", settings=self.settings)
        function = PythonFunction(
            self,
            "WarmUp",
            settings=self.settings,
            folder="model_warmup",
            description="Sends an endpoint its first calls after it was deployed or scaled",
            timeout_seconds=120,
            failures=self.failures,
            variables={
                "INTENT_ENDPOINT": self.endpoints["intent"].name,
                "RERANK_ENDPOINT": self.endpoints["reranker"].name,
            },
        )
        function.allow(
            "sagemaker:DescribeEndpoint",
            "sagemaker:InvokeEndpoint",
            on=[endpoint.arn for endpoint in self.endpoints.values()],
        )
        events.Rule(
            self,
            "InService",
            description="An endpoint was deployed or has scaled",
            event_pattern=events.EventPattern(
                source=["aws.sagemaker"],
                detail_type=["SageMaker Endpoint State Change"],
                detail={
                    "EndpointName": [endpoint.name for endpoint in self.endpoints.values()],
                    "EndpointStatus": ["IN_SERVICE"],
                },
            ),
            targets=[
                targets.LambdaFunction(
                    function.alias,
                    dead_letter_queue=self.failures,
                    retry_attempts=2,
                    max_event_age=Duration.minutes(10),
                )
            ],
        )
        alarm(
            self,
            "WarmUpAlarm",
            settings=self.settings,
            what="An endpoint could not be warmed up: its first shoppers waited for it instead",
            runbook="model-warm-up-failed",
            severity=Severity.TICKET,
            metric=self.failures.metric_approximate_number_of_messages_visible(
                period=Duration.minutes(1), statistic="Maximum"
            ),
            threshold=0,
            comparison=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        )
        return function
