"""The catalogue service: gRPC on Fargate behind an internal load balancer, found by name.

What its image brings (``services/catalogue/Containerfile``): the program as entry point, an address to listen on
(``CATALOGUE_HOST``), files that ``USER`` may read, and the probe that asks gRPC health.
Why these pieces: docs/decisions/0009-the-catalogue-on-fargate.md.
"""

from __future__ import annotations

from typing import Final

from aws_cdk import Annotations, CfnOutput, CfnParameter, Duration, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_servicediscovery as servicediscovery
from constructs import Construct

from stacks.catalogue_images import CatalogueImagesStack
from stacks.constructs.alarm import name_of
from stacks.constructs.catalogue_balancer import CatalogueBalancer
from stacks.constructs.catalogue_scaling import scale
from stacks.constructs.catalogue_watch import CatalogueWatch
from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.log_group import log_group, retention
from stacks.constructs.log_key import admit_logs
from stacks.constructs.python_function import METRICS_NAMESPACE
from stacks.constructs.serving_images import repository_arn
from stacks.environments import Catalogue, EnvironmentSettings
from stacks.ingest import IngestStack
from stacks.network import CATALOGUE_NAME, CATALOGUE_PORT, CatalogueGroups, NetworkStack, catalogue_target
from stacks.raised import catalogue_cluster, catalogue_service

USER: Final = "10001:10001"
"""Nobody in particular; in the image it owns nothing."""
HEALTH: Final = ("CMD", "python", "-m", "services.catalogue.probe", f"127.0.0.1:{CATALOGUE_PORT}")
READS: Final = ("dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:Scan")
"""Books and series, the change log, everything at the start (``services/catalogue/table.py``)."""
STOP_SECONDS: Final = 60
"""From SIGTERM to SIGKILL: longer than calls in flight are given."""
START_SECONDS: Final = 90
"""How long a task may take to read the catalogue before its health counts."""


