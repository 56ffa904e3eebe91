"""The environment of the two capacity functions."""

from __future__ import annotations

from dataclasses import dataclass

from mangaassist.settings import FunctionSettings


@dataclass(frozen=True, kw_only=True)
class CapacitySettings(FunctionSettings):
    """What both know. Documents are JSON, written by ``stacks/capacity.py``."""

    capacity_table: str
    calendar_share_percent: int = 100
    """Of the calendar's expected concurrency that this environment prepares for."""


@dataclass(frozen=True, kw_only=True)
class PrewarmSettings(CapacitySettings):
    """``capacity_resources`` is a list of ``capacity.resources.Resource``."""

    capacity_resources: str
    business_hours: str = "on"
    patience_seconds: int = 0


@dataclass(frozen=True, kw_only=True)
class ThroughputSettings(CapacitySettings):
    """``throughput_plans`` is a list of ``capacity.throughput.ThroughputPlan``."""

    throughput_plans: str
    resource_prefix: str
