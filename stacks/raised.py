"""What an environment raises before a sale, and how far: from its settings and the sizing figures, without the CDK."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from stacks.environments import EnvironmentSettings

ROOT: Final = Path(__file__).resolve().parents[1]
SIZING: Final = ROOT / "layers/core/python/mangaassist/capacity/data/sizing.json"
VARIANT: Final = "AllTraffic"
"""``stacks.constructs.model_endpoint.VARIANT``; a test holds the two together."""


def catalogue_cluster(settings: EnvironmentSettings) -> str:
    """Name of the ECS cluster."""
    return settings.resource_prefix


def catalogue_service(settings: EnvironmentSettings) -> str:
    """Name of the catalogue's ECS service."""
    return f"{settings.resource_prefix}-catalogue"


def raised_resources(settings: EnvironmentSettings, *, message_function: str = "") -> list[dict[str, Any]]:
    """The list that the pre-warm function reads (``mangaassist.capacity.resources.Resource``).

    Args:
        settings: the environment.
        message_function: name of the message function, which only a deployed stack knows.
    """
    sizing = json.loads(SIZING.read_text("utf-8"))
    per_unit = sizing["concurrency_per_unit"]
    resources: list[dict[str, Any]] = []
    if settings.message_provisioned_concurrency is not None:
        resources.append(
            {
                "name": "message",
                "kind": "lambda-provisioned-concurrency",
                "address": {"function": message_function, "alias": "live"},
                "base": settings.message_provisioned_concurrency,
                "ceiling": settings.capacity.message_ceiling,
                "concurrency_per_unit": per_unit["message"],
            }
        )
    resources.append(
        {
            "name": "search",
            "kind": "search-collection-group",
            "address": {"group": settings.resource_prefix},
            "base": settings.search.min_ocu,
            "ceiling": settings.search.max_ocu,
            "concurrency_per_unit": per_unit["search"],
            "steps": sizing["search_ocu_steps"],
        }
    )
    if settings.catalogue is not None:
        resources.append(
            {
                "name": "catalogue",
                "kind": "ecs-service",
                "address": {
                    "cluster": catalogue_cluster(settings),
                    "service": catalogue_service(settings),
                },
                "base": settings.catalogue.min_tasks,
                "ceiling": settings.catalogue.max_tasks,
                "concurrency_per_unit": per_unit["catalogue"],
            }
        )
    for role, endpoint in settings.endpoints.items():
        if settings.models is not None:
            fleet = getattr(settings.models, role)
            bounds = fleet.min_instances, fleet.max_instances
        elif settings.capacity.endpoints_elsewhere is not None:
            bounds = 1, settings.capacity.endpoints_elsewhere
        else:
            continue
        resources.append(
            {
                "name": role,
                "kind": "sagemaker-variant",
                "address": {"endpoint": endpoint, "variant": VARIANT},
                "base": bounds[0],
                "ceiling": bounds[1],
                "concurrency_per_unit": per_unit[role],
            }
        )
    return resources
