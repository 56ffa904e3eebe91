"""The guardrail and the profiles by which Bedrock's cost is told apart."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mangaassist.generation.policy import built_in_policy
from stacks import bedrock
from stacks.environments import ENVIRONMENTS, BedrockControls
from tests.infrastructure.synthesized import Synthesized, readable, synthesize

CONTROLLED = [name for name, settings in ENVIRONMENTS.items() if settings.bedrock is not None]


@pytest.fixture(params=CONTROLLED)
def controlled(request: pytest.FixtureRequest) -> Synthesized:
    """Each environment with a guardrail."""
    return synthesize(ENVIRONMENTS[request.param])


def guardrail(application: Synthesized) -> dict[str, Any]:
    return application.only("AWS::Bedrock::Guardrail", "Bedrock")["Properties"]


def test_every_environment_on_aws_has_one_and_the_twin_none() -> None:
    assert CONTROLLED == ["dev", "staging", "prod"]


def test_the_guardrail_reads_japanese(controlled: Synthesized) -> None:
    made = guardrail(controlled)
    assert made["ContentPolicyConfig"]["ContentFiltersTierConfig"] == {"TierName": "STANDARD"}
    assert made["TopicPolicyConfig"]["TopicsTierConfig"] == {"TierName": "STANDARD"}
    profile = readable(made["CrossRegionConfig"]["GuardrailProfileArn"])
    assert profile == "arn:aws:bedrock:us-east-1:${AWS::AccountId}:guardrail-profile/us.guardrail.v1:0"
    # These two read no Japanese, and would let half of the shoppers pass.
    assert "WordPolicyConfig" not in made
    assert "ContextualGroundingPolicyConfig" not in made
    for topic in made["TopicPolicyConfig"]["TopicsConfig"]:
        assert topic["Type"] == "DENY"
        assert len(topic["Definition"]) <= 1_000
        assert any(ord(character) > 0x3000 for example in topic["Examples"] for character in example)


def test_content_attacks_and_personal_data_are_filtered(controlled: Synthesized) -> None:
    made = guardrail(controlled)
    filters = {each["Type"]: each for each in made["ContentPolicyConfig"]["FiltersConfig"]}
    assert set(filters) == {"SEXUAL", "VIOLENCE", "HATE", "INSULTS", "MISCONDUCT", "PROMPT_ATTACK"}
    assert filters["PROMPT_ATTACK"]["OutputStrength"] == "NONE", "the service takes no other"
    entities = {
        each["Type"]: each["Action"] for each in made["SensitiveInformationPolicyConfig"]["PiiEntitiesConfig"]
    }
    assert entities["CREDIT_DEBIT_CARD_NUMBER"] == "BLOCK"
    assert entities["EMAIL"] == "ANONYMIZE"
    assert "NAME" not in entities, "creators are what shoppers ask about"
    assert len(made["BlockedInputMessaging"]) <= 500
    assert made["KmsKeyArn"]


def test_other_rules_make_another_version_and_keep_the_old_one() -> None:
    prod = synthesize(ENVIRONMENTS["prod"])
    version = prod.only("AWS::Bedrock::GuardrailVersion", "Bedrock")
    assert version["UpdateReplacePolicy"] == "Retain"
    other = bedrock._digest({"filters": {}}, BedrockControls())
    assert version["Properties"]["Description"] != f"rules {other}"
    assert readable(prod.templates["Bedrock"]["Outputs"]["GuardrailVersionNumber"]["Value"]).endswith(
        "Version}"
    )


def test_each_tier_has_a_profile_with_its_name_on_the_bill(controlled: Synthesized) -> None:
    profiles = controlled.resources("AWS::Bedrock::ApplicationInferenceProfile", "Chat")
    sources = {}
    for profile in profiles.values():
        tags = {tag["Key"]: tag["Value"] for tag in profile["Properties"]["Tags"]}
        assert (tags["application"], tags["environment"]) == ("mangaassist", controlled.settings.name)
        source = readable(profile["Properties"]["ModelSource"]["CopyFrom"])
        sources[tags["model-tier"]] = source.rsplit("/", 1)[1]
    assert sources == {name: tier.model_id for name, tier in built_in_policy().tiers.items()}
    names = {profile["Properties"]["InferenceProfileName"] for profile in profiles.values()}
    assert len(names) == len(profiles)


@pytest.mark.req("GEN-9")
def test_the_message_function_calls_through_the_profiles(controlled: Synthesized) -> None:
    (function,) = (
        each
        for each in controlled.resources("AWS::Lambda::Function", "Chat").values()
        if "MODEL_PROFILES" in each["Properties"].get("Environment", {}).get("Variables", {})
    )
    variable = readable(function["Properties"]["Environment"]["Variables"]["MODEL_PROFILES"])
    for logical_id in controlled.resources("AWS::Bedrock::ApplicationInferenceProfile", "Chat"):
        assert logical_id in variable
    for tier in built_in_policy().tiers.values():
        assert f'"{tier.model_id}":' in variable


def test_a_guardrail_profile_is_named_as_bedrock_does() -> None:
    with pytest.raises(ValidationError):
        BedrockControls(guardrail_profile="us")
