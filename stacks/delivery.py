"""How a change reaches production: a pipeline in AWS, and roles with which GitHub Actions does the same.

Synthesized apart from the environments, with ``-c environment=delivery``, and deployed once into the account that
delivers. Both ways run the project's own verbs, synthesize once with what the organisation brings, deploy that assembly
and no other, and hold only the right to take on the CDK's roles of the accounts they deploy to.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
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
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.constructs.build_project import BuildProject
from stacks.constructs.encrypted_bucket import EncryptedBucket
from stacks.edge import EDGE_REGION
from stacks.environments import ENVIRONMENTS, EnvironmentSettings

DELIVERY: Final = "delivery"
TARGETS: Final = ("dev", "staging", "prod")
LOOKUP: Final = "lookup"
DEPLOYING_ROLES: Final = ("deploy", "file-publishing", LOOKUP)
"""Roles that ``cdk bootstrap`` makes in each account and region, named after both; who only reads gets ``LOOKUP``.
CloudFormation itself uses another one, which nobody here may."""
PROD_ALARM: Final = "mangaassist-prod-observability-chat-is-down"
"""The composite alarm that says shoppers get no answers; ``stacks/observability.py`` makes it, in prod's account."""
DOCUMENT: Final = "/mangaassist/deployment"
"""Parameter of this account that holds ``deployment.toml``, unless another one is named."""
KEY_ALIAS: Final = "alias/mangaassist-delivery"
GITHUB: Final = "token.actions.githubusercontent.com"

_PREPARE: Final = ("make setup", 'export PATH="$PWD/.venv/bin:$PATH"')
_RELEASE: Final = "python -m tools.delivery.release"
_VERIFIED: Final = "verified"
"""The artefact of the gate, and the namespace of its digests."""
_DEPLOYED: Final = "deployed"
"""Namespace of what a deploy of prod tells the watch."""
_STAGES: Final = {
    "Dev": ("dev", ("deploy", "smoke")),
    "Staging": ("staging", ("deploy", "smoke")),
    # A stage of its own, because putting a release back runs its stage again and nobody may have to be asked for that.
    "Review": ("prod", ("show", "approve")),
    "Prod": ("prod", ("deploy", "smoke", "watch")),
}
"""By stage, the environment and its steps in order."""
_MINUTES: Final = {"show": 20, "deploy": 60, "smoke": 15, "watch": 30}


def build_delivery(app: App, *, region: str = "us-east-1") -> DeliveryStack:
    """Add the delivery stack to ``app``."""
    return DeliveryStack(app, region=region)


def regions(settings: EnvironmentSettings) -> list[str]:
    """Every region that stacks of the environment live in, its own first: each has bootstrap roles of its own."""
    found = [settings.region, *settings.replica_regions, *([EDGE_REGION] if settings.edge else [])]
    return list(dict.fromkeys(found))


