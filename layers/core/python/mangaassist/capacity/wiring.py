"""The capacity functions' share of ``mangaassist.wiring``: each adapter is imported by whoever uses it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from mangaassist.capacity.settings import PrewarmSettings, ThroughputSettings
from mangaassist.observability import count

if TYPE_CHECKING:
    from mangaassist.adapters.dynamodb_capacity import DynamoDBCapacity
    from mangaassist.capacity.ports import CapacityKind
    from mangaassist.capacity.prewarm import Prewarming
    from mangaassist.capacity.resources import KindRegistry
    from mangaassist.capacity.throughput import ThroughputSchedule

CONTROL_PLANE_ATTEMPTS = 4
"""Nobody waits for a tick: a throttled control plane is given the SDK's backoff before a step counts as failed."""


@cache
def prewarming() -> Prewarming:
    """Everything the ``prewarm`` function is made of."""
    from mangaassist.capacity.calendar import sale_calendar
    from mangaassist.capacity.prewarm import Prewarming
    from mangaassist.capacity.resources import RESOURCES

    settings = PrewarmSettings.load()
    registry = kinds()
    return Prewarming(
        calendar=sale_calendar(),
        resources=[
            (resource, registry.open(resource))
            for resource in RESOURCES.validate_json(settings.capacity_resources)
        ],
        store=_store(settings.capacity_table),
        count=count,
        share=settings.calendar_share_percent / 100,
        business_hours=settings.business_hours == "on",
        patience_seconds=float(settings.patience_seconds),
    )


@cache
def kinds() -> KindRegistry:
    """Every kind of capacity there is. Another one is one more line."""
    from mangaassist.capacity.resources import (
        ECS_SERVICE,
        LAMBDA_PROVISIONED_CONCURRENCY,
        SAGEMAKER_VARIANT,
        SEARCH_COLLECTION_GROUP,
        KindRegistry,
    )

    return KindRegistry(
        {
            ECS_SERVICE: _ecs_service,
            LAMBDA_PROVISIONED_CONCURRENCY: _provisioned_concurrency,
            SEARCH_COLLECTION_GROUP: _collection_group,
            SAGEMAKER_VARIANT: _endpoint_variant,
        }
    )


@cache
def throughput_schedule() -> ThroughputSchedule:
    """Everything the ``model_capacity`` function is made of."""
    from mangaassist.adapters.bedrock_throughput import BedrockThroughput, CloudWatchTokens
    from mangaassist.adapters.clients import client
    from mangaassist.capacity.calendar import sale_calendar
    from mangaassist.capacity.offers import offers, traffic
    from mangaassist.capacity.throughput import PLANS, ThroughputSchedule

    settings = ThroughputSettings.load()
    return ThroughputSchedule(
        calendar=sale_calendar(),
        plans=PLANS.validate_json(settings.throughput_plans),
        offers=offers(),
        traffic=traffic(),
        market=BedrockThroughput(client("bedrock", attempts=CONTROL_PLANE_ATTEMPTS)),
        store=_store(settings.capacity_table),
        meter=CloudWatchTokens(client("cloudwatch", attempts=CONTROL_PLANE_ATTEMPTS)),
        count=count,
        prefix=settings.resource_prefix,
        share=settings.calendar_share_percent / 100,
        tags={"application": "mangaassist", "environment": settings.environment, "concern": "Capacity"},
    )


def _store(table: str) -> DynamoDBCapacity:
    from mangaassist.adapters.clients import client
    from mangaassist.adapters.dynamodb_capacity import DynamoDBCapacity

    return DynamoDBCapacity(client("dynamodb", attempts=CONTROL_PLANE_ATTEMPTS), table)


def _provisioned_concurrency(address: Mapping[str, str]) -> CapacityKind:
    from mangaassist.adapters.capacity_kinds import ProvisionedConcurrency
    from mangaassist.adapters.clients import client

    scaling = client("application-autoscaling", attempts=CONTROL_PLANE_ATTEMPTS)
    return ProvisionedConcurrency.at(address, scaling, client("lambda", attempts=CONTROL_PLANE_ATTEMPTS))


def _collection_group(address: Mapping[str, str]) -> CapacityKind:
    from mangaassist.adapters.capacity_kinds import SearchCollectionGroup
    from mangaassist.adapters.clients import client

    return SearchCollectionGroup.at(address, client("opensearchserverless", attempts=CONTROL_PLANE_ATTEMPTS))


def _endpoint_variant(address: Mapping[str, str]) -> CapacityKind:
    from mangaassist.adapters.capacity_kinds import EndpointVariant
    from mangaassist.adapters.clients import client

    scaling = client("application-autoscaling", attempts=CONTROL_PLANE_ATTEMPTS)
    return EndpointVariant.at(address, scaling, client("sagemaker", attempts=CONTROL_PLANE_ATTEMPTS))


def _ecs_service(address: Mapping[str, str]) -> CapacityKind:
    from mangaassist.adapters.capacity_kinds import EcsService
    from mangaassist.adapters.clients import client

    scaling = client("application-autoscaling", attempts=CONTROL_PLANE_ATTEMPTS)
    return EcsService.at(address, scaling, client("ecs", attempts=CONTROL_PLANE_ATTEMPTS))
