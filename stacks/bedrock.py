"""What Bedrock holds for us: a guardrail, and inference profiles by which cost is told apart."""

from __future__ import annotations

import hashlib
import json
import tomllib
from typing import Any, Final

from aws_cdk import CfnOutput, CfnTag
from aws_cdk import aws_bedrock as bedrock
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.constructs.bundling import ROOT
from stacks.constructs.environment_stack import EnvironmentStack
from stacks.environments import BedrockControls, EnvironmentSettings
from stacks.model_access import seed_tiers

RULES: Final = ROOT / "stacks" / "data" / "bedrock_guardrail.toml"
TIER: Final = "STANDARD"
"""Reads Japanese; the Classic tier knows English, French and Spanish."""


class BedrockStack(EnvironmentStack):
    """Nothing here costs while it is not used.

    The functions do not ask this guardrail yet: GRD-10 attaches it by policy, and takes its id and version from the
    outputs.
    """

    def __init__(self, scope: Construct, *, settings: EnvironmentSettings, controls: BedrockControls) -> None:
        super().__init__(
            scope, "Bedrock", settings=settings, description="Guardrail and cost-tagged inference profiles"
        )
        rules: dict[str, Any] = tomllib.loads(RULES.read_text("utf-8"))
        self.guardrail = self._guardrail(controls, rules)
        # A published version never changes. Its description is, so that other rules make another version, and the one
        # in use is kept: whoever names it must not lose it by a deploy.
        version = bedrock.CfnGuardrailVersion(
            self,
            "GuardrailVersion",
            guardrail_identifier=self.guardrail.attr_guardrail_id,
            description=f"rules {_digest(rules, controls)}",
        )
        version.apply_removal_policy(self.removal_policy)
        self.profiles = {tier: self._profile(tier, model_id) for tier, model_id in seed_tiers().items()}
        CfnOutput(self, "GuardrailId", value=self.guardrail.attr_guardrail_id)
        CfnOutput(self, "GuardrailVersionNumber", value=version.attr_version)
        for tier, profile in self.profiles.items():
            CfnOutput(self, f"{_camel(tier)}ProfileArn", value=profile.attr_inference_profile_arn)

    def _guardrail(self, controls: BedrockControls, rules: dict[str, Any]) -> bedrock.CfnGuardrail:
        key = kms.Key(
            self,
            "Key",
            description=f"Guardrail of {self.settings.name}",
            enable_key_rotation=True,
            removal_policy=self.removal_policy,
        )
        made = bedrock.CfnGuardrail
        guardrail = made(
            self,
            "Guardrail",
            name=self.settings.resource_prefix,
            description="Second opinion on questions and answers",
            blocked_input_messaging=rules["blocked"],
            blocked_outputs_messaging=rules["blocked"],
            kms_key_arn=key.key_arn,
            cross_region_config=made.GuardrailCrossRegionConfigProperty(
                guardrail_profile_arn=self.format_arn(
                    service="bedrock", resource="guardrail-profile", resource_name=controls.guardrail_profile
                )
            ),
            content_policy_config=made.ContentPolicyConfigProperty(
                content_filters_tier_config=made.ContentFiltersTierConfigProperty(tier_name=TIER),
                filters_config=[
                    made.ContentFilterConfigProperty(type=kind, input_strength=given, output_strength=said)
                    for kind, (given, said) in rules["filters"].items()
                ],
            ),
            topic_policy_config=made.TopicPolicyConfigProperty(
                topics_tier_config=made.TopicsTierConfigProperty(tier_name=TIER),
                topics_config=[
                    made.TopicConfigProperty(
                        name=topic["name"],
                        definition=topic["definition"],
                        examples=topic["examples"],
                        type="DENY",
                    )
                    for topic in rules["topics"]
                ],
            ),
            sensitive_information_policy_config=made.SensitiveInformationPolicyConfigProperty(
                pii_entities_config=[
                    made.PiiEntityConfigProperty(type=kind, action=action)
                    for kind, action in rules["entities"].items()
                ]
            ),
        )
        guardrail.apply_removal_policy(self.removal_policy)
        return guardrail

    def _profile(self, tier: str, model_id: str) -> bedrock.CfnApplicationInferenceProfile:
        """A profile of our own over the tier's model: what is called through it carries these tags on the bill."""
        return bedrock.CfnApplicationInferenceProfile(
            self,
            f"{_camel(tier)}Profile",
            inference_profile_name=f"{self.settings.resource_prefix}-{tier.replace('_', '-')}",
            description=f"Model tier {tier}",
            model_source=bedrock.CfnApplicationInferenceProfile.InferenceProfileModelSourceProperty(
                copy_from=self.format_arn(
                    service="bedrock", resource="inference-profile", resource_name=model_id
                )
            ),
            tags=[CfnTag(key="model-tier", value=tier)],
        )


def _digest(rules: dict[str, Any], controls: BedrockControls) -> str:
    text = json.dumps([rules, controls.model_dump()], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _camel(tier: str) -> str:
    return "".join(part.capitalize() for part in tier.split("_"))