class DeliveryStack(Stack):
    """The pipeline (verify, dev, staging, review, prod) and the roles of GitHub Actions."""

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
        self.document = self._parameter(
            "DeploymentDocument",
            f"SSM parameter (SecureString under {KEY_ALIAS}) that holds deployment.toml; write it before the first run",
            r"^(/[\w.-]+)+$",
            default=DOCUMENT,
        )
        self.accounts = {target: self._account(target) for target in TARGETS}
        self.key = kms.Key(
            self,
            "Key",
            description="Artefacts and logs of the pipeline, and what the organisation brings",
            alias=KEY_ALIAS,
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
        self.artefacts = EncryptedBucket(
            self,
            "Artefacts",
            key=self.key,
            removal_policy=RemovalPolicy.RETAIN,
            lifecycle_rules=[
                s3.LifecycleRule(expiration=Duration.days(90), noncurrent_version_expiration=Duration.days(7))
            ],
        )
        self.projects = {"verify": self._verify()}
        for target, steps in _STAGES.values():
            for step in steps:
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

    @property
    def document_arn(self) -> str:
        """The parameter that holds what the organisation brings."""
        return self.format_arn(service="ssm", resource=f"parameter{self.document.value_as_string}")

    def _verify(self) -> BuildProject:
        digests = {_digest_variable(target): target for target in TARGETS}
        project = BuildProject(
            self,
            "Verify",
            key=self.key,
            artefacts=self.artefacts,
            connection_arn=self.connection.value_as_string,
            description="The gate, in a fresh checkout; then the assemblies that go to accounts, and their digests",
            minutes=60,
            commands=(
                *("make setup", "make check", "make test", "make requirements"),
                # The gate comes first and knows no organisation: what it compares with the repository has no account in it.
                'aws ssm get-parameter --name "$DEPLOYMENT_DOCUMENT" --with-decryption --query Parameter.Value'
                " --output text > deployment.toml",
                'export PATH="$PWD/.venv/bin:$PATH" PYTHONPATH="$PWD:$PWD/layers/core/python"',
                "python -m tools.synth --delivered",
                "cfn-lint --config-file .cfnlintrc.yaml cdk.out/delivered/*/*.template.json",
                *(
                    f"{name}=$({_RELEASE} digest {target}) && export {name}"
                    for name, target in digests.items()
                ),
            ),
            variables={"DEPLOYMENT_DOCUMENT": self.document.value_as_string},
            exported=tuple(digests),
            hands_on=True,
        )
        project.allow("ssm:GetParameter", on=[self.document_arn])
        return project

    def _step(self, target: str, step: str) -> BuildProject:
        cdk = f"node_modules/.bin/cdk --app cdk.out/delivered/{target}"
        commands = {
            "show": (
                f'{_RELEASE} show {target} "$DIGEST"',
                # By templates alone: a change set would have to be made by the role that deploys.
                f"{cdk} diff --all --method template",
            ),
            "deploy": (
                f'{_RELEASE} verify {target} "$DIGEST"',
                "DEPLOYED_AT=$(date +%s) && export DEPLOYED_AT",
                f"{cdk} deploy --all --require-approval never --concurrency 4",
            ),
            "smoke": (
                f"{_RELEASE} as {target} -- mangactl chat --environment {target} --json"
                " 'Recommend horror manga like Junji Ito'",
            ),
            "watch": (f'{_RELEASE} watch {target} --alarm {PROD_ALARM} --since "$DEPLOYED_AT"',),
        }[step]
        project = BuildProject(
            self,
            f"{target.capitalize()}{step.capitalize()}",
            key=self.key,
            artefacts=self.artefacts,
            connection_arn=self.connection.value_as_string,
            description=f"{step} of {target}",
            minutes=_MINUTES[step],
            commands=(*_PREPARE, *commands),
            exported=("DEPLOYED_AT",) if step == "deploy" else (),
        )
        own_region, *_ = places = regions(ENVIRONMENTS[target])
        roles, where = {
            "deploy": (DEPLOYING_ROLES, places),
            "show": ((LOOKUP,), places),
        }.get(step, ((LOOKUP,), [own_region]))
        project.allow("sts:AssumeRole", on=self._bootstrap_roles(target, roles, where))
        return project

    def _bootstrap_roles(
        self, target: str, roles: Sequence[str], places: Sequence[str] | None = None
    ) -> list[str]:
        """Roles of the target's account, by default in every region it has stacks in."""
        account = self.accounts[target]
        return [
            f"arn:{self.partition}:iam::{account}:role/cdk-hnb659fds-{role}-role-{account}-{region}"
            for region in places or regions(ENVIRONMENTS[target])
            for role in roles
        ]

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
            "actions": [
                self._build("Gate", "verify", ["source"], outputs=[_VERIFIED]) | {"namespace": _VERIFIED}
            ],
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
            stages=[source, verify, *(self._stage(name) for name in _STAGES)],
        )

    def _stage(self, name: str) -> dict[str, Any]:
        target, steps = _STAGES[name]
        digest = f"#{{{_VERIFIED}.{_digest_variable(target)}}}"
        actions: list[dict[str, Any]] = []
        for order, step in enumerate(steps, start=1):
            given = {
                "show": {"DIGEST": digest},
                "deploy": {"DIGEST": digest},
                "watch": {"DEPLOYED_AT": f"#{{{_DEPLOYED}.DEPLOYED_AT}}"},
            }.get(step, {})
            action = (
                _action(
                    step.capitalize(),
                    "Approval",
                    "Manual",
                    {
                        "CustomData": "Read what changes in the log of Show; then decide. "
                        f"Digest of the assembly that was shown and is deployed: {digest}"
                    },
                )
                if step == "approve"
                else self._build(step.capitalize(), f"{target}-{step}", [_VERIFIED], variables=given)
            )
            if (name, step) == ("Prod", "deploy"):
                action["namespace"] = _DEPLOYED
            actions.append(action | {"runOrder": order})
        stage: dict[str, Any] = {"name": name, "actions": actions}
        if "deploy" in steps:
            # The last release that came through is put back; its change sets touch only what differs.
            stage["onFailure"] = {"result": "ROLLBACK"}
        return stage

    def _build(
        self,
        name: str,
        project: str,
        inputs: list[str],
        *,
        outputs: list[str] | None = None,
        variables: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        configuration = {"ProjectName": self.projects[project].name}
        if variables:
            configuration["EnvironmentVariables"] = json.dumps(
                [{"name": key, "value": value, "type": "PLAINTEXT"} for key, value in variables.items()]
            )
        return _action(name, "Build", "CodeBuild", configuration, inputs=inputs, outputs=outputs or [])

    def _github(self) -> dict[str, iam.Role]:
        provider = iam.CfnOIDCProvider(
            self, "GitHub", url=f"https://{GITHUB}", client_id_list=["sts.amazonaws.com"]
        )
        roles = {
            target: self._github_role(
                provider, target, f"deploys {target}", self._bootstrap_roles(target, DEPLOYING_ROLES)
            )
            for target in TARGETS
        }
        reader = self._github_role(
            provider,
            DELIVERY,
            "synthesizes, and shows what would change",
            [role for target in TARGETS for role in self._bootstrap_roles(target, (LOOKUP,))],
        )
        reader.add_to_policy(iam.PolicyStatement(actions=["ssm:GetParameter"], resources=[self.document_arn]))
        reader.add_to_policy(
            iam.PolicyStatement(
                actions=["kms:Decrypt"],
                resources=[self.key.key_arn],
                conditions={"StringEquals": {"kms:EncryptionContext:PARAMETER_ARN": self.document_arn}},
            )
        )
        return roles | {DELIVERY: reader}

    def _github_role(
        self, provider: iam.CfnOIDCProvider, environment: str, what: str, assumed: list[str]
    ) -> iam.Role:
        name = f"GitHub{environment.capitalize()}"
        role = iam.Role(
            self,
            name,
            description=f"GitHub Actions {what}: only jobs of the environment {environment}",
            max_session_duration=Duration.hours(1),
            assumed_by=iam.WebIdentityPrincipal(
                provider.attr_arn,
                {
                    "StringEquals": {
                        f"{GITHUB}:aud": "sts.amazonaws.com",
                        f"{GITHUB}:sub": f"repo:{self.repository.value_as_string}:environment:{environment}",
                    }
                },
            ),
        )
        role.add_to_policy(iam.PolicyStatement(actions=["sts:AssumeRole"], resources=assumed))
        CfnOutput(self, f"{name}RoleArn", value=role.role_arn)
        return role


def _digest_variable(target: str) -> str:
    return f"{target.upper()}_DIGEST"


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
