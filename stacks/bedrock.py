"""What Bedrock holds for us: a guardrail. Inference profiles stand beside the function that calls through them."""

from __future__ import annotations

import hashlib
import json
import tomllib
from typing import Any, Final

from aws_cdk import CfnOutput
from aws_cdk import aws_bedrock as bedrock
from constructs import Construct

from stacks.constructs.bundling import ROOT
from stacks.constructs.environment_stack import EnvironmentStack
from stacks.environments import BedrockControls, EnvironmentSettings

RULES: Final = ROOT / "stacks" / "data" / "bedrock_guardrail.toml"
TIER: Final = "STANDARD"
"""Reads Japanese; the Classic tier knows English, French and Spanish."""


class BedrockStack(EnvironmentStack):
    """Nothing here costs while it is not used.

    The functions do not ask this guardrail yet: GRD-10 attaches it by policy, and takes its id and version from the
    outputs.
    """

    def __init__(self, scope: Construct, *, settings: EnvironmentSettings, controls: BedrockControls) -> None:
        super().__init__(scope, "Bedrock", settings=settings, description="Guardrail of the models' platform")
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
        CfnOutput(self, "GuardrailId", value=self.guardrail.attr_guardrail_id)
        CfnOutput(self, "GuardrailVersionNumber", value=version.attr_version)

    def _guardrail(self, controls: BedrockControls, rules: dict[str, Any]) -> bedrock.CfnGuardrail:
        key = self.own_key(f"Guardrail of {self.settings.name}")
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


def _digest(rules: dict[str, Any], controls: BedrockControls) -> str:
    text = json.dumps([rules, controls.model_dump()], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
