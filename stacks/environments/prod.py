"""Where shoppers are. What prod may not go below is refused by ``settings/consistency.py``."""

from __future__ import annotations

from typing import Final

from stacks.environments.settings.access import Edge, Identity, Network, Throttle
from stacks.environments.settings.data import PERMANENT, Backups, CacheLimits, SearchCapacity
from stacks.environments.settings.environment import EnvironmentSettings
from stacks.environments.settings.models import BedrockControls, EndpointFleet, ModelServing
from stacks.environments.settings.operations import Alerting, Audit, LogArchive, Observability
from stacks.environments.settings.services import Catalogue

PROD: Final = EnvironmentSettings(
    name="prod",
    log_retention_days=90,
    protection=PERMANENT,
    message_reserved_concurrency=500,
    message_provisioned_concurrency=5,
    search=SearchCapacity(min_ocu=2, max_ocu=16),
    network=Network(nat_gateways=2),
    cache=CacheLimits(max_storage_gb=50, max_ecpu_per_second=100_000),
    replica_regions=("us-west-2",),
    backups=Backups(locked=True),
    models=ModelServing(
        intent=EndpointFleet(instance_type="ml.inf2.xlarge", min_instances=2, max_instances=8),
        reranker=EndpointFleet(instance_type="ml.g6.xlarge", min_instances=2, max_instances=8),
    ),
    catalogue=Catalogue(cpu=1_024, memory_mb=2_048, min_tasks=2, max_tasks=12),
    bedrock=BedrockControls(),
    edge=Edge(requests_per_five_minutes=2_000, guest_tokens_per_five_minutes=100),
    identity=Identity(mfa="required", threat_protection=True),
    secret_rotation_days=30,
    alerting=Alerting(monthly_budget_usd=60_000),
    operations_key=True,
    observability=Observability(anomaly_detection=True),
    log_archive=LogArchive(years=7),
    audit=Audit(archive_years=7),
    websocket_throttle=Throttle(rate_per_second=2_000, burst=4_000),
    http_throttle=Throttle(rate_per_second=200, burst=400),
)
