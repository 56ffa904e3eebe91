"""How many tasks of the catalogue there are: by how busy each is, and by how many calls each gets."""

from __future__ import annotations

from typing import Final

from aws_cdk import Duration, Stack
from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

from mangaassist import metrics
from stacks.environments import Catalogue, EnvironmentSettings
from stacks.raised import catalogue_cluster, catalogue_service

BUSY_PERCENT: Final = 60
"""Room for the minute or two that another task takes to start."""
SCALE_OUT_SECONDS: Final = 60
SCALE_IN_SECONDS: Final = 300


def scale(
    scope: Construct, *, settings: EnvironmentSettings, catalogue: Catalogue, service: ecs.FargateService
) -> autoscaling.ScalableTarget:
    """Bounds, which a sale moves (``stacks/raised.py``), and two policies; whichever wants more tasks decides."""
    stack = Stack.of(scope)
    bounds = autoscaling.ScalableTarget(
        scope,
        "Tasks",
        service_namespace=autoscaling.ServiceNamespace.ECS,
        resource_id=f"service/{catalogue_cluster(settings)}/{catalogue_service(settings)}",
        scalable_dimension="ecs:service:DesiredCount",
        min_capacity=catalogue.min_tasks,
        max_capacity=catalogue.max_tasks,
        # AWS's own service-linked role, whatever is named here; without a name CDK would make one for nothing.
        role=iam.Role.from_role_arn(
            scope,
            "ScalingRole",
            f"arn:{stack.partition}:iam::{stack.account}:role/aws-service-role/"
            "ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService",
        ),
    )
    bounds.node.add_dependency(service)
    bounds.scale_to_track_metric(
        "Cpu",
        predefined_metric=autoscaling.PredefinedMetric.ECS_SERVICE_AVERAGE_CPU_UTILIZATION,
        target_value=BUSY_PERCENT,
        scale_out_cooldown=Duration.seconds(SCALE_OUT_SECONDS),
        scale_in_cooldown=Duration.seconds(SCALE_IN_SECONDS),
    )
    _by_calls(scope, settings, catalogue, bounds)
    return bounds


def _by_calls(
    scope: Construct,
    settings: EnvironmentSettings,
    catalogue: Catalogue,
    bounds: autoscaling.ScalableTarget,
) -> None:
    """Calls a minute of each task. Network load balancers count connections, of which gRPC makes few and keeps them."""
    policy = autoscaling.CfnScalingPolicy
    dimension = policy.TargetTrackingMetricDimensionProperty

    def measured(
        id: str, namespace: str, name: str, statistic: str, **dimensions: str
    ) -> autoscaling.CfnScalingPolicy.TargetTrackingMetricDataQueryProperty:
        return policy.TargetTrackingMetricDataQueryProperty(
            id=id,
            return_data=False,
            metric_stat=policy.TargetTrackingMetricStatProperty(
                metric=policy.TargetTrackingMetricProperty(
                    namespace=namespace,
                    metric_name=name,
                    dimensions=[dimension(name=key, value=value) for key, value in dimensions.items()],
                ),
                stat=statistic,
            ),
        )

    policy(
        scope,
        "Calls",
        policy_name=f"{settings.resource_prefix}-catalogue-calls",
        policy_type="TargetTrackingScaling",
        scaling_target_id=bounds.scalable_target_id,
        target_tracking_scaling_policy_configuration=policy.TargetTrackingScalingPolicyConfigurationProperty(
            target_value=catalogue.calls_per_task_per_minute,
            scale_out_cooldown=SCALE_OUT_SECONDS,
            scale_in_cooldown=SCALE_IN_SECONDS,
            customized_metric_specification=policy.CustomizedMetricSpecificationProperty(
                metrics=[
                    measured(
                        "calls",
                        metrics.NAMESPACE,
                        metrics.CATALOGUE_REQUESTS.name,
                        "Sum",
                        **{metrics.ENVIRONMENT: settings.name},
                    ),
                    measured(
                        "tasks",
                        "ECS/ContainerInsights",
                        "RunningTaskCount",
                        "Average",
                        ClusterName=catalogue_cluster(settings),
                        ServiceName=catalogue_service(settings),
                    ),
                    policy.TargetTrackingMetricDataQueryProperty(
                        id="each", expression="calls / tasks", label="Calls of each task", return_data=True
                    ),
                ]
            ),
        ),
    )
