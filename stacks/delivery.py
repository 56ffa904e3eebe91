"""How a change reaches production: a pipeline in AWS, and roles with which GitHub Actions does the same.

Synthesized apart from the environments, with ``-c environment=delivery``, and deployed once into the account that
delivers. Both ways run the project's own verbs, deploy the assemblies that were tested and no others, and hold only the
right to take on the CDK's deployment roles of the accounts they deploy to.
"""

from __future__ import annotations

from typing import Any, Final

from aws_cdk import (
    App,
    ArnFormat,
    CfnCondition,
    CfnOutput,
    CfnParameter,
    Duration,
    Fn,
    RemovalPolicy,
    Stack,
    Tags,
)
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

DELIVERY: Final = "delivery"
TARGETS: Final = ("dev", "staging", "prod")
BOOTSTRAP_ROLES: Final = ("deploy", "file-publishing", "lookup")
"""Roles that ``cdk bootstrap`` makes in each account; CloudFormation itself uses another one, which nobody here may."""
IMAGE: Final = "aws/codebuild/amazonlinux-aarch64-standard:3.0"
PROD_ALARM: Final = "mangaassist-prod-observability-chat-is-down"
"""The composite alarm that says shoppers get no answers; ``stacks/observability.py`` makes it."""
GITHUB: Final = "token.actions.githubusercontent.com"
LOG_RETENTION: Final = logs.RetentionDays.ONE_YEAR

_SETUP: Final = {"runtime-versions": {"python": "3.13"}}
_ENVIRONMENT_STEPS: Final = {
    "dev": ("deploy", "smoke"),
    "staging": ("deploy", "smoke"),
    "prod": ("change-sets", "approve", "deploy", "smoke"),
}


def build_delivery(app: App, *, region: str = "us-east-1") -> DeliveryStack:
    """Add the delivery stack to ``app``."""
    return DeliveryStack(app, region=region)


