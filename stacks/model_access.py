"""Which models a deployment may invoke: every known active one, so that operators flip between them without a deploy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aws_cdk import Stack

from stacks.constructs.bundling import ROOT
from stacks.environments import EnvironmentSettings

GENERATION_DATA: Final = ROOT / "layers" / "core" / "python" / "mangaassist" / "generation" / "data"
KNOWN_MODELS: Final = GENERATION_DATA / "models.json"
SEED_POLICY: Final = GENERATION_DATA / "policy.json"
POLICY_SCHEMA: Final = GENERATION_DATA / "policy.schema.json"

GEOGRAPHIES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        # Destination regions of the geographic inference profiles (Bedrock user guide, inference-profiles-support).
        "us": ("us-east-1", "us-east-2", "us-west-2"),
        "eu": ("eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-3"),
        "jp": ("ap-northeast-1", "ap-northeast-3"),
        "au": ("ap-southeast-2", "ap-southeast-4"),
    }
)


def generation_model_ids(settings: EnvironmentSettings) -> tuple[str, ...]:
    """Ids of the language models that are neither retired nor outside the environment's geographies, sorted."""
    models = json.loads(KNOWN_MODELS.read_text(encoding="utf-8"))["models"]
    active = [model for model in models if model["kind"] == "text" and model["status"] == "active"]
    profiles = {
        f"{geography}.{model['id']}"
        for model in active
        for geography in settings.model_geographies
        if geography in model["profiles"]
    }
    return tuple(sorted(profiles | {model["id"] for model in active if model["in_region"]}))


def embedding_model_id() -> str:
    """Id of the embedding model; a change of it needs a new index, so it is not for operators to flip."""
    return str(json.loads(SEED_POLICY.read_text(encoding="utf-8"))["embedding"]["model_id"])


def seed_tiers() -> dict[str, str]:
    """The tiers a new environment starts with, and the model behind each."""
    tiers = json.loads(SEED_POLICY.read_text(encoding="utf-8"))["tiers"]
    return {name: str(tier["model_id"]) for name, tier in tiers.items()}


def model_arns(stack: Stack, *model_ids: str) -> list[str]:
    """Everything IAM must allow to invoke ``model_ids``.

    A plain id is a foundation model of this region. An id with a geography in front is an inference profile: IAM asks
    for the profile and for the foundation model in every region it may send the request to; the ``global`` profile
    asks for the model once more with an empty region.
    """
    arns: list[str] = []
    for model_id in model_ids:
        geography, _, foundation_model = model_id.partition(".")
        if geography != "global" and geography not in GEOGRAPHIES:
            arns.append(_foundation_model(stack, stack.region, model_id))
            continue
        arns.append(stack.format_arn(service="bedrock", resource="inference-profile", resource_name=model_id))
        regions = (stack.region, "") if geography == "global" else GEOGRAPHIES[geography]
        arns.extend(_foundation_model(stack, region, foundation_model) for region in regions)
    return arns


def _foundation_model(stack: Stack, region: str, model_id: str) -> str:
    return f"arn:{stack.partition}:bedrock:{region}::foundation-model/{model_id}"
