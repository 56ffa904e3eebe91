"""What all settings are: frozen, checked, and strict about their keys."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict

DOMAIN: Final = r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$"
"""Form of a domain name."""


class Settings(BaseModel):
    """Frozen, keyword-only (pydantic accepts nothing else), and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