class CatalogueStack(EnvironmentStack):
    """One service that reads one table, and may do nothing else."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: EnvironmentSettings,
        catalogue: Catalogue,
        network: NetworkStack,
        groups: CatalogueGroups,
        ingest: IngestStack,
        images: CatalogueImagesStack | None,
    ) -> None:
        super().__init__(
            scope, "Catalogue", settings=settings, description="The catalogue service: gRPC inside the VPC"
        )
        self._catalogue = catalogue
        self._image, repository = self._choose_image(images)
        self.key = kms.Key(
            self,
            "LogKey",
            description=f"Log lines and access log of the catalogue service of {settings.name}",
            enable_key_rotation=True,
            removal_policy=self.removal_policy,
        )
        self.logs = self._log_group()
        self.cluster = self._cluster(network)
        self.task = self._task_definition(ingest, repository)
        self.balancer = CatalogueBalancer(
            self, "Way", settings=settings, catalogue=catalogue, vpc=network.vpc, groups=groups, key=self.key
        )
        if settings.name == "prod" and not catalogue.certificate_arn:
            Annotations.of(self).add_warning_v2(
                "mangaassist:catalogue-without-tls",
                "prod has no certificate for the catalogue: calls inside the VPC are not encrypted (deployment.example.toml)",
            )
        self.discovery = self._discovery(network)
        self.watch = CatalogueWatch(self, "Watch", settings=settings, targets=self.balancer.targets)
        self.service = self._service(groups)
        self.watch.watch_tasks(self.service)
        self.scaling = scale(self, settings=settings, catalogue=catalogue, service=self.service)
        CfnOutput(self, "CatalogueTarget", value=catalogue_target(settings))
        CfnOutput(self, "CatalogueServiceName", value=catalogue_service(settings))

    # --- image ----------------------------------------------------------------------------------------

    def _choose_image(self, images: CatalogueImagesStack | None) -> tuple[str, str]:
        """The image and the ARN of the repository that it is pulled from."""
        if self._catalogue.image is not None:
            return self._catalogue.image, repository_arn(self._catalogue.image)
        assert images is not None, "without an image of another registry there is a repository of ours"
        # A parameter, because a new image is released without a new template; a deploy keeps the value it finds.
        tag = CfnParameter(
            self,
            "ImageTag",
            description="Tag of the image in the repository of stack CatalogueImages",
            default="1",
            allowed_pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$",
        )
        repository = images.repository
        return repository.repository_uri_for_tag(tag.value_as_string), repository.repository_arn

    # --- task -----------------------------------------------------------------------------------------

    def _log_group(self) -> logs.LogGroup:
        admit_logs(
            self.key,
            settings=self.settings,
            name=CATALOGUE_NAME,
            others=(_insights(catalogue_cluster(self.settings)),),
        )
        return log_group(self, "Logs", settings=self.settings, name=CATALOGUE_NAME, key=self.key)

    def _cluster(self, network: NetworkStack) -> ecs.Cluster:
        name = catalogue_cluster(self.settings)
        # ECS would make this group itself, and keep it for ever.
        measured = logs.LogGroup(
            self,
            "InsightsLogs",
            log_group_name=_insights(name),
            encryption_key=self.key,
            retention=retention(self.settings),
            removal_policy=RemovalPolicy.DESTROY,
        )
        cluster = ecs.Cluster(
            self,
            "Cluster",
            cluster_name=name,
            vpc=network.vpc,
            container_insights_v2=ecs.ContainerInsights.ENABLED,
        )
        cluster.node.add_dependency(measured)
        return cluster

    def _task_definition(self, ingest: IngestStack, repository: str) -> ecs.FargateTaskDefinition:
        tasks = iam.PrincipalWithConditions(
            iam.ServicePrincipal("ecs-tasks.amazonaws.com"),
            {"StringEquals": {"aws:SourceAccount": self.account}},
        )
        self.task_role = iam.Role(
            self,
            "TaskRole",
            assumed_by=tasks,
            description="Reads the catalogue table, and may do nothing else",
        )
        ingest.grant_catalogue_read(self.task_role, *READS)
        self.execution_role = iam.Role(
            self, "ExecutionRole", assumed_by=tasks, description="Pulls the image and ships log lines"
        )
        for actions, resources in (
            (("ecr:GetAuthorizationToken",), ["*"]),
            (
                ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
                [repository],
            ),
            (("logs:CreateLogStream", "logs:PutLogEvents"), [self.logs.log_group_arn]),
        ):
            self.execution_role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=resources))
        task = ecs.FargateTaskDefinition(
            self,
            "Task",
            family=catalogue_service(self.settings),
            cpu=self._catalogue.cpu,
            memory_limit_mib=self._catalogue.memory_mb,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.ARM64
                if self.settings.architecture == "arm64"
                else ecs.CpuArchitecture.X86_64,
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
            ),
            task_role=self.task_role,
            execution_role=self.execution_role,
        )
        limits = ecs.LinuxParameters(self, "Limits", init_process_enabled=True)
        limits.drop_capabilities(ecs.Capability.ALL)
        task.add_container(
            "Container",
            container_name=CATALOGUE_NAME,
            image=ecs.ContainerImage.from_registry(self._image),
            command=["--port", str(CATALOGUE_PORT), "--table", ingest.catalogue.table_name],
            environment={
                "ENVIRONMENT": self.settings.name,
                "LOG_LEVEL": self.settings.log_level,
                # Which part of the change log is followed: that of the region in which ingestion writes.
                "AWS_REGION": self.region,
                "AWS_DEFAULT_REGION": self.region,
                "POWERTOOLS_SERVICE_NAME": CATALOGUE_NAME,
                "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
            },
            user=USER,
            readonly_root_filesystem=True,
            linux_parameters=limits,
            port_mappings=[ecs.PortMapping(container_port=CATALOGUE_PORT)],
            health_check=ecs.HealthCheck(
                command=list(HEALTH),
                interval=Duration.seconds(10),
                timeout=Duration.seconds(5),
                retries=3,
                start_period=Duration.seconds(START_SECONDS),
            ),
            stop_timeout=Duration.seconds(STOP_SECONDS),
            # Lines that cannot be shipped are dropped in the end: better than calls that wait for a log.
            logging=ecs.LogDrivers.aws_logs(
                stream_prefix=CATALOGUE_NAME, log_group=self.logs, mode=ecs.AwsLogDriverMode.NON_BLOCKING
            ),
        )
        return task

    # --- service --------------------------------------------------------------------------------------

    def _discovery(self, network: NetworkStack) -> servicediscovery.Service:
        """``catalogue.<namespace>`` is another name of the load balancer, which itself has none that lasts."""
        namespace = servicediscovery.PrivateDnsNamespace(
            self,
            "Namespace",
            name=self.settings.catalogue_namespace,
            vpc=network.vpc,
            description=f"Services of {self.settings.resource_prefix}",
        )
        service = namespace.create_service(
            "Discovery",
            name=CATALOGUE_NAME,
            description="The catalogue service, by its load balancer",
            dns_record_type=servicediscovery.DnsRecordType.A,
            dns_ttl=Duration.seconds(60),
            load_balancer=True,
        )
        service.register_load_balancer("Alias", self.balancer.balancer)
        return service

    def _service(self, groups: CatalogueGroups) -> ecs.FargateService:
        service = ecs.FargateService(
            self,
            "Service",
            # Known beforehand: scaling, alarms and the pre-warm function name it without importing it.
            service_name=catalogue_service(self.settings),
            cluster=self.cluster,
            task_definition=self.task,
            # No desired count: a deploy in the middle of a sale would put it back. Scaling has the bounds.
            min_healthy_percent=100,
            max_healthy_percent=200,
            availability_zone_rebalancing=ecs.AvailabilityZoneRebalancing.ENABLED,
            assign_public_ip=False,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            security_groups=[groups.tasks],
            enable_execute_command=False,
            circuit_breaker=ecs.DeploymentCircuitBreaker(enable=True, rollback=True),
            deployment_alarms=ecs.DeploymentAlarmConfig(
                alarm_names=[name_of(each) for each in self.watch.rollback_alarms],
                behavior=ecs.AlarmBehavior.ROLLBACK_ON_ALARM,
            ),
            health_check_grace_period=Duration.seconds(START_SECONDS),
            enable_ecs_managed_tags=True,
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
        )
        service.attach_to_network_target_group(self.balancer.targets)
        # A task may not start before it can be reached, say who it is and ship its lines.
        service.node.add_dependency(
            self.balancer.listener, *self.watch.rollback_alarms, self.execution_role, self.task_role
        )
        return service

    def graphs(self) -> dict[str, list[cloudwatch.IMetric]]:
        """What a dashboard shows of the tasks and of the way to them, by title."""
        return self.watch.graphs()


def _insights(cluster: str) -> str:
    """The log group in which ECS measures a cluster; its name is not ours to choose."""
    return f"/aws/ecs/containerinsights/{cluster}/performance"
