"""What a message costs, when bought throughput pays, what a sale of any size needs, and what the product is worth (CAP-4)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from mangaassist.capacity.offers import Offer, Traffic, model_units
from mangaassist.capacity.sizing import sizing
from stacks.environments import EnvironmentSettings
from tools.cost.idle import idle_cost, total
from tools.cost.prices import HOURS_PER_MONTH, PriceList, QuotaList, Workload

GB = 1024 * 1024
"""In kilobytes."""


@dataclass(frozen=True, slots=True)
class Component:
    """One part of what a message costs."""

    name: str
    usd: float


@dataclass(frozen=True, slots=True)
class MessageCost:
    """What a message costs on average, part by part. ``fixed`` is the idle cost spread over the month's messages."""

    components: tuple[Component, ...]
    fixed: float

    @property
    def variable(self) -> float:
        """What one more message costs."""
        return sum(each.usd for each in self.components)

    @property
    def blended(self) -> float:
        """Everything, spread over the messages."""
        return self.variable + self.fixed


def message_cost(settings: EnvironmentSettings, workload: Workload, prices: PriceList) -> MessageCost:
    """The blended cost of a message in an environment."""
    usd = prices.usd
    share = workload.answered_by

    def answer(model: str, prompt: int, cached: int, words: int) -> float:
        cache_read = f"bedrock.{model}.cache_read"
        cached_usd = (
            usd(cache_read) if cached and cache_read in prices.prices else usd(f"bedrock.{model}.input")
        )
        return (
            (prompt - cached) * usd(f"bedrock.{model}.input")
            + cached * cached_usd
            + words * usd(f"bedrock.{model}.output")
        )

    tokens = workload.prompt_tokens, workload.cached_prompt_tokens, workload.answer_tokens
    background = workload.background
    memory_gb = settings.message_memory_mb / 1_024
    components = (
        Component("strong model", share["strong"] * answer(workload.models["strong"], *tokens)),
        Component("economy model", share["economy"] * answer(workload.models["economy"], *tokens)),
        Component(
            "background model calls",
            background.calls_per_message
            * answer(background.model, background.prompt_tokens, 0, background.answer_tokens),
        ),
        Component(
            "embedding",
            workload.retrieval_share
            * workload.embedded_tokens
            * usd("bedrock.amazon.titan-embed-text-v2:0.input"),
        ),
        Component(
            "functions",
            2 * usd("lambda.request")
            + (
                workload.message_seconds * memory_gb
                + workload.guardrail_seconds * workload.guardrail_memory_mb / 1_024
            )
            * usd("lambda.gb_second.arm64"),
        ),
        Component(
            "websocket",
            (1 + workload.posts_per_message) * usd("apigateway.websocket.message")
            + workload.connection_minutes_per_message * usd("apigateway.websocket.connection_minute"),
        ),
        Component(
            "tables",
            workload.writes_per_message * usd("dynamodb.write")
            + workload.reads_per_message * usd("dynamodb.read"),
        ),
        Component("logs", workload.log_kb_per_message / GB * usd("logs.ingested")),
        Component(
            "traffic",
            workload.egress_kb_per_message
            / GB
            * (usd("egress.gb") + (usd("nat.gb") if settings.network else 0.0)),
        ),
    )
    return MessageCost(components, total(idle_cost(settings, prices)) / workload.messages_per_month)


@dataclass(frozen=True, slots=True)
class ThroughputOption:
    """Bought throughput of one model against on demand. ``None`` where it cannot be bought."""

    model_id: str
    purchasable: bool
    note: str
    units: int | None = None
    bought_usd_per_month: float | None = None
    on_demand_usd_per_month: float | None = None
    """Of the same traffic."""
    break_even_utilisation: float | None = None
    """Share of a unit's capacity that must be used before buying is cheaper; above 1 it never is."""

    @property
    def advice(self) -> str:
        """One word for the table."""
        if not self.purchasable:
            return "not purchasable"
        assert self.break_even_utilisation is not None
        return "never cheaper" if self.break_even_utilisation > 1 else "buy above it"


