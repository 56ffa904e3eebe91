"""Where models come from: the artefact bucket, the registry, and the pipelines that fill both.

A stack of its own, because an endpoint cannot be created before its artefact lies in the bucket: deploy this one, run
the pipelines (or upload artefacts), then deploy ``Models``. docs/runbooks/model-release.md has the commands.
"""

from __future__ import annotations

from typing import Final, get_args

from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_assets as s3_assets
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from stacks.constructs.encrypted_bucket import EncryptedBucket
from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.serving_images import repository_arn, serving_image, training_image
from stacks.constructs.training_code import training_code
from stacks.constructs.training_pipeline import Places, definition, training_plan
from stacks.environments import EndpointRole, EnvironmentSettings, ModelServing

CAPTURED: Final = "captured/"
"""What endpoints answered, a sample of it."""
CAPTURED_DAYS: Final = 30
INPUTS: Final = ("base/", "datasets/")
"""Base models and examples, uploaded by people."""
RUNS: Final = "runs/"
"""What a pipeline wrote, execution by execution."""
RELEASED: Final = "released/"
"""Artefacts that did not come out of a pipeline."""
ROLES: Final[tuple[EndpointRole, ...]] = get_args(EndpointRole)


class ModelRegistryStack(EnvironmentStack):
    """One bucket under one key; per model a package group and a pipeline."""

    def __init__(self, scope: Construct, *, settings: EnvironmentSettings, models: ModelServing) -> None:
        super().__init__(
            scope, "ModelRegistry", settings=settings, description="Model artefacts, versions and training"
        )
        self._fleets = {"intent": models.intent, "reranker": models.reranker}
        self.key = self.own_key(f"Models of {settings.name}: artefacts, captured answers, instance volumes")
        # Known beforehand, so that the endpoints' stack imports nothing of the bucket and neither holds the other up.
        self.bucket_name = f"{settings.resource_prefix}-models-{self.account}"
        self.bucket = EncryptedBucket(
            self,
            "Artefacts",
            name=self.bucket_name,
            key=self.key,
            removal_policy=self.removal_policy,
            lifecycle_rules=[
                s3.LifecycleRule(
                    prefix=CAPTURED,
                    expiration=Duration.days(CAPTURED_DAYS),
                    noncurrent_version_expiration=Duration.days(1),
                ),
                s3.LifecycleRule(
                    noncurrent_version_expiration=Duration.days(365),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                ),
            ],
        )
        self.groups = {role: self._group(role) for role in ROLES}
        code = s3_assets.Asset(self, "TrainingCode", path=str(training_code()))
        self.pipeline_role = self._pipeline_role(code)
        self.pipelines = {role: self._pipeline(role, code) for role in ROLES}
        CfnOutput(self, "ModelBucketName", value=self.bucket.bucket_name)

    @property
    def bucket_arn(self) -> str:
        """Of the artefact bucket."""
        return f"arn:{self.partition}:s3:::{self.bucket_name}"

    def objects(self, prefix: str) -> str:
        """ARN of everything under ``prefix``."""
        return f"{self.bucket_arn}/{prefix}*"

    def key_through_s3(self, role: iam.Role, *actions: str) -> None:
        """Let ``role`` use the key for what lies in S3."""
        role.add_to_policy(
            iam.PolicyStatement(
                actions=list(actions),
                resources=[self.key.key_arn],
                conditions={"StringEquals": {"kms:ViaService": f"s3.{self.region}.amazonaws.com"}},
            )
        )

    def _group(self, role: EndpointRole) -> sagemaker.CfnModelPackageGroup:
        group = sagemaker.CfnModelPackageGroup(
            self,
            f"{role.capitalize()}Versions",
            model_package_group_name=f"{self.settings.resource_prefix}-{role}",
            model_package_group_description=f"Versions of the {role} model, each with its evaluation",
        )
        group.apply_removal_policy(self.removal_policy)
        return group

    def _pipeline(self, role: EndpointRole, code: s3_assets.Asset) -> sagemaker.CfnPipeline:
        settings = self.settings
        places = Places(
            bucket=self.bucket_name,
            key_arn=self.key.key_arn,
            role_arn=self.pipeline_role.role_arn,
            code_uri=code.s3_object_url,
            code_name=code.s3_object_key,
            package_group=f"{settings.resource_prefix}-{role}",
            training_image=training_image(settings),
            serving_image=serving_image(role, settings),
            serving_instance=self._fleets[role].instance_type,
        )
        pipeline = sagemaker.CfnPipeline(
            self,
            f"{role.capitalize()}Pipeline",
            pipeline_name=f"{settings.resource_prefix}-{role}",
            pipeline_description=f"Trains, evaluates and registers the {role} model",
            pipeline_definition={
                "PipelineDefinitionBody": self.to_json_string(definition(role, training_plan(role), places))
            },
            role_arn=self.pipeline_role.role_arn,
            parallelism_configuration={"MaxParallelExecutionSteps": 1},
        )
        pipeline.add_resource_dependency(self.groups[role])
        # A pipeline is checked against its role when it is made, and the permissions are a resource of their own.
        pipeline.node.add_dependency(self.pipeline_role)
        return pipeline

    def _pipeline_role(self, code: s3_assets.Asset) -> iam.Role:
        role = iam.Role(
            self,
            "PipelineRole",
            assumed_by=sagemaker_principal(self.account),
            description="Starts training and processing jobs, and is what they run as",
        )

        def allow(*actions: str, on: list[str]) -> None:
            role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=on))

        prefix = self.settings.resource_prefix
        jobs = [
            self.format_arn(service="sagemaker", resource=kind, resource_name="pipelines-*")
            for kind in ("training-job", "processing-job")
        ]
        allow(
            "sagemaker:AddTags",
            "sagemaker:CreateProcessingJob",
            "sagemaker:CreateTrainingJob",
            "sagemaker:DescribeProcessingJob",
            "sagemaker:DescribeTrainingJob",
            "sagemaker:StopProcessingJob",
            "sagemaker:StopTrainingJob",
            on=jobs,
        )
        packages = [
            self.format_arn(service="sagemaker", resource=kind, resource_name=f"{prefix}-{name}{rest}")
            for kind, rest in (("model-package-group", ""), ("model-package", "/*"))
            for name in ROLES
        ]
        allow(
            "sagemaker:AddTags",
            "sagemaker:CreateModelPackage",
            "sagemaker:DescribeModelPackage",
            on=packages,
        )
        allow("s3:GetObject", on=[self.objects(prefix) for prefix in (*INPUTS, RUNS)])
        allow("s3:PutObject", on=[self.objects(RUNS)])
        allow("s3:ListBucket", on=[self.bucket_arn, code.bucket.bucket_arn])
        allow("s3:GetObject", on=[code.bucket.arn_for_objects(code.s3_object_key)])
        self.key_through_s3(role, "kms:Decrypt", "kms:GenerateDataKey")
        images = {training_image(self.settings), serving_image("intent", self.settings)}
        allow_images(role, *images)
        allow_logs(self, role, "TrainingJobs", "ProcessingJobs")
        # A job runs as this very role, and SageMaker alone may be handed it.
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=[role.role_arn],
                conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
            )
        )
        return role


def sagemaker_principal(account: str) -> iam.PrincipalWithConditions:
    """SageMaker, working for this account and no other."""
    return iam.PrincipalWithConditions(
        iam.ServicePrincipal("sagemaker.amazonaws.com"), {"StringEquals": {"aws:SourceAccount": account}}
    )


def allow_images(role: iam.Role, *images: str) -> None:
    """Let ``role`` pull ``images``."""
    role.add_to_policy(iam.PolicyStatement(actions=["ecr:GetAuthorizationToken"], resources=["*"]))
    role.add_to_policy(
        iam.PolicyStatement(
            actions=["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            resources=sorted({repository_arn(image) for image in images}),
        )
    )


def allow_logs(stack: EnvironmentStack, role: iam.Role, *groups: str) -> None:
    """Let ``role`` write to SageMaker's own log groups, which its jobs share."""
    role.add_to_policy(
        iam.PolicyStatement(
            actions=[
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:DescribeLogStreams",
                "logs:PutLogEvents",
            ],
            resources=[
                f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:log-group:/aws/sagemaker/{group}:*"
                for group in groups
            ],
        )
    )
