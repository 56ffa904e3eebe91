"""What the local twin deploys: functions run on this machine, models are served by the twin itself."""

from __future__ import annotations

from typing import Final

from stacks.environments.settings.access import Throttle
from stacks.environments.settings.capacity import Capacity, Throughput
from stacks.environments.settings.data import DISPOSABLE, SearchCapacity
from stacks.environments.settings.environment import EnvironmentSettings
from stacks.environments.settings.services import Personalize

LOCAL: Final = EnvironmentSettings(
    name="local",
    bundle_for="host",
    log_level="DEBUG",
    log_retention_days=1,
    protection=DISPOSABLE,
    search=SearchCapacity(min_ocu=0, max_ocu=2),
    intent_endpoint="mangaassist-local-intent",
    rerank_endpoint="mangaassist-local-reranker",
    personalize=Personalize(
        user_campaign="mangaassist-local-user", similar_campaign="mangaassist-local-similar"
    ),
    message_provisioned_concurrency=1,
    capacity=Capacity(
        calendar_share_percent=25,
        endpoints_elsewhere=4,
        throughput=(Throughput(model_id="amazon.nova-lite-v1:0", commitment="none"),),
    ),
    websocket_throttle=Throttle(rate_per_second=1_000, burst=500),
    http_throttle=Throttle(rate_per_second=100, burst=50),
)