def throughput_options(
    offers: tuple[Offer, ...],
    traffic: Traffic,
    workload: Workload,
    prices: PriceList,
    commitment: Literal["no_commitment", "OneMonth"] = "no_commitment",
) -> tuple[ThroughputOption, ...]:
    """Every row of the list of offers; those that are not sold say so."""
    tokens = workload.prompt_tokens + workload.answer_tokens
    made: list[ThroughputOption] = []
    for offer in offers:
        if not offer.purchasable or offer.tokens_per_minute_per_unit is None:
            made.append(ThroughputOption(offer.model_id, False, offer.note))
            continue
        per_token = (
            workload.prompt_tokens * prices.usd(f"bedrock.{offer.model_id}.input")
            + workload.answer_tokens * prices.usd(f"bedrock.{offer.model_id}.output")
        ) / tokens
        hour = prices.usd(f"bedrock.model_unit.{commitment}")
        full_hour_on_demand = offer.tokens_per_minute_per_unit * 60 * per_token
        units = model_units(traffic, offer, max_units=1_000)
        mean = sum(traffic.tokens_per_minute_by_hour) / len(traffic.tokens_per_minute_by_hour)
        made.append(
            ThroughputOption(
                offer.model_id,
                True,
                offer.note,
                units=units,
                bought_usd_per_month=round(units * hour * HOURS_PER_MONTH, 2),
                on_demand_usd_per_month=round(mean * 60 * HOURS_PER_MONTH * per_token, 2),
                break_even_utilisation=round(hour / full_hour_on_demand, 3),
            )
        )
    return tuple(made)


@dataclass(frozen=True, slots=True)
class Need:
    """One resource at a load: how much of it, and how many times the default quota that is."""

    name: str
    amount: float
    unit: str
    quota: int | None = None
    scope: str = ""

    @property
    def times_quota(self) -> float | None:
        """Above 1: ask for more, or split the load over so many cells."""
        return None if self.quota is None else self.amount / self.quota


@dataclass(frozen=True, slots=True)
class Sizing:
    """What a load needs."""

    messages_per_second: float
    sessions: int
    concurrency: int
    needs: tuple[Need, ...]

    @property
    def cells(self) -> int:
        """Accounts and Regions over which the load is split when no quota is raised."""
        return max(1, math.ceil(max(need.times_quota or 0 for need in self.needs)))


def size(
    messages_per_second: float,
    sessions: int,
    workload: Workload,
    quotas: QuotaList,
    *,
    coalesced: bool = True,
) -> Sizing:
    """What so many messages a second and so many connected sessions need."""
    in_flight = math.ceil(messages_per_second * workload.message_seconds)
    warm = math.ceil(round(in_flight * 1.2, 6))
    posts = workload.coalesced_posts_per_message if coalesced else workload.posts_per_message
    per_unit = sizing().concurrency_per_unit
    strong = messages_per_second * workload.answered_by["strong"] * 60

    def need(name: str, amount: float, unit: str, quota: str | None = None) -> Need:
        found = quotas.named(quota) if quota else None
        return Need(
            name, amount, unit, found.default if found else None, found.scope if found else "to be agreed"
        )

    return Sizing(
        messages_per_second,
        sessions,
        in_flight,
        (
            need("message function, warm", warm, "environments", "lambda_concurrency"),
            need(
                "API Gateway, in and out",
                messages_per_second * (1 + posts),
                "requests/s",
                "apigateway_requests",
            ),
            need(
                "reconnecting after a break",
                sessions / (workload.reconnect_storm_minutes * 60),
                "connections/s",
                "apigateway_new_connections",
            ),
            need(
                "sessions table, writes",
                messages_per_second * workload.writes_per_message,
                "write units/s",
                "dynamodb_table_writes",
            ),
            need(
                "sessions table, reads",
                messages_per_second * workload.reads_per_message,
                "read units/s",
                "dynamodb_table_reads",
            ),
            need("search", math.ceil(in_flight / per_unit["search"]), "OCU", "opensearch_ocu"),
            need("intent endpoint", math.ceil(in_flight / per_unit["intent"]), "instances"),
            need("reranker endpoint", math.ceil(in_flight / per_unit["reranker"]), "instances"),
            need(
                "strong model quota",
                strong
                * (
                    workload.prompt_tokens
                    - workload.cached_prompt_tokens
                    + workload.answer_tokens * workload.output_quota_multiplier
                ),
                "tokens/min",
            ),
        ),
    )


@dataclass(frozen=True, slots=True)
class Value:
    """What the product costs and saves per conversation."""

    conversation_usd: float
    resolved_conversation_usd: float
    break_even_deflection: float
    """Share of conversations that must spare a human contact before the product pays for itself."""


def value(cost: MessageCost, workload: Workload) -> Value:
    """Cost per resolved conversation, and the deflection rate that breaks even."""
    conversation = cost.blended * workload.messages_per_conversation
    return Value(
        conversation_usd=conversation,
        resolved_conversation_usd=conversation / workload.resolved_share,
        break_even_deflection=conversation / workload.human_contact_usd,
    )