class DeliveryStack(Stack):
    """The pipeline (verify, dev, staging, change sets, approval, prod) and the roles of GitHub Actions."""

    def __init__(self, scope: Construct, *, region: str) -> None:
        super().__init__(
            scope,
            "MangaAssist-delivery",
            description="Pipeline and deployment roles",
            env={"region": region},
            termination_protection=True,
        )
        Tags.of(self).add("application", "mangaassist")
        Tags.of(self).add("environment", DELIVERY)
        self.connection = self._parameter(
            "ConnectionArn",
            "CodeConnections connection to the repository's host, made and confirmed in the console",
            r"^arn:aws[a-z-]*:(codeconnections|codestar-connections):[a-z0-9-]+:\d{12}:connection/[a-z0-9-]+$",
        )
        self.repository = self._parameter("Repository", "owner/name", r"^[\w.-]+/[\w.-]+$")
        self.branch = self._parameter("Branch", "Branch that is delivered", r"^[\w./-]+$", default="main")
        self.accounts = {target: self._account(target) for target in TARGETS}
        self.key = kms.Key(
            self,
            "Key",
            description="Artefacts and logs of the pipeline",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.RETAIN,
        )
        self.key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(f"logs.{self.region}.amazonaws.com")],
                actions=["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"],
                resources=["*"],
                conditions={
                    "ArnLike": {
                        "kms:EncryptionContext:aws:logs:arn": self.format_arn(
                            service="logs",
                            resource="log-group",
                            resource_name="/aws/codebuild/mangaassist-*",
                            arn_format=ArnFormat.COLON_RESOURCE_NAME,
                        )
                    }
                },
            )
        )
        self.artefacts = s3.Bucket(
            self,
            "Artefacts",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self.key,
            bucket_key_enabled=True,
            enforce_ssl=True,
            versioned=True,
            removal_policy=RemovalPolicy.RETAIN,
            lifecycle_rules=[
                s3.LifecycleRule(expiration=Duration.days(90), noncurrent_version_expiration=Duration.days(7))
            ],
        )
        self.projects = {"verify": self._verify()}
        for target in TARGETS:
            for step in _ENVIRONMENT_STEPS[target]:
                if step != "approve":
                    self.projects[f"{target}-{step}"] = self._step(target, step)
        self.pipeline_role = self._pipeline_role()
        self.pipeline = self._pipeline()
        self.github_roles = self._github()

    def _parameter(
        self, id: str, description: str, pattern: str, *, default: str | None = None
    ) -> CfnParameter:
        return CfnParameter(
            self, id, type="String", description=description, allowed_pattern=pattern, default=default
        )

    def _account(self, target: str) -> str:
        given = CfnParameter(
            self,
            f"{target.capitalize()}Account",
            type="String",
            default="",
            allowed_pattern=r"^(\d{12})?$",
            description=f"Account of {target}, bootstrapped with `cdk bootstrap --trust`; empty: this one",
        )
        condition = CfnCondition(
            self,
            f"{target.capitalize()}IsHere",
            expression=Fn.condition_equals(given.value_as_string, ""),
        )
        return Fn.condition_if(condition.logical_id, self.account, given.value_as_string).to_string()

    def _verify(self) -> Project:
        return Project(
            self,
            "Verify",
            description="The gate: synth, checks, tests, in a fresh checkout",
            minutes=40,
            commands=("make setup", "make check", "make test", "make requirements"),
            output=("**/*",),
        )

    def _step(self, target: str, step: str) -> Project:
        cdk = f"node_modules/.bin/cdk --app cdk.out/{target}"
        commands = {
            "change-sets": (
                f"{cdk} diff --all || true",
                f"{cdk} deploy --all --require-approval never --method prepare-change-set",
            ),
            "deploy": (f"{cdk} deploy --all --require-approval never --concurrency 4",),
            "smoke": (
                # The lookup role reads the stacks' outputs in the account of the target, and nothing else is needed.
                "mkdir -p ~/.aws",
                f"printf '[profile {target}]\\nrole_arn = %s\\ncredential_source = EcsContainer\\n'"
                f" {self._deployment_role(target, 'lookup')} > ~/.aws/config",
                f"AWS_PROFILE={target} .venv/bin/mangactl chat --environment {target} --json"
                " 'Recommend horror manga like Junji Ito'",
            ),
        }[step]
        project = Project(
            self,
            f"{target.capitalize()}{''.join(part.capitalize() for part in step.split('-'))}",
            description=f"{step} of {target}",
            minutes=60 if step == "deploy" else 15,
            commands=("make setup", *commands),
        )
        project.allow("sts:AssumeRole", on=self._deployment_roles(target))
        return project

    def _deployment_roles(self, target: str) -> list[str]:
        return [self._deployment_role(target, role) for role in BOOTSTRAP_ROLES]

    def _deployment_role(self, target: str, role: str) -> str:
        account = self.accounts[target]
        return f"arn:{self.partition}:iam::{account}:role/cdk-hnb659fds-{role}-role-{account}-{self.region}"

    def _pipeline_role(self) -> iam.Role:
        role = iam.Role(self, "PipelineRole", assumed_by=iam.ServicePrincipal("codepipeline.amazonaws.com"))
        statements = {
            ("codestar-connections:UseConnection", "codeconnections:UseConnection"): [
                self.connection.value_as_string
            ],
            ("codebuild:BatchGetBuilds", "codebuild:StartBuild"): [
                project.arn for project in self.projects.values()
            ],
            ("s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"): [self.artefacts.arn_for_objects("*")],
            ("s3:GetBucketVersioning", "s3:ListBucket"): [self.artefacts.bucket_arn],
            ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"): [self.key.key_arn],
            ("cloudwatch:DescribeAlarms",): [
                self.format_arn(
                    service="cloudwatch",
                    resource="alarm",
                    resource_name=PROD_ALARM,
                    arn_format=ArnFormat.COLON_RESOURCE_NAME,
                )
            ],
        }
        for actions, resources in statements.items():
            role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=resources))
        return role

    def _pipeline(self) -> codepipeline.CfnPipeline:
        source = {
            "name": "Source",
            "actions": [
                _action(
                    "Checkout",
                    "Source",
                    "CodeStarSourceConnection",
                    {
                        "ConnectionArn": self.connection.value_as_string,
                        "FullRepositoryId": self.repository.value_as_string,
                        "BranchName": self.branch.value_as_string,
                        "OutputArtifactFormat": "CODEBUILD_CLONE_REF",
                        "DetectChanges": "true",
                    },
                    outputs=["source"],
                )
            ],
        }
        verify = {
            "name": "Verify",
            "actions": [self._build("Gate", "verify", ["source"], outputs=["verified"])],
        }
        return codepipeline.CfnPipeline(
            self,
            "Pipeline",
            name="mangaassist",
            pipeline_type="V2",
            execution_mode="QUEUED",
            role_arn=self.pipeline_role.role_arn,
            artifact_store=codepipeline.CfnPipeline.ArtifactStoreProperty(
                location=self.artefacts.bucket_name,
                type="S3",
                encryption_key=codepipeline.CfnPipeline.EncryptionKeyProperty(
                    id=self.key.key_arn, type="KMS"
                ),
            ),
            stages=[source, verify, *(self._stage(target) for target in TARGETS)],
        )

    def _stage(self, target: str) -> dict[str, Any]:
        actions: list[dict[str, Any]] = []
        for order, step in enumerate(_ENVIRONMENT_STEPS[target], start=1):
            name = "".join(part.capitalize() for part in step.split("-"))
            action = (
                _action(
                    name,
                    "Approval",
                    "Manual",
                    {"CustomData": "Read the change sets in the log of the step before; then decide."},
                )
                if step == "approve"
                else self._build(name, f"{target}-{step}", ["verified"])
            )
            actions.append(action | {"runOrder": order})
        stage: dict[str, Any] = {
            "name": target.capitalize(),
            "actions": actions,
            # The last release that came through is put back; its change sets touch only what differs.
            "onFailure": {"result": "ROLLBACK"},
        }
        if target == "prod":
            stage["onSuccess"] = {
                "conditions": [
                    {
                        "result": "ROLLBACK",
                        "rules": [
                            {
                                "name": "ChatStaysWell",
                                "ruleTypeId": {
                                    "category": "Rule",
                                    "owner": "AWS",
                                    "provider": "CloudWatchAlarm",
                                    "version": "1",
                                },
                                "configuration": {"AlarmName": PROD_ALARM, "WaitTime": "15"},
                            }
                        ],
                    }
                ]
            }
        return stage

    def _build(
        self, name: str, project: str, inputs: list[str], *, outputs: list[str] | None = None
    ) -> dict[str, Any]:
        return _action(
            name,
            "Build",
            "CodeBuild",
            {"ProjectName": self.projects[project].name},
            inputs=inputs,
            outputs=outputs or [],
        )

    def _github(self) -> dict[str, iam.Role]:
        provider = iam.CfnOIDCProvider(
            self, "GitHub", url=f"https://{GITHUB}", client_id_list=["sts.amazonaws.com"]
        )
        roles: dict[str, iam.Role] = {}
        for target in TARGETS:
            role = iam.Role(
                self,
                f"GitHub{target.capitalize()}",
                description=f"GitHub Actions deploys {target}: only jobs of the environment of that name",
                max_session_duration=Duration.hours(1),
                assumed_by=iam.WebIdentityPrincipal(
                    provider.attr_arn,
                    {
                        "StringEquals": {
                            f"{GITHUB}:aud": "sts.amazonaws.com",
                            f"{GITHUB}:sub": f"repo:{self.repository.value_as_string}:environment:{target}",
                        }
                    },
                ),
            )
            role.add_to_policy(
                iam.PolicyStatement(actions=["sts:AssumeRole"], resources=self._deployment_roles(target))
            )
            CfnOutput(self, f"GitHub{target.capitalize()}RoleArn", value=role.role_arn)
            roles[target] = role
        return roles


