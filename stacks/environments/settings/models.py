"""The models that the product asks: endpoints of our own, and what Bedrock is told."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from stacks.environments.settings.base import Settings

EndpointRole = Literal["intent", "reranker"]


class EndpointFleet(Settings):
    """One SageMaker endpoint: its instances and how far it scales."""

    instance_type: str = Field(pattern=r"^ml\.[a-z0-9]+\.[a-z0-9]+$")
    min_instances: int = Field(ge=1)
    """With one instance an update moves all traffic at once: a canary is at most half of the instances."""
    max_instances: int = Field(ge=1)
    image: str | None = Field(
        default=None, pattern=r"^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/[^:@]+[:@].+$"
    )
    """Container image; ``None`` takes AWS's ready-made one (``stacks/constructs/serving_images.py``)."""

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.min_instances > self.max_instances:
            raise ValueError(
                f"min_instances={self.min_instances} is above max_instances={self.max_instances}"
            )
        return self


class ModelServing(Settings):
    """The models of our own that run all the time: the intent classifier on Inferentia, the reranker on a GPU."""

    intent: EndpointFleet
    reranker: EndpointFleet


class BedrockControls(Settings):
    """A guardrail, and inference profiles that carry cost tags; both are free until they are used."""

    guardrail_profile: str = Field(default="us.guardrail.v1:0", pattern=r"^[a-z-]+\.guardrail\.v1:0$")
    """Where the Standard tier, the only one that reads Japanese, may process text: it needs a cross-region profile."""
