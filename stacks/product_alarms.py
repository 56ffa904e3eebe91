"""Alarms on the product's own metrics, as data: what is watched, where it hurts, what to read then.

All of them tell the ticket topic. Who is woken is decided by the composite alarms of ``stacks.observability``, which see
several of these at once and are silent when a bigger trouble explains them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from mangaassist import metrics
from mangaassist.capacity.latency import latency_budget
from mangaassist.metrics import Metric
from stacks.constructs.product_watch import Series, Watch, product_alarm
from stacks.environments import EnvironmentSettings

ANSWERS: Final = "answer_synthesis"
CLASSIFICATION: Final = "intent_classification"
STRONG_TIERS: Final = ("strong", "strong_fallback")
CHEAP_TIERS: Final = ("economy", "economy_fallback")


def _share(
    id: str,
    part: Metric,
    of: Metric,
    limit: float,
    what: str,
    runbook: str,
    *,
    dimensions: Mapping[str, str] | None = None,
    minutes: int = 5,
    periods: int = 3,
    breaching: int = 2,
) -> Watch:
    return Watch(
        id=id,
        series=Series(metric=part, dimensions=dimensions or {}),
        statistic="Sum",
        of=of,
        what=what,
        runbook=runbook,
        limit=limit,
        minutes=minutes,
        periods=periods,
        breaching=breaching,
    )


def _tiers(task: str, tiers: tuple[str, ...], degraded: tuple[str, ...]) -> tuple[Series, ...]:
    return tuple(
        Series(
            metric=metrics.BEDROCK_INVOCATION, dimensions={"task_type": task, "tier": tier, "degraded": how}
        )
        for tier in tiers
        for how in degraded
    )


def _never(id: str, series: tuple[Series, ...], what: str, runbook: str) -> Watch:
    return Watch(
        id=id,
        series=series[0],
        plus=series[1:],
        statistic="Sum",
        what=what,
        runbook=runbook,
        limit=0,
        minutes=5,
        periods=3,
        breaching=2,
    )


TURNS: Final = (
    _share(
        "TurnErrorsAlarm",
        metrics.TURN_ERROR_COUNT,
        metrics.TURN_COUNT,
        5,
        "Over 5% of the questions end without an answer",
        "turns-failing",
        minutes=1,
        periods=5,
        breaching=3,
    ),
    _share(
        "MostTurnsFailAlarm",
        metrics.TURN_ERROR_COUNT,
        metrics.TURN_COUNT,
        50,
        "Over half of the questions end without an answer",
        "chat-down",
        minutes=1,
        periods=3,
        breaching=2,
    ),
    Watch(
        id="FirstTokenAlarm",
        series=Series(metric=metrics.TIME_TO_FIRST_TOKEN_MS),
        statistic="p95",
        what=f"One in twenty answers takes over {latency_budget().total_ms} ms to begin",
        runbook="answers-slow",
        limit=latency_budget().total_ms,
    ),
    Watch(
        id="StreamGapAlarm",
        series=Series(metric=metrics.STREAM_CHUNK_GAP_MS),
        statistic="p95",
        what="Answers stall while they stream: one in twenty silences is over 500 ms",
        runbook="stream-stalls",
        limit=500,
    ),
    _share(
        "ServerDisconnectsAlarm",
        metrics.STREAM_DISCONNECT_COUNT,
        metrics.CONNECTION_OPENED,
        10,
        "Over 10% of the connections are closed by our side",
        "disconnects",
        dimensions={"disconnect_reason": "server"},
    ),
    Watch(
        id="ThrottledFramesAlarm",
        series=Series(metric=metrics.CONNECTIONS_THROTTLED),
        statistic="Sum",
        what="The gateway throttles the frames we send; answers arrive in larger pieces",
        runbook="connections-throttled",
        limit=100,
        minutes=5,
        periods=3,
        breaching=2,
    ),
    Watch(
        id="NoSessionStoreAlarm",
        series=Series(metric=metrics.CONNECTION_REFUSED, dimensions={"reason": "session_store"}),
        statistic="Sum",
        what="Shoppers cannot connect: the session store does not answer",
        runbook="table-errors",
        limit=5,
        periods=3,
        breaching=2,
    ),
    _share(
        "TokensRefusedAlarm",
        metrics.TOKEN_REFUSED,
        metrics.CONNECTION_OPENED,
        50,
        "For two connections made, over one is turned away without a valid token",
        "tokens-refused",
    ),
    Watch(
        id="CallersNotCheckedAlarm",
        series=Series(metric=metrics.CALLER_UNCHECKED),
        statistic="Sum",
        what="Shoppers are turned away because a secret or the sign-in keys cannot be read",
        runbook="callers-not-checked",
        limit=5,
        periods=3,
        breaching=2,
    ),
    Watch(
        id="OriginRefusedAlarm",
        series=Series(metric=metrics.ORIGIN_REFUSED),
        statistic="Sum",
        what="Requests reach an API without the edge's secret: somebody goes around it, or it sends an old one",
        runbook="edge-bypassed",
        limit=50,
        minutes=5,
        periods=3,
        breaching=2,
    ),
    Watch(
        id="EnrichmentAlarm",
        series=Series(metric=metrics.STREAM_ENRICHMENT_LATENCY_MS),
        statistic="p95",
        what="What follows an answer, such as cover art, comes late",
        runbook="enrichment-slow",
        limit=2_000,
    ),
    Watch(
        id="ContextBudgetAlarm",
        series=Series(metric=metrics.CONTEXT_BUDGET_UTILIZATION),
        statistic="p95",
        what="Prompts fill over 95% of their token budget",
        runbook="context-budget",
        limit=0.95,
    ),
    Watch(
        id="CompressionAlarm",
        series=Series(metric=metrics.COMPRESSION_EVENT_RATE),
        statistic="Average",
        what="Over 20% of the prompts have to be compressed",
        runbook="context-budget",
        limit=20,
        minutes=15,
    ),
    _share(
        "DroppedTurnsAlarm",
        metrics.TURNS_DROPPED_COUNT,
        metrics.TURN_COUNT,
        20,
        "Prompts have no room for what was said before",
        "context-budget",
        minutes=15,
    ),
    Watch(
        id="CacheHitsAlarm",
        series=Series(metric=metrics.CACHE_HIT_RATE),
        statistic="Average",
        below=True,
        what="Under 5% of the answers come from the cache; 15% are planned",
        runbook="cache-hits-low",
        limit=5,
        minutes=60,
        periods=3,
        breaching=3,
    ),
)

HOPS: Final = tuple(
    Watch(
        id=f"{metrics.HOPS[hop.name].name.removesuffix('Ms')}Alarm",
        series=Series(metric=metrics.HOPS[hop.name]),
        statistic="p95",
        what=f"A hop takes over its {hop.budget_ms} ms in one of twenty turns: {hop.what}",
        runbook="latency-budget",
        limit=hop.budget_ms,
        minutes=5,
        periods=3,
        breaching=2,
    )
    for hop in latency_budget().hops
    if hop.is_measured
)
"""CAP-5."""

RETRIEVAL: Final = (
    Watch(
        id="RetrievedChunksAlarm",
        series=Series(metric=metrics.RETRIEVED_CHUNK_COUNT),
        statistic="p50",
        below=True,
        what="Half of the answers are given fewer than two chunks",
        runbook="bad-index",
        limit=2,
        periods=2,
        breaching=2,
    ),
    Watch(
        id="GroundingAlarm",
        series=Series(metric=metrics.RAG_GROUNDING_RATE),
        statistic="Average",
        below=True,
        what="Under 60% of the answers cite what they were given",
        runbook="bad-index",
        limit=60,
        minutes=15,
        periods=2,
        breaching=2,
    ),
    _share(
        "RetrievalFallbackAlarm",
        metrics.RETRIEVAL_FALLBACK,
        metrics.TURN_COUNT,
        20,
        "Over 20% of the answers are given nothing from the catalogue",
        "bad-index",
    ),
    Watch(
        id="SearchLatencyAlarm",
        series=Series(metric=metrics.SEARCH_LATENCY_MS),
        statistic="p95",
        what="One search in twenty takes over 200 ms",
        runbook="search-slow",
        limit=200,
        minutes=5,
    ),
    Watch(
        id="RerankLatencyAlarm",
        series=Series(metric=metrics.RERANK_LATENCY_MS),
        statistic="p95",
        what="One reranking in twenty takes over 100 ms, twice what it has",
        runbook="reranker-fallback",
        limit=100,
        minutes=5,
    ),
    _share(
        "RerankerFallbackAlarm",
        metrics.RERANKER_FALLBACK,
        metrics.TURN_COUNT,
        10,
        "Over 10% of the answers go without the reranker",
        "reranker-fallback",
    ),
    _share(
        "RecommenderFallbackAlarm",
        metrics.RECOMMENDER_FALLBACK,
        metrics.TURN_COUNT,
        10,
        "Over 10% of the answers suggest popular titles instead of the recommender's",
        "recommender-fallback",
    ),
    _share(
        "StoreServiceMissedAlarm",
        metrics.STORE_SERVICE_MISSED,
        metrics.TURN_COUNT,
        10,
        "Over 10% of the answers go without a service of the store: no price, no rating or unconfirmed titles",
        "store-service-missed",
    ),
    _share(
        "ClassifierFallbackAlarm",
        metrics.INTENT_CLASSIFIER_FALLBACK,
        metrics.TURN_COUNT,
        10,
        "Over 10% of the questions go without the intent classifier",
        "classifier-fallback",
    ),
)

MODELS: Final = (
    _share(
        "ModelFallbackAlarm",
        metrics.MODEL_FALLBACK,
        metrics.TURN_COUNT,
        5,
        "Over 5% of the answers come from a fallback model",
        "model-slow-or-down",
        minutes=1,
        periods=5,
        breaching=3,
    ),
    _never(
        "StrongClassifierAlarm",
        _tiers(CLASSIFICATION, STRONG_TIERS, ("yes", "no")),
        "A strong model classifies intents, at many times the price",
        "model-tier-mismatch",
    ),
    _never(
        "CheapAnswersAlarm",
        _tiers(ANSWERS, CHEAP_TIERS, ("no",)),
        "A cheap model writes answers although nothing failed",
        "model-tier-mismatch",
    ),
    _share(
        "OverflowAlarm",
        metrics.THROUGHPUT_OVERFLOW,
        metrics.TURN_COUNT,
        20,
        "Over 20% of the answers do not fit the model capacity that was bought",
        "model-throttled",
        minutes=15,
    ),
)

GUARDRAILS: Final = (
    _share(
        "CorrectedAnswersAlarm",
        metrics.ANSWER_CORRECTED,
        metrics.TURN_COUNT,
        0.5,
        "Over 0.5% of the answers are replaced after shoppers saw them",
        "answers-corrected",
        minutes=60,
        periods=1,
        breaching=1,
    ),
    _share(
        "UnjudgedAnswersAlarm",
        metrics.ANSWER_UNJUDGED,
        metrics.TURN_COUNT,
        1,
        "Over 1% of the answers are not judged by the guardrails",
        "guardrail-unavailable",
    ),
    _share(
        "UnavailableStageAlarm",
        metrics.GUARDRAIL_STAGE_UNAVAILABLE,
        metrics.TURN_COUNT,
        5,
        "Guardrail stages run without the service they ask",
        "guardrail-unavailable",
    ),
    _share(
        "PricesRemovedAlarm",
        metrics.GUARDRAIL_INTERVENTION,
        metrics.TURN_COUNT,
        5,
        "Over 5% of the answers state prices that have to be removed",
        "price-incident",
        minutes=15,
        dimensions={"stage": "price_accuracy", "action": "removed"},
    ),
    _share(
        "UnknownProductsAlarm",
        metrics.GUARDRAIL_INTERVENTION,
        metrics.TURN_COUNT,
        5,
        "Over 5% of the answers name products that the shop does not sell",
        "counterfeit-listing",
        minutes=15,
        dimensions={"stage": "asin", "action": "removed"},
    ),
    _share(
        "RefusedQuestionsAlarm",
        metrics.QUESTION_REFUSED,
        metrics.TURN_COUNT,
        20,
        "For five questions answered, over one is refused as an attack",
        "injection-attack",
        minutes=15,
    ),
)

INGEST: Final = (
    Watch(
        id="CompletionRateAlarm",
        series=Series(metric=metrics.INGEST_JOB_COMPLETION_RATE),
        statistic="Average",
        below=True,
        what="Under 95% of the catalogue feeds are loaded",
        runbook="ingest-failed",
        limit=95,
        minutes=60,
        periods=1,
        breaching=1,
    ),
    Watch(
        id="QuarantineAlarm",
        series=Series(metric=metrics.QUARANTINED_LINES),
        statistic="Sum",
        what="Ingestion puts many lines of a feed aside",
        runbook="ingest-quarantine",
        limit=100,
        minutes=60,
        periods=1,
        breaching=1,
    ),
    Watch(
        id="IndexLagAlarm",
        series=Series(metric=metrics.INDEX_LAG_SECONDS),
        statistic="Maximum",
        what="It took over half an hour from the upload of a feed to its being searched",
        runbook="index-lag",
        limit=1_800,
        minutes=60,
        periods=1,
        breaching=1,
    ),
)

WATCHES: Final = (*TURNS, *HOPS, *RETRIEVAL, *MODELS, *GUARDRAILS, *INGEST)


def watch_product(scope: Construct, *, settings: EnvironmentSettings) -> dict[str, cloudwatch.Alarm]:
    """The alarms on everything that is emitted, by their id."""
    return {
        watch.id: product_alarm(scope, watch, settings=settings) for watch in WATCHES if watch.is_possible
    }