class Project(Construct):
    """A CodeBuild project that runs a list of commands, with a role that can do that and what it is allowed."""

    def __init__(
        self,
        scope: DeliveryStack,
        id: str,
        *,
        description: str,
        minutes: int,
        commands: tuple[str, ...],
        output: tuple[str, ...] = (),
    ) -> None:
        super().__init__(scope, id)
        self.name = f"mangaassist-{id.lower()}"
        group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/aws/codebuild/{self.name}",
            encryption_key=scope.key,
            retention=LOG_RETENTION,
            removal_policy=RemovalPolicy.RETAIN,
        )
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("codebuild.amazonaws.com"))
        self.allow("logs:CreateLogStream", "logs:PutLogEvents", on=[group.log_group_arn])
        self.allow(
            "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", on=[scope.artefacts.arn_for_objects("*")]
        )
        self.allow("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", on=[scope.key.key_arn])
        # The checkout is a full clone, which the connection hands out.
        self.allow(
            "codestar-connections:UseConnection",
            "codeconnections:UseConnection",
            on=[scope.connection.value_as_string],
        )
        specification: dict[str, Any] = {
            "version": "0.2",
            "phases": {"install": _SETUP, "build": {"commands": list(commands)}},
        }
        if output:
            specification["artifacts"] = {"files": list(output)}
        project = codebuild.CfnProject(
            self,
            "Project",
            name=self.name,
            description=description,
            service_role=self.role.role_arn,
            encryption_key=scope.key.key_arn,
            timeout_in_minutes=minutes,
            queued_timeout_in_minutes=60,
            source=codebuild.CfnProject.SourceProperty(
                type="CODEPIPELINE", build_spec=scope.to_json_string(specification)
            ),
            artifacts=codebuild.CfnProject.ArtifactsProperty(type="CODEPIPELINE"),
            environment=codebuild.CfnProject.EnvironmentProperty(
                type="ARM_CONTAINER", compute_type="BUILD_GENERAL1_LARGE", image=IMAGE
            ),
            logs_config=codebuild.CfnProject.LogsConfigProperty(
                cloud_watch_logs=codebuild.CfnProject.CloudWatchLogsConfigProperty(
                    status="ENABLED", group_name=group.log_group_name
                )
            ),
        )
        self.arn = project.attr_arn

    def allow(self, *actions: str, on: list[str]) -> None:
        """Let the project perform ``actions`` on the resources ``on`` (ARNs)."""
        self.role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=on))


def _action(
    name: str,
    category: str,
    provider: str,
    configuration: dict[str, str],
    *,
    inputs: list[str] | None = None,
    outputs: list[str] | None = None,
) -> dict[str, Any]:
    return {
        "name": name,
        "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
        "configuration": configuration,
        "inputArtifacts": [{"name": artefact} for artefact in inputs or []],
        "outputArtifacts": [{"name": artefact} for artefact in outputs or []],
        "runOrder": 1,
    }
