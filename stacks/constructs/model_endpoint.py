"""One SageMaker real-time endpoint: model, role, endpoint, scaling and alarms in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from aws_cdk import CfnParameter, CfnTag, Duration, RemovalPolicy, Stack
from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from stacks.constructs.alarm import Severity, alarm
from stacks.constructs.log_group import retention
from stacks.constructs.operations_key import operations_key
from stacks.constructs.serving_images import serving_image
from stacks.constructs.training_pipeline import has_local_storage
from stacks.constructs.vpc_actions import MODEL_INTERFACES
from stacks.environments import EndpointFleet, EndpointRole, EnvironmentSettings
from stacks.model_registry import (
    CAPTURED,
    RELEASED,
    RUNS,
    ModelRegistryStack,
    allow_images,
    sagemaker_principal,
)

VARIANT: Final = "AllTraffic"
"""Must stay: deployment guardrails refuse an update that renames a variant."""
CAPTURED_PERCENT: Final = 10
SCALE_OUT_SECONDS: Final = 60
SCALE_IN_SECONDS: Final = 300
BAKE_SECONDS: Final = 600
"""How long the alarms watch a canary, or one batch of a rolling update."""
STARTUP_SECONDS: Final = 600
"""Loading onto an accelerator takes minutes; SageMaker's own limit is 4 unless told otherwise."""


@dataclass(frozen=True, kw_only=True)
class Serving:
    """What is particular to one model.

    The two targets are for one instance, and estimates until a load test has measured one: at the latency the
    requirements expect of a call (15 ms and 50 ms) it is 60 to 75% busy.
    """

    role: EndpointRole
    what: str
    update: Literal["canary", "rolling"]
    """A canary needs a second fleet for a while, and quota for it; a rolling update replaces half at a time."""
    latency_p99_ms: int
    invocations_per_minute: int
    concurrency: int
    variables: Mapping[str, str]


