"""The models a policy may name: an allow-list with lifecycle data (``data/models.json``).

Current ids carry no date, so no pattern can tell a pinned version from a floating alias; a list with the source of
each fact can. A model enters production by entering this list, through a review.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

MODELS_FILE: Final = Path(__file__).parent / "data" / "models.json"
PROFILE_PREFIXES: Final = ("us", "eu", "au", "jp", "global")
"""Geographies of Bedrock's inference profiles, written in front of a model id."""

Kind = Literal["text", "embedding"]


class Model(BaseModel):
    """A foundation model as the list knows it; ``source`` names the page its facts were read on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    kind: Kind
    grade: Literal["economy", "strong"]
    profiles: tuple[str, ...]
    in_region: bool
    """Whether the id can be invoked without a profile in front."""
    status: Literal["active", "legacy"]
    end_of_life: date | None
    """``None`` where no date is published."""
    parameters: frozenset[str]
    """Extra model fields it takes; anything else in a task's parameters is left out for this model."""
    dimensions: tuple[int, ...] = ()
    source: str


class ModelCatalogue(BaseModel):
    """The allow-list, the day its facts were ``checked``, and the words that mark an id as floating."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    checked: date
    floating_names: frozenset[str]
    models: tuple[Model, ...]

    def find(self, model_id: str) -> Model | None:
        """The model behind an id, with or without a profile prefix."""
        base = split_profile(model_id)[1]
        return next((model for model in self.models if model.id == base), None)

    def problem(self, model_id: str, kind: Kind) -> str | None:
        """Why ``model_id`` may not be used, worded to follow the place that names it; else ``None``."""
        profile, base = split_profile(model_id)
        if self.floating_names & set(base.lower().replace(":", "-").replace(".", "-").split("-")):
            return f"names the floating alias {model_id!r}: name a pinned version"
        model = self.find(model_id)
        if model is None or model.kind != kind:
            allowed = ", ".join(known.id for known in self.models if known.kind == kind)
            return f"names {model_id!r}, which is not an allowed {kind} model: use one of {allowed}"
        choices = " or ".join(f"{prefix}." for prefix in model.profiles)
        if profile is None and not model.in_region:
            return f"names {model_id!r} without an inference profile: put {choices} in front"
        if profile is not None and profile not in model.profiles:
            return (
                f"names {model_id!r}, but this model has no {profile}. profile: use {choices or 'no prefix'}"
            )
        return None


def split_profile(model_id: str) -> tuple[str | None, str]:
    """The profile prefix, if there is one, and the foundation model's id."""
    prefix, separator, base = model_id.partition(".")
    return (prefix, base) if separator and prefix in PROFILE_PREFIXES else (None, model_id)


@cache
def model_catalogue() -> ModelCatalogue:
    """The committed list, read once."""
    return ModelCatalogue.model_validate_json(MODELS_FILE.read_bytes())
