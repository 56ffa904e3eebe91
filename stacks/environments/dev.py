"""Where developers try a change in AWS: no shoppers, and nothing in it that has to stay."""

from __future__ import annotations

from typing import Final

from stacks.environments.settings.access import Edge, Identity, Throttle
from stacks.environments.settings.capacity import Capacity
from stacks.environments.settings.data import DISPOSABLE, SearchCapacity
from stacks.environments.settings.environment import EnvironmentSettings
from stacks.environments.settings.models import BedrockControls
from stacks.environments.settings.operations import Alerting, Observability

DEV: Final = EnvironmentSettings(
    name="dev",
    log_level="DEBUG",
    log_retention_days=7,
    protection=DISPOSABLE,
    message_memory_mb=1_024,
    capacity=Capacity(calendar_share_percent=1, business_hours=False),
    search=SearchCapacity(min_ocu=0, max_ocu=2),
    bedrock=BedrockControls(),
    edge=Edge(),
    identity=Identity(),
    secret_rotation_days=30,
    alerting=Alerting(monthly_budget_usd=300),
    observability=Observability(),
    websocket_throttle=Throttle(rate_per_second=50, burst=100),
    http_throttle=Throttle(rate_per_second=10, burst=20),
)