class ModelEndpoint(Construct):
    """The endpoint ``<prefix>-<role>``; its name is known beforehand, so nobody has to import it."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: EnvironmentSettings,
        serving: Serving,
        fleet: EndpointFleet,
        registry: ModelRegistryStack,
        vpc: sagemaker.CfnModel.VpcConfigProperty | None,
    ) -> None:
        super().__init__(scope, id)
        self._settings, self._serving, self._fleet = settings, serving, fleet
        self.name = settings.endpoints[serving.role]
        # A parameter, because a new model is released without a new template; a deploy keeps the value it finds.
        artefact = CfnParameter(
            scope,
            f"{serving.role.capitalize()}Artefact",
            description=f"Key of the {serving.role} artefact in the model bucket; a new model is a new key",
            default=f"released/{serving.role}/1/model.tar.gz",
            allowed_pattern=rf"^(released|runs)/{serving.role}/[A-Za-z0-9._/-]+\.tar\.gz$",
        )
        self.logs = logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/aws/sagemaker/Endpoints/{self.name}",
            encryption_key=operations_key(self, settings),
            retention=retention(settings),
            removal_policy=RemovalPolicy.RETAIN if settings.protection.retain else RemovalPolicy.DESTROY,
        )
        self.role = self._role(
            registry, image := serving_image(serving.role, settings), in_vpc=vpc is not None
        )
        model = sagemaker.CfnModel(
            self,
            "Model",
            execution_role_arn=self.role.role_arn,
            # The container has no way out: what it is told about shoppers stays in it.
            enable_network_isolation=True,
            vpc_config=vpc,
            primary_container=sagemaker.CfnModel.ContainerDefinitionProperty(
                image=image,
                model_data_url=f"s3://{registry.bucket_name}/{artefact.value_as_string}",
                environment=dict(serving.variables),
            ),
        )
        model.node.add_dependency(self.role)
        self._config = self._endpoint_config(model, registry)
        latency, errors = self._latency_alarm(), self._error_alarm()
        self.endpoint = sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=self.name,
            endpoint_config_name=self._config.attr_endpoint_config_name,
            # An update keeps the number of instances that scaling has reached, not the initial one.
            retain_all_variant_properties=True,
            deployment_config=self._deployment([latency, errors]),
            tags=[CfnTag(key="endpoint", value=serving.role)],
        )
        self.endpoint.node.add_dependency(self.logs)
        self._scale()
        # After the endpoint: while the first instance starts there is nothing to miss.
        self._no_instances_alarm().node.add_dependency(self.endpoint)

    @property
    def arn(self) -> str:
        """Of the endpoint."""
        return Stack.of(self).format_arn(service="sagemaker", resource="endpoint", resource_name=self.name)

    def _role(self, registry: ModelRegistryStack, image: str, *, in_vpc: bool) -> iam.Role:
        stack = Stack.of(self)
        role = iam.Role(
            self,
            "Role",
            assumed_by=sagemaker_principal(stack.account),
            description=f"Reads the {self._serving.role} artefact, writes captured answers and logs",
        )
        name = self._serving.role
        for actions, resources in (
            (
                ("s3:GetObject",),
                [registry.objects(f"{place}{name}/") for place in (RELEASED, RUNS)],
            ),
            (("s3:ListBucket",), [registry.bucket_arn]),
            (("s3:PutObject",), [registry.objects(f"{CAPTURED}{name}/")]),
            (("logs:CreateLogStream", "logs:PutLogEvents"), [self.logs.log_group_arn]),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=resources))
        registry.key_through_s3(role, "kms:Decrypt", "kms:GenerateDataKey")
        allow_images(role, image)
        # The agent beside the container reports CPU and memory under the role's name.
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["cloudwatch:PutMetricData"],
                resources=["*"],
                conditions={"StringEquals": {"cloudwatch:namespace": "/aws/sagemaker/Endpoints"}},
            )
        )
        if in_vpc:
            role.add_to_policy(iam.PolicyStatement(actions=list(MODEL_INTERFACES), resources=["*"]))
        return role

    def _endpoint_config(
        self, model: sagemaker.CfnModel, registry: ModelRegistryStack
    ) -> sagemaker.CfnEndpointConfig:
        config, fleet = sagemaker.CfnEndpointConfig, self._fleet
        return config(
            self,
            "Config",
            production_variants=[
                config.ProductionVariantProperty(
                    variant_name=VARIANT,
                    model_name=model.attr_model_name,
                    instance_type=fleet.instance_type,
                    initial_instance_count=fleet.min_instances,
                    initial_variant_weight=1,
                    container_startup_health_check_timeout_in_seconds=STARTUP_SECONDS,
                    model_data_download_timeout_in_seconds=STARTUP_SECONDS,
                    # One slow call must not have three others queue behind it while an instance idles.
                    routing_config=config.RoutingConfigProperty(
                        routing_strategy="LEAST_OUTSTANDING_REQUESTS"
                    ),
                )
            ],
            # Types with a disk of their own encrypt it by hardware, and SageMaker refuses a key for them.
            kms_key_id=None if has_local_storage(fleet.instance_type) else registry.key.key_arn,
            data_capture_config=config.DataCaptureConfigProperty(
                enable_capture=True,
                # Answers only: the requests carry what shoppers wrote.
                capture_options=[config.CaptureOptionProperty(capture_mode="Output")],
                capture_content_type_header=config.CaptureContentTypeHeaderProperty(
                    json_content_types=["application/json"]
                ),
                initial_sampling_percentage=CAPTURED_PERCENT,
                destination_s3_uri=f"s3://{registry.bucket_name}/{CAPTURED}{self._serving.role}",
                kms_key_id=registry.key.key_arn,
            ),
        )

    def _deployment(self, alarms: list[cloudwatch.Alarm]) -> sagemaker.CfnEndpoint.DeploymentConfigProperty:
        endpoint = sagemaker.CfnEndpoint
        rollback = endpoint.AutoRollbackConfigProperty(
            alarms=[endpoint.AlarmProperty(alarm_name=each.alarm_name) for each in alarms]
        )
        half = endpoint.CapacitySizeProperty(type="CAPACITY_PERCENT", value=50)
        if self._serving.update == "rolling" and self._fleet.min_instances > 1:
            return endpoint.DeploymentConfigProperty(
                auto_rollback_configuration=rollback,
                rolling_update_policy=endpoint.RollingUpdatePolicyProperty(
                    maximum_batch_size=half,
                    rollback_maximum_batch_size=half,
                    wait_interval_in_seconds=BAKE_SECONDS,
                    maximum_execution_timeout_in_seconds=4 * 3_600,
                ),
            )
        # One instance has no part that could be a canary: then all traffic moves at once, alarms watching.
        is_canary = self._fleet.min_instances > 1
        return endpoint.DeploymentConfigProperty(
            auto_rollback_configuration=rollback,
            blue_green_update_policy=endpoint.BlueGreenUpdatePolicyProperty(
                traffic_routing_configuration=endpoint.TrafficRoutingConfigProperty(
                    type="CANARY" if is_canary else "ALL_AT_ONCE",
                    canary_size=endpoint.CapacitySizeProperty(type="CAPACITY_PERCENT", value=10)
                    if is_canary
                    else None,
                    wait_interval_in_seconds=BAKE_SECONDS,
                ),
                # The old fleet stays this long after the shift, so that going back takes no new instances.
                termination_wait_in_seconds=BAKE_SECONDS,
                maximum_execution_timeout_in_seconds=4 * 3_600,
            ),
        )

    def _scale(self) -> None:
        target = autoscaling.ScalableTarget(
            self,
            "Instances",
            service_namespace=autoscaling.ServiceNamespace.SAGEMAKER,
            resource_id=f"endpoint/{self.name}/variant/{VARIANT}",
            scalable_dimension="sagemaker:variant:DesiredInstanceCount",
            min_capacity=self._fleet.min_instances,
            max_capacity=self._fleet.max_instances,
            # AWS's own service-linked role, whatever is named here; without a name CDK would make one for nothing.
            role=iam.Role.from_role_arn(
                self,
                "ScalingRole",
                f"arn:{Stack.of(self).partition}:iam::{Stack.of(self).account}:role/aws-service-role/"
                "sagemaker.application-autoscaling.amazonaws.com/"
                "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint",
            ),
        )
        target.node.add_dependency(self.endpoint)
        cooldowns = {
            "scale_out_cooldown": Duration.seconds(SCALE_OUT_SECONDS),
            "scale_in_cooldown": Duration.seconds(SCALE_IN_SECONDS),
        }
        metric = autoscaling.PredefinedMetric
        target.scale_to_track_metric(
            "Invocations",
            predefined_metric=metric.SAGEMAKER_VARIANT_INVOCATIONS_PER_INSTANCE,
            target_value=self._serving.invocations_per_minute,
            **cooldowns,
        )
        # Invocations are counted by the minute; this one every ten seconds, so that a burst is seen while it rises.
        target.scale_to_track_metric(
            "Concurrency",
            predefined_metric=metric.SAGEMAKER_VARIANT_CONCURRENT_REQUESTS_PER_MODEL_HIGH_RESOLUTION,
            target_value=self._serving.concurrency,
            **cooldowns,
        )

    def _latency_alarm(self) -> cloudwatch.Alarm:
        limit = self._serving.latency_p99_ms
        return alarm(
            self,
            "LatencyAlarm",
            settings=self._settings,
            what=f"One in a hundred {self._serving.what} takes longer than {limit} ms",
            runbook="model-endpoint-slow",
            severity=Severity.TICKET,
            # In microseconds, as SageMaker counts.
            metric=self._metric("AWS/SageMaker", "ModelLatency", "p99"),
            threshold=limit * 1_000,
            evaluation_periods=5,
            datapoints_to_alarm=3,
        )

    def _error_alarm(self) -> cloudwatch.Alarm:
        return alarm(
            self,
            "ErrorAlarm",
            settings=self._settings,
            what=f"{self._serving.what[0].upper()}{self._serving.what[1:]} end in 5xx; the chat falls back meanwhile",
            runbook="model-endpoint-errors",
            severity=Severity.TICKET,
            metric=self._metric("AWS/SageMaker", "Invocation5XXErrors", "Sum"),
            threshold=5,
            evaluation_periods=3,
            datapoints_to_alarm=2,
        )

    def _no_instances_alarm(self) -> cloudwatch.Alarm:
        return alarm(
            self,
            "NoInstancesAlarm",
            settings=self._settings,
            what=f"No instance of the {self._serving.role} endpoint reports; the chat falls back on every turn",
            runbook="model-endpoint-no-instances",
            severity=Severity.PAGE,
            # Every instance reports its CPU each minute, traffic or not: no report, no instance.
            metric=self._metric("/aws/sagemaker/Endpoints", "CPUUtilization", "SampleCount"),
            threshold=1,
            comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            evaluation_periods=5,
            missing_data=cloudwatch.TreatMissingData.BREACHING,
        )

    def _metric(self, namespace: str, name: str, statistic: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=namespace,
            metric_name=name,
            dimensions_map={"EndpointName": self.name, "VariantName": VARIANT},
            statistic=statistic,
            period=Duration.minutes(1),
        )
