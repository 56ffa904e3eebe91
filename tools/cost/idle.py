"""What an environment costs while nobody uses it.

Two readings of the same prices, which a test holds together:

    from tools.cost.idle import idle_cost, idle_cost_of_template

    idle_cost(settings)              -> (IdleCost("Network", "NAT gateways", 65.70, "2 x 0.045 USD/h"), ...)
    idle_cost_of_template(template)  -> the same for one synthesized stack, resource type by resource type

The first needs no synthesis and answers "what will this setting cost"; the second counts everything a stack declares,
down to keys and alarms, and is what the table in ``docs/infrastructure.md`` shows per stack.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any

from mangaassist.capacity.calendar import sale_calendar
from mangaassist.capacity.resources import RESOURCES
from stacks.environments import EnvironmentSettings
from stacks.raised import raised_resources
from tools.cost.prices import HOURS_PER_MONTH, PriceList, prices

CACHE_FLOOR_GB = 0.1
"""Valkey Serverless bills at least this much."""
INTERFACE_ENDPOINTS = 7
TASK_ENDPOINTS = 3
"""What Fargate needs besides, where there are tasks."""
ZONES = 2
"""Of a private network (``stacks/network.py``); a test counts them in the template."""
SECONDS_PER_MONTH = HOURS_PER_MONTH * 3_600


@dataclass(frozen=True, slots=True)
class IdleCost:
    """One line: in which stack (``concern`` as in its name), what, how much a month, and how that comes about."""

    concern: str
    item: str
    usd_per_month: float
    how: str


def total(costs: tuple[IdleCost, ...] | list[IdleCost]) -> float:
    """Dollars a month of all lines."""
    return round(sum(cost.usd_per_month for cost in costs), 2)


def idle_cost(settings: EnvironmentSettings, price_list: PriceList | None = None) -> tuple[IdleCost, ...]:
    """What the settings alone decide, the largest first; keys and alarms are left to ``idle_cost_of_template``."""
    return tuple(
        sorted(_lines(settings, price_list or prices()), key=lambda cost: (-cost.usd_per_month, cost.item))
    )


def idle_cost_of_template(
    concern: str, template: Mapping[str, Any], price_list: PriceList | None = None
) -> tuple[IdleCost, ...]:
    """What the resources of one stack cost a month while idle, by type; types that cost nothing idle are left out."""
    list_of_prices = price_list or prices()
    found: dict[str, list[tuple[float, str]]] = {}
    for resource in template["Resources"].values():
        for item, usd, how in _resource_lines(resource, template["Resources"], list_of_prices):
            found.setdefault(item, []).append((usd, how))
    return tuple(
        IdleCost(concern, item, round(sum(usd for usd, _ in lines), 2), _how(lines))
        for item, lines in sorted(found.items())
    )


# --- from settings ------------------------------------------------------------------------------------------


def _lines(settings: EnvironmentSettings, price: PriceList) -> Iterator[IdleCost]:
    if settings.network is not None:
        count = settings.network.nat_gateways
        yield IdleCost(
            "Network", "NAT gateways", _month(count * price.usd("nat.hour")), f"{count} all the time"
        )
        endpoints = INTERFACE_ENDPOINTS + settings.personalize.is_used
        endpoints += TASK_ENDPOINTS if settings.catalogue else 0
        usd = endpoints * ZONES * price.usd("vpc_endpoint.hour")
        how = f"{endpoints} in {ZONES} zones"
        yield IdleCost("Network", "interface endpoints", _month(usd), how)
    if settings.cache is not None:
        usd = CACHE_FLOOR_GB * price.usd("elasticache.valkey.gb_hour")
        yield IdleCost("Cache", "Valkey Serverless", _month(usd), f"{CACHE_FLOOR_GB} GB at least")
    ocu = 2 * settings.search.min_ocu
    if ocu:
        usd = ocu * price.usd("opensearch.ocu_hour")
        yield IdleCost(
            "Search", "search units (OCU)", _month(usd), f"{ocu // 2} to search, {ocu // 2} to index"
        )
    if settings.models is not None:
        for name in ("intent", "reranker"):
            fleet = getattr(settings.models, name)
            usd = fleet.min_instances * price.usd(f"sagemaker.{fleet.instance_type}")
            yield IdleCost(
                "Models", f"{name} endpoint", _month(usd), f"{fleet.min_instances} x {fleet.instance_type}"
            )
    if settings.catalogue is not None:
        count, cpu, memory = (
            settings.catalogue.min_tasks,
            settings.catalogue.cpu,
            settings.catalogue.memory_mb,
        )
        yield IdleCost(
            "Catalogue",
            "catalogue tasks",
            _month(count * _task_hour(cpu, memory, price)),
            f"{count} x {cpu / 1_024:g} vCPU and {memory / 1_024:g} GB",
        )
        yield IdleCost(
            "Catalogue", "load balancers", _month(price.usd("nlb.hour")), "1 network load balancer"
        )
    warm = settings.message_provisioned_concurrency
    if warm is not None:
        yield IdleCost(
            "Chat",
            "warm message functions",
            round(_provisioned_usd(warm, settings.message_memory_mb, price), 2),
            f"{warm} x {settings.message_memory_mb} MB",
        )
    yield from _business_hours(settings, price)


def _business_hours(settings: EnvironmentSettings, price: PriceList) -> Iterator[IdleCost]:
    """What is raised every day above the base is paid for, whether shoppers come or not."""
    hours = sale_calendar().business_hours
    if hours is None or not settings.capacity.business_hours:
        return
    concurrency = math.ceil(hours.expected_concurrency * settings.capacity.calendar_share_percent / 100)
    minutes = _minutes(hours.closes_utc) - _minutes(hours.opens_utc) + sale_calendar().lead_minutes
    share_of_day = minutes / (24 * 60)
    for resource in RESOURCES.validate_python(raised_resources(settings)):
        more = resource.units(concurrency) - resource.base
        if more <= 0:
            continue
        match resource.name:
            case "message":
                whole = _provisioned_usd(more, settings.message_memory_mb, price)
            case "search":
                whole = more * price.usd("opensearch.ocu_hour") * HOURS_PER_MONTH
            case "catalogue" if settings.catalogue is not None:
                task = _task_hour(settings.catalogue.cpu, settings.catalogue.memory_mb, price)
                whole = more * task * HOURS_PER_MONTH
            case _ if settings.models is None:
                continue  # Another deployment owns these endpoints, and pays for them.
            case _:
                fleet = getattr(settings.models, resource.name)
                whole = more * price.usd(f"sagemaker.{fleet.instance_type}") * HOURS_PER_MONTH
        yield IdleCost(
            "Capacity",
            f"{resource.name} in business hours",
            round(whole * share_of_day, 2),
            f"{more} more, {minutes / 60:g} h a day",
        )


def _task_hour(cpu: int, memory_mb: int, price: PriceList) -> float:
    """Dollars an hour of one Fargate task on ARM; ``cpu`` in units of which 1024 are a whole one."""
    return cpu / 1_024 * price.usd("fargate.vcpu_hour.arm64") + memory_mb / 1_024 * price.usd(
        "fargate.gb_hour.arm64"
    )


def _minutes(moment: time) -> int:
    return moment.hour * 60 + moment.minute


def _month(usd_per_hour: float) -> float:
    return round(usd_per_hour * HOURS_PER_MONTH, 2)


def _provisioned_usd(count: int, memory_mb: int, price: PriceList) -> float:
    return count * memory_mb / 1_024 * SECONDS_PER_MONTH * price.usd("lambda.provisioned_gb_second.arm64")


# --- from templates -----------------------------------------------------------------------------------------

FLAT = {
    "AWS::KMS::Key": ("keys", "kms.key"),
    "AWS::KMS::ReplicaKey": ("keys", "kms.key"),
    "AWS::CloudWatch::CompositeAlarm": ("alarms", "cloudwatch.composite_alarm"),
    "AWS::CloudWatch::Dashboard": ("dashboards", "cloudwatch.dashboard"),
    "AWS::SecretsManager::Secret": ("secrets", "secretsmanager.secret"),
    "AWS::Route53::HostedZone": ("hosted zones", "route53.zone"),
    # Cloud Map makes a private hosted zone for it.
    "AWS::ServiceDiscovery::PrivateDnsNamespace": ("hosted zones", "route53.zone"),
    "AWS::ServiceDiscovery::Instance": ("registered services", "cloudmap.resource"),
}
Line = tuple[str, float, str]


def _resource_lines(
    resource: Mapping[str, Any], siblings: Mapping[str, Any], price: PriceList
) -> Iterator[Line]:
    kind, properties = resource["Type"], resource.get("Properties", {})
    if kind in FLAT:
        item, name = FLAT[kind]
        yield item, price.usd(name), ""
    match kind:
        case "AWS::CloudWatch::Alarm":
            is_anomaly = "ThresholdMetricId" in properties
            yield "alarms", price.usd(f"cloudwatch.{'anomaly_' if is_anomaly else ''}alarm"), ""
        case "AWS::EC2::NatGateway":
            yield "NAT gateways", price.usd("nat.hour") * HOURS_PER_MONTH, ""
        case "AWS::EC2::VPCEndpoint" if properties.get("VpcEndpointType") == "Interface":
            zones = len(properties.get("SubnetIds", [])) or 1
            usd = zones * price.usd("vpc_endpoint.hour") * HOURS_PER_MONTH
            yield "interface endpoints", usd, f"{zones} zones"
        case "AWS::ElastiCache::ServerlessCache":
            usd = CACHE_FLOOR_GB * price.usd("elasticache.valkey.gb_hour") * HOURS_PER_MONTH
            yield "Valkey Serverless", usd, f"{CACHE_FLOOR_GB} GB at least"
        case "AWS::OpenSearchServerless::CollectionGroup":
            limits = properties["CapacityLimits"]
            ocu = limits.get("MinSearchCapacityInOcu", 0) + limits.get("MinIndexingCapacityInOcu", 0)
            if ocu:
                yield (
                    "search units (OCU)",
                    ocu * price.usd("opensearch.ocu_hour") * HOURS_PER_MONTH,
                    f"{ocu} OCU",
                )
        case "AWS::SageMaker::EndpointConfig":
            for variant in properties.get("ProductionVariants", []):
                count, instance = variant.get("InitialInstanceCount", 0), variant.get("InstanceType")
                if count and instance:
                    usd = count * price.usd(f"sagemaker.{instance}") * HOURS_PER_MONTH
                    yield "model endpoints", usd, f"{count} x {instance}"
        case "AWS::Lambda::Alias" if "ProvisionedConcurrencyConfig" in properties:
            warm = properties["ProvisionedConcurrencyConfig"]["ProvisionedConcurrentExecutions"]
            memory = siblings[properties["FunctionName"]["Ref"]]["Properties"]["MemorySize"]
            yield "warm functions", _provisioned_usd(warm, memory, price), f"{warm} x {memory} MB"
        case "AWS::ElasticLoadBalancingV2::LoadBalancer" if properties.get("Type") == "network":
            yield "load balancers", price.usd("nlb.hour") * HOURS_PER_MONTH, "1 network load balancer"
        case "AWS::ApplicationAutoScaling::ScalableTarget" if properties["ServiceNamespace"] == "ecs":
            # The service itself has no number: scaling keeps it between these bounds.
            count = properties["MinCapacity"]
            for task in (each for each in siblings.values() if each["Type"] == "AWS::ECS::TaskDefinition"):
                cpu, memory = (int(task["Properties"][name]) for name in ("Cpu", "Memory"))
                usd = count * _task_hour(cpu, memory, price) * HOURS_PER_MONTH
                yield "tasks", usd, f"{count} x {cpu / 1_024:g} vCPU and {memory / 1_024:g} GB"
        case "AWS::WAFv2::WebACL":
            yield "web ACL", price.usd("waf.acl"), ""
            rules = len(properties.get("Rules", []))
            yield "web ACL rules", rules * price.usd("waf.rule"), f"{rules} rules"
        case _:
            return


def _how(lines: list[tuple[float, str]]) -> str:
    return ", ".join(how for _, how in lines if how) or f"{len(lines)}"
