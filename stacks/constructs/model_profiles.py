"""Inference profiles of our own over the models of the first policy: what is called through them carries cost tags."""

from __future__ import annotations

import hashlib

from aws_cdk import CfnTag, Stack
from aws_cdk import aws_bedrock as bedrock
from constructs import Construct

from stacks.constructs.python_function import PythonFunction
from stacks.environments import EnvironmentSettings
from stacks.model_access import model_arns, seed_tiers


class ModelProfiles(Construct):
    """One profile per model; a model that several tiers share is booked on the first of them.

    In the stack of the function that calls through them: their ARNs are new whenever their models are, and an export
    in use by another stack could not change with them.
    """

    def __init__(self, scope: Construct, id: str, *, settings: EnvironmentSettings) -> None:
        super().__init__(scope, id)
        tiers: dict[str, str] = {}
        for tier, model_id in seed_tiers().items():
            tiers.setdefault(model_id, tier)
        self._profiles = {
            model_id: self._profile(settings, tier, model_id) for model_id, tier in tiers.items()
        }

    @property
    def by_model(self) -> dict[str, str]:
        """Profile ARNs by the model id that the policy names."""
        return {model_id: profile.attr_inference_profile_arn for model_id, profile in self._profiles.items()}

    def grant_invoke(self, function: PythonFunction) -> None:
        """Let ``function`` call through the profiles; the models behind them it must be allowed to call besides."""
        function.allow(
            "bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream", on=[*self.by_model.values()]
        )

    def _profile(
        self, settings: EnvironmentSettings, tier: str, model_id: str
    ) -> bedrock.CfnApplicationInferenceProfile:
        # Another model replaces the profile, and while both exist their names must differ.
        mark = hashlib.sha256(model_id.encode()).hexdigest()[:8]
        return bedrock.CfnApplicationInferenceProfile(
            self,
            tier.replace("_", " ").title().replace(" ", ""),
            inference_profile_name=f"{settings.resource_prefix}-{tier.replace('_', '-')}-{mark}",
            description=f"Model tier {tier}",
            model_source=bedrock.CfnApplicationInferenceProfile.InferenceProfileModelSourceProperty(
                copy_from=model_arns(Stack.of(self), model_id)[0]
            ),
            tags=[CfnTag(key="model-tier", value=tier)],
        )
