"""The model policy in AppConfig: a deploy owns its frame and seeds it once; operators own the document afterwards."""

from __future__ import annotations

import json
from typing import Final

from aws_cdk import CfnOutput, CustomResource, Duration
from aws_cdk import aws_appconfig as appconfig
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.python_function import PythonFunction
from stacks.environments import EnvironmentSettings
from stacks.model_access import POLICY_SCHEMA

PROFILE_NAME: Final = "model-policy"


class ModelPolicyStack(EnvironmentStack):
    """Application, environment, validated profile, two roll-out strategies and the first document."""

    def __init__(self, scope: Construct, *, settings: EnvironmentSettings) -> None:
        super().__init__(
            scope, "ModelPolicy", settings=settings, description="Which model answers which task"
        )
        self.application = appconfig.CfnApplication(
            self,
            "Application",
            name=settings.resource_prefix,
            description="Decisions operators change at run time",
        )
        self.policy_environment = appconfig.CfnEnvironment(
            self,
            "Environment",
            application_id=self.application.ref,
            name=settings.name,
            # AppConfig refuses to delete what was read within the hour, which would block tearing down a test stack.
            deletion_protection_check="ACCOUNT_DEFAULT" if settings.protection.retain else "BYPASS",
        )
        validator = PythonFunction(
            self,
            "PolicyValidator",
            settings=settings,
            folder="policy_validator",
            description="Refuses a model policy that makes no sense",
            timeout_seconds=10,
        )
        self.profile = appconfig.CfnConfigurationProfile(
            self,
            "Profile",
            application_id=self.application.ref,
            name=PROFILE_NAME,
            location_uri="hosted",
            type="AWS.Freeform",
            deletion_protection_check="ACCOUNT_DEFAULT" if settings.protection.retain else "BYPASS",
            validators=[
                appconfig.CfnConfigurationProfile.ValidatorsProperty(
                    type="JSON_SCHEMA",
                    # Without spaces: AppConfig limits a validator to 32 KiB.
                    content=json.dumps(json.loads(POLICY_SCHEMA.read_text("utf-8")), separators=(",", ":")),
                ),
                appconfig.CfnConfigurationProfile.ValidatorsProperty(
                    type="LAMBDA", content=validator.alias.function_arn
                ),
            ],
        )
        validator.alias.add_permission(
            "AppConfig",
            principal=iam.ServicePrincipal("appconfig.amazonaws.com"),
            source_account=self.account,
        )
        for kept in (self.application, self.policy_environment, self.profile):
            kept.apply_removal_policy(self.removal_policy)
        instant = appconfig.CfnDeploymentStrategy(
            self,
            "InstantStrategy",
            name=f"{settings.resource_prefix}-instant",
            description="Everywhere at once, for emergencies",
            deployment_duration_in_minutes=0,
            final_bake_time_in_minutes=0,
            growth_factor=100,
            replicate_to="NONE",
        )
        # No monitors on the environment: they would hold for the instant strategy too, and an alarm that rings already
        # would undo the very flip that is to end it.
        gradual = appconfig.CfnDeploymentStrategy(
            self,
            "GradualStrategy",
            name=f"{settings.resource_prefix}-gradual",
            description="A fifth of the callers every two minutes, then ten minutes in which it can still be stopped",
            deployment_duration_in_minutes=10,
            final_bake_time_in_minutes=10,
            growth_factor=20,
            growth_type="LINEAR",
            replicate_to="NONE",
        )
        self._seed(settings, instant)
        for name, resource in (
            ("PolicyApplicationId", self.application),
            ("PolicyEnvironmentId", self.policy_environment),
            ("PolicyProfileId", self.profile),
            ("InstantStrategyId", instant),
            ("GradualStrategyId", gradual),
        ):
            CfnOutput(self, name, value=resource.ref)

    @property
    def variables(self) -> dict[str, str]:
        """What a function that reads the policy is told."""
        return {
            "POLICY_APPLICATION": self.application.ref,
            "POLICY_ENVIRONMENT": self.policy_environment.ref,
            "POLICY_PROFILE": self.profile.ref,
        }

    def grant_read(self, function: PythonFunction) -> None:
        """Let ``function`` poll the policy."""
        function.allow(
            "appconfig:StartConfigurationSession",
            "appconfig:GetLatestConfiguration",
            on=[
                self._appconfig_arn(
                    f"environment/{self.policy_environment.ref}/configuration/{self.profile.ref}"
                ),
            ],
        )

    def _seed(self, settings: EnvironmentSettings, strategy: appconfig.CfnDeploymentStrategy) -> None:
        self.seed = PythonFunction(
            self,
            "PolicySeed",
            settings=settings,
            folder="policy_seed",
            description="Writes the first model policy, and never another",
            timeout_seconds=60,
        )
        profile = f"configurationprofile/{self.profile.ref}"
        environment = f"environment/{self.policy_environment.ref}"
        self.seed.allow(
            "appconfig:CreateHostedConfigurationVersion",
            "appconfig:ListHostedConfigurationVersions",
            on=[self._appconfig_arn(), self._appconfig_arn(profile)],
        )
        self.seed.allow(
            "appconfig:GetDeployment",
            "appconfig:ListDeployments",
            "appconfig:StartDeployment",
            on=[
                self._appconfig_arn(),
                self._appconfig_arn(profile),
                self._appconfig_arn(environment),
                self._appconfig_arn(f"{environment}/deployment/*"),
                self.format_arn(
                    service="appconfig", resource="deploymentstrategy", resource_name=strategy.ref
                ),
            ],
        )
        resource = CustomResource(
            self,
            "SeededPolicy",
            resource_type="Custom::SeededPolicy",
            service_token=self.seed.alias.function_arn,
            # Without it a function that cannot even start keeps the deploy waiting for an hour.
            service_timeout=Duration.minutes(5),
            properties={
                "ApplicationId": self.application.ref,
                "EnvironmentId": self.policy_environment.ref,
                "ConfigurationProfileId": self.profile.ref,
                "DeploymentStrategyId": strategy.ref,
            },
        )
        # The permissions above are a resource of their own and must exist when the seed runs.
        resource.node.add_dependency(self.seed.role)

    def _appconfig_arn(self, path: str = "") -> str:
        name = self.application.ref + (f"/{path}" if path else "")
        return self.format_arn(service="appconfig", resource="application", resource_name=name)
