"""One step of the pipeline that builds: a CodeBuild project, its role and its log."""

from __future__ import annotations

from typing import Any, Final

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

IMAGE: Final = "aws/codebuild/amazonlinux-aarch64-standard:3.0"
LOG_RETENTION: Final = logs.RetentionDays.ONE_YEAR

_SETUP: Final = {"runtime-versions": {"python": "3.13"}}
_NOT_HANDED_ON: Final = (".venv/**/*", "node_modules/**/*", ".twin/**/*", "build/**/*", "test-results/**/*")
"""What each step sets up by itself; links and executables do not survive the archive anyway."""


class BuildProject(Construct):
    """A CodeBuild project that runs a list of commands, with a role that can do that and what it is allowed."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        key: kms.IKey,
        artefacts: s3.IBucket,
        connection_arn: str,
        description: str,
        minutes: int,
        commands: tuple[str, ...],
        variables: dict[str, str] | None = None,
        exported: tuple[str, ...] = (),
        hands_on: bool = False,
    ) -> None:
        """
        Args:
            scope: the stack of the pipeline.
            id: construct id, from which its name follows.
            key: encrypts its log, and the artefacts.
            artefacts: where the pipeline hands on what a step needs and makes.
            connection_arn: of the connection to the repository's host.
            description: what it does.
            minutes: after which it is stopped.
            commands: what it runs, in order; the first that fails ends it.
            variables: environment variables.
            exported: names of variables that the pipeline reads when it is through.
            hands_on: whether the folder it worked in is handed on, without what every step sets up by itself.
        """
        super().__init__(scope, id)
        self.name = f"mangaassist-{id.lower()}"
        group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/aws/codebuild/{self.name}",
            encryption_key=key,
            retention=LOG_RETENTION,
            removal_policy=RemovalPolicy.RETAIN,
        )
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("codebuild.amazonaws.com"))
        self.allow("logs:CreateLogStream", "logs:PutLogEvents", on=[group.log_group_arn])
        self.allow("s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", on=[artefacts.arn_for_objects("*")])
        self.allow("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", on=[key.key_arn])
        # The checkout is a full clone, which the connection hands out.
        self.allow(
            "codestar-connections:UseConnection",
            "codeconnections:UseConnection",
            on=[connection_arn],
        )
        specification: dict[str, Any] = {
            "version": "0.2",
            "phases": {"install": _SETUP, "build": {"commands": list(commands)}},
        }
        if exported:
            specification["env"] = {"exported-variables": list(exported)}
        if hands_on:
            specification["artifacts"] = {"files": ["**/*"], "exclude-paths": list(_NOT_HANDED_ON)}
        project = codebuild.CfnProject(
            self,
            "Project",
            name=self.name,
            description=description,
            service_role=self.role.role_arn,
            encryption_key=key.key_arn,
            timeout_in_minutes=minutes,
            queued_timeout_in_minutes=60,
            source=codebuild.CfnProject.SourceProperty(
                type="CODEPIPELINE", build_spec=Stack.of(self).to_json_string(specification)
            ),
            artifacts=codebuild.CfnProject.ArtifactsProperty(type="CODEPIPELINE"),
            environment=codebuild.CfnProject.EnvironmentProperty(
                type="ARM_CONTAINER",
                compute_type="BUILD_GENERAL1_LARGE",
                image=IMAGE,
                environment_variables=[
                    codebuild.CfnProject.EnvironmentVariableProperty(name=name, value=value)
                    for name, value in (variables or {}).items()
                ],
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
