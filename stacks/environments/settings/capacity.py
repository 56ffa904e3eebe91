"""What is raised before a sale, and in business hours."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stacks.environments.settings.base import Settings


class Throughput(Settings):
    """Bedrock throughput that is bought before sales, for a model that it is sold for (CAP-2)."""

    model_id: str
    commitment: Literal["none", "OneMonth", "SixMonths"]
    """No default: ``none`` is billed by the hour until it is deleted, a term is owed to its end."""
    hours_before: int = Field(default=48, ge=1, le=48)
    hours_after: int = Field(default=24, ge=0, le=24)
    max_units: int = Field(default=1, ge=1, le=20)


class Capacity(Settings):
    """What this deployment makes of the sale calendar."""

    calendar_share_percent: int = Field(default=100, ge=1, le=100)
    """Of the calendar's expected concurrency."""
    business_hours: bool = True
    """Whether capacity is raised every day from 11:00 to 21:00 in Japan."""
    message_ceiling: int = Field(default=500, ge=1)
    """Most environments of the message function that are ever kept warm."""
    endpoints_elsewhere: int | None = Field(default=None, ge=1)
    """Most instances of model endpoints that another deployment owns and this one may raise; ``None`` leaves them."""
    throughput: tuple[Throughput, ...] = ()
