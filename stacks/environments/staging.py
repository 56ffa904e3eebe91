"""The kinds of resources that prod has, in smaller numbers: where a release runs before it goes there."""

from __future__ import annotations

from typing import Final

from stacks.environments.settings.access import Edge, Identity, Network, Throttle
from stacks.environments.settings.capacity import Capacity
from stacks.environments.settings.data import RECOVERABLE, Backups, CacheLimits, SearchCapacity
from stacks.environments.settings.environment import EnvironmentSettings
from stacks.environments.settings.models import BedrockControls, EndpointFleet, ModelServing
from stacks.environments.settings.operations import Alerting, Observability
from stacks.environments.settings.services import Catalogue

STAGING: Final = EnvironmentSettings(
    name="staging",
    log_retention_days=30,
    protection=RECOVERABLE,
    capacity=Capacity(calendar_share_percent=10, business_hours=False),
    search=SearchCapacity(min_ocu=0, max_ocu=8),
    network=Network(nat_gateways=1),
    cache=CacheLimits(max_storage_gb=2, max_ecpu_per_second=5_000),
    backups=Backups(),
    models=ModelServing(
        intent=EndpointFleet(instance_type="ml.inf2.xlarge", min_instances=1, max_instances=2),
        reranker=EndpointFleet(instance_type="ml.g6.xlarge", min_instances=1, max_instances=2),
    ),
    catalogue=Catalogue(cpu=256, memory_mb=512, min_tasks=1, max_tasks=2),
    bedrock=BedrockControls(),
    edge=Edge(),
    identity=Identity(threat_protection=True),
    secret_rotation_days=30,
    alerting=Alerting(monthly_budget_usd=6_000),
    operations_key=True,
    observability=Observability(),
    websocket_throttle=Throttle(rate_per_second=500, burst=1_000),
    http_throttle=Throttle(rate_per_second=50, burst=100),
)
