"""Every metric of the product: name, unit, dimensions, meaning. Functions emit from here, stacks watch from here.

Standard library only, because the stacks import it too. Each metric has the dimension ``environment`` always: several
environments may share an account, and an alarm of one must not hear another. ``dimensions`` lists the sets of further
dimensions it is published under, the empty set being the environment as a whole. Every value of every dimension is
a metric that CloudWatch charges for, so dimensions are few and their values bounded (``DIMENSIONS``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from mangaassist.capacity.latency import latency_budget

NAMESPACE: Final = "MangaAssist"
ENVIRONMENT: Final = "environment"


class Unit(StrEnum):
    """Of the units that CloudWatch knows, those in use."""

    COUNT = "Count"
    MILLISECONDS = "Milliseconds"
    SECONDS = "Seconds"
    PERCENT = "Percent"
    PER_SECOND = "Count/Second"
    NONE = "None"


class Sender(StrEnum):
    """What emits metrics: functions, by their folder in ``lambdas``, and the service in ``services/catalogue``."""

    AUTHORIZER = "authorizer"
    CATALOGUE = "catalogue"
    CONNECT = "connect"
    DISCONNECT = "disconnect"
    GUARDRAIL = "guardrail"
    GUEST_TOKEN = "guest_token"  # noqa: S105 - a function's name
    INGEST = "ingest"
    MESSAGE = "message"
    MODEL_CAPACITY = "model_capacity"
    MODEL_WARMUP = "model_warmup"
    PREWARM = "prewarm"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric."""

    name: str
    unit: Unit
    meaning: str
    senders: tuple[Sender, ...]
    """Who emits it; nobody yet, when it is named in the requirements and the feature it measures is still to come."""
    dimensions: tuple[tuple[str, ...], ...] = ((),)

    @property
    def is_emitted(self) -> bool:
        """Whether anything emits it today."""
        return bool(self.senders)


DIMENSIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "action": "what a guardrail did: redacted, replaced, removed, corrected, blocked, flagged",
        "degraded": "yes, when a model of the chain had failed before; else no",
        "disconnect_reason": "client, server, timeout or gone",
        "endpoint": "a SageMaker endpoint of ours: one per model",
        "error_code": "the code of an error frame, or of a failed RPC",
        "fallback_from": "a tier of the model policy",
        "fallback_to": "a tier of the model policy",
        "index_version": "the index behind the alias; at most two at a time are read",
        "intent": "one of the eight, out_of_scope, or unknown when a turn broke before it was understood",
        "method": "an RPC of the catalogue service",
        "model_id": "a model of the policy",
        "protocol_version": "a version we speak",
        "reason": "an error's short code, never its text",
        "service": "a service of the store that a turn asks: catalogue, pricing or reviews",
        "service_name": "the function that called",
        "stage": "a stage of the guardrail pipeline",
        "task_type": "a task of the model policy",
        "tier": "a tier of the model policy",
    }
)
"""Every dimension, and why its values are few."""

PER_INTENT: Final = ((), ("intent",))
PER_CALL: Final = ((), ("task_type",), ("task_type", "model_id", "service_name"))
"""GEN-5."""

# --- connections ----------------------------------------------------------------------------------

GUEST_TOKEN_ISSUED: Final = Metric(
    "GuestTokenIssued", Unit.COUNT, "shoppers without an account who got an identity", (Sender.GUEST_TOKEN,)
)
TOKEN_REFUSED: Final = Metric(
    "TokenRefused",
    Unit.COUNT,
    "handshakes without a valid token",
    (Sender.AUTHORIZER,),
    ((), ("reason",)),
)
ORIGIN_REFUSED: Final = Metric(
    "OriginRefused",
    Unit.COUNT,
    "requests that went around the edge to an API's own address",
    (Sender.AUTHORIZER, Sender.GUEST_TOKEN),
)
CALLER_UNCHECKED: Final = Metric(
    "CallerUnchecked",
    Unit.COUNT,
    "callers turned away because a secret or the sign-in keys could not be read",
    (Sender.AUTHORIZER, Sender.GUEST_TOKEN),
)
CONNECTION_OPENED: Final = Metric(
    "ConnectionOpened",
    Unit.COUNT,
    "connections made; their share per version says when the old one may go (STR-1)",
    (Sender.CONNECT,),
    ((), ("protocol_version",)),
)
CONNECTION_REFUSED: Final = Metric(
    "ConnectionRefused",
    Unit.COUNT,
    "connections turned away: a version we do not speak, or the session store is down",
    (Sender.CONNECT,),
    ((), ("reason",)),
)
STREAM_DISCONNECT_COUNT: Final = Metric(
    "StreamDisconnectCount",
    Unit.COUNT,
    "connections that ended, by reason (STR-14)",
    (Sender.DISCONNECT, Sender.MESSAGE),
    ((), ("disconnect_reason",)),
)
CONNECTIONS_THROTTLED: Final = Metric(
    "ConnectionsThrottled",
    Unit.COUNT,
    "frames that the management API refused for now (429)",
    (Sender.MESSAGE,),
)

# --- turns ----------------------------------------------------------------------------------------

TURN_COUNT: Final = Metric("TurnCount", Unit.COUNT, "questions of shoppers", (Sender.MESSAGE,), PER_INTENT)
TURN_ERROR_COUNT: Final = Metric(
    "TurnErrorCount",
    Unit.COUNT,
    "questions that ended without an answer; refused ones are no errors",
    (Sender.MESSAGE,),
    (*PER_INTENT, ("error_code",)),
)
TURN_DURATION_MS: Final = Metric(
    "TurnDurationMs",
    Unit.MILLISECONDS,
    "from the question to the end of its answer",
    (Sender.MESSAGE,),
    PER_INTENT,
)
TIME_TO_FIRST_TOKEN_MS: Final = Metric(
    "TimeToFirstTokenMs",
    Unit.MILLISECONDS,
    "from the question to the first text of its answer (STR-14)",
    (Sender.MESSAGE,),
    PER_INTENT,
)
STREAM_CHUNK_GAP_MS: Final = Metric(
    "StreamChunkGapMs",
    Unit.MILLISECONDS,
    "silence between two pieces of one answer, as the shopper sees it (STR-14)",
    (Sender.MESSAGE,),
)
STREAM_ENRICHMENT_LATENCY_MS: Final = Metric(
    "StreamEnrichmentLatencyMs",
    Unit.MILLISECONDS,
    "what came after the stream, such as cover art (STR-14)",
    (),
)
INTENT_CLASSIFIER_FALLBACK: Final = Metric(
    "IntentClassifierFallback",
    Unit.COUNT,
    "questions that the classifier should have read and could not (INT-4)",
    (Sender.MESSAGE,),
    ((), ("reason",)),
)
CACHE_HIT_RATE: Final = Metric(
    "CacheHitRate", Unit.PERCENT, "answers served from the semantic cache (OBS-2, RAT-3)", (), PER_INTENT
)
CONTEXT_BUDGET_UTILIZATION: Final = Metric(
    "ContextBudgetUtilization", Unit.NONE, "share of the token budget that a prompt takes (SES-5)", ()
)
TURNS_DROPPED_COUNT: Final = Metric(
    "TurnsDroppedCount", Unit.COUNT, "turns that a prompt had no room for (SES-5)", ()
)
COMPRESSION_EVENT_RATE: Final = Metric(
    "CompressionEventRate", Unit.PERCENT, "prompts that had to be compressed (SES-5)", ()
)

# --- retrieval ------------------------------------------------------------------------------------

RETRIEVED_CHUNK_COUNT: Final = Metric(
    "RetrievedChunkCount",
    Unit.COUNT,
    "chunks that entered a prompt (RET-8)",
    (Sender.MESSAGE,),
    ((), ("index_version",)),
)
SEARCH_LATENCY_MS: Final = Metric(
    "SearchLatencyMs", Unit.MILLISECONDS, "the search for the nearest chunks (RET-8)", (Sender.MESSAGE,)
)
RERANK_LATENCY_MS: Final = Metric(
    "RerankLatencyMs",
    Unit.MILLISECONDS,
    "the reranker's part, late answers included (RET-8)",
    (Sender.MESSAGE,),
)
RAG_GROUNDING_RATE: Final = Metric(
    "RAGGroundingRate",
    Unit.PERCENT,
    "100 for an answer that cites a chunk it was given, 0 for one that had chunks and cites none (RET-8)",
    (Sender.MESSAGE,),
    ((), ("index_version",)),
)
RETRIEVAL_FALLBACK: Final = Metric(
    "RetrievalFallback",
    Unit.COUNT,
    "answers that wanted chunks and got none (RET-5)",
    (Sender.MESSAGE,),
    PER_INTENT,
)
RERANKER_FALLBACK: Final = Metric(
    "RerankerFallback",
    Unit.COUNT,
    "answers in search's own order, because the reranker was late or down (RET-3)",
    (Sender.MESSAGE,),
    ((), ("reason",)),
)

RECOMMENDER_FALLBACK: Final = Metric(
    "RecommenderFallback",
    Unit.COUNT,
    "questions for which the recommender was late or down, so that popular titles stand in for its own (CAT-4, RES-4)",
    (Sender.MESSAGE,),
    ((), ("reason",)),
)
STORE_SERVICE_MISSED: Final = Metric(
    "StoreServiceMissed",
    Unit.COUNT,
    "answers without what a service of the store knows of products or promotions, by service (GEN-7, RES-4)",
    (Sender.MESSAGE,),
    ((), ("service",)),
)

# --- models ---------------------------------------------------------------------------------------

BEDROCK_INVOCATION: Final = Metric(
    "BedrockInvocation",
    Unit.COUNT,
    "calls of a model that answered (GEN-5)",
    (Sender.MESSAGE,),
    (*PER_CALL, ("task_type", "tier", "degraded")),
)
BEDROCK_LATENCY_MS: Final = Metric(
    "BedrockLatencyMs",
    Unit.MILLISECONDS,
    "a model's stream from call to end (GEN-5)",
    (Sender.MESSAGE,),
    PER_CALL,
)
INPUT_TOKENS: Final = Metric(
    "InputTokens", Unit.COUNT, "tokens read by a model", (Sender.MESSAGE,), (*PER_CALL, ("intent",))
)
OUTPUT_TOKENS: Final = Metric(
    "OutputTokens", Unit.COUNT, "tokens written by a model", (Sender.MESSAGE,), (*PER_CALL, ("intent",))
)
MODEL_FALLBACK: Final = Metric(
    "ModelFallback",
    Unit.COUNT,
    "answers that a model further down the chain had to give (GEN-4)",
    (Sender.MESSAGE,),
    ((), ("fallback_from", "fallback_to")),
)
THROUGHPUT_OVERFLOW: Final = Metric(
    "ThroughputOverflow",
    Unit.COUNT,
    "calls that bought capacity did not take and on demand did (GEN-9)",
    (Sender.MESSAGE,),
    ((), ("tier",)),
)

# --- guardrails -----------------------------------------------------------------------------------

GUARDRAIL_TRIGGER_COUNT: Final = Metric(
    "GuardrailTriggerCount",
    Unit.COUNT,
    "answers that a guardrail touched (OBS-2)",
    (Sender.MESSAGE,),
    (*PER_INTENT, ("action",)),
)
QUESTION_REFUSED: Final = Metric(
    "QuestionRefused",
    Unit.COUNT,
    "questions that admission refused, injections mostly (GRD-1)",
    (Sender.MESSAGE,),
)
ANSWER_CORRECTED: Final = Metric(
    "AnswerCorrected", Unit.COUNT, "answers replaced after they were streamed (STR-6)", (Sender.MESSAGE,)
)
ANSWER_UNJUDGED: Final = Metric(
    "AnswerUnjudged",
    Unit.COUNT,
    "answers that only the inline guard saw: the judge did not answer",
    (Sender.MESSAGE,),
)
GUARDRAIL_INTERVENTION: Final = Metric(
    "GuardrailIntervention",
    Unit.COUNT,
    "changes by a stage of the pipeline (GRD-9)",
    (Sender.GUARDRAIL,),
    ((), ("stage", "action")),
)
GUARDRAIL_STAGE_UNAVAILABLE: Final = Metric(
    "GuardrailStageUnavailable",
    Unit.COUNT,
    "stages that ran without the service they ask",
    (Sender.GUARDRAIL,),
    ((), ("stage",)),
)

# --- ingest ---------------------------------------------------------------------------------------

INGEST_RUN_SUCCEEDED: Final = Metric("IngestRunSucceeded", Unit.COUNT, "feeds loaded", (Sender.INGEST,))
INGEST_RUN_FAILED: Final = Metric("IngestRunFailed", Unit.COUNT, "feeds that broke", (Sender.INGEST,))
INGEST_JOB_COMPLETION_RATE: Final = Metric(
    "IngestJobCompletionRate",
    Unit.PERCENT,
    "100 for a feed that was loaded, 0 for one that broke (ING-7)",
    (Sender.INGEST,),
)
INGESTED_DOCUMENTS: Final = Metric(
    "IngestedDocuments", Unit.COUNT, "documents read from feeds", (Sender.INGEST,)
)
INDEXED_DOCUMENTS: Final = Metric(
    "IndexedDocuments", Unit.COUNT, "documents that had changed and were indexed", (Sender.INGEST,)
)
INGEST_DOCUMENTS_PER_SECOND: Final = Metric(
    "IngestDocumentsPerSecond", Unit.PER_SECOND, "speed of a run (ING-7)", (Sender.INGEST,)
)
QUARANTINED_LINES: Final = Metric(
    "QuarantinedLines", Unit.COUNT, "lines that ingestion put aside (ING-7)", (Sender.INGEST,)
)
INGEST_DURATION_MS: Final = Metric(
    "IngestDurationMs", Unit.MILLISECONDS, "how long a run took", (Sender.INGEST,)
)
INDEX_LAG_SECONDS: Final = Metric(
    "IndexLagSeconds",
    Unit.SECONDS,
    "from the upload of a feed to its being searched (ING-7)",
    (Sender.INGEST,),
)

# --- capacity -------------------------------------------------------------------------------------

WARM_CAPACITY_READY: Final = Metric(
    "WarmCapacityReady",
    Unit.COUNT,
    "1 when all capacity for a coming event is there, else 0 (CAP-1)",
    (Sender.PREWARM,),
)
PREWARM_STEP_FAILED: Final = Metric(
    "PrewarmStepFailed", Unit.COUNT, "resources that could not be raised or brought back", (Sender.PREWARM,)
)
PREWARM_CAPPED: Final = Metric(
    "PrewarmCapped", Unit.COUNT, "events that expect more than a resource may have", (Sender.PREWARM,)
)
THROUGHPUT_STEP_FAILED: Final = Metric(
    "ThroughputStepFailed",
    Unit.COUNT,
    "purchases or returns of model capacity that failed",
    (Sender.MODEL_CAPACITY,),
)
THROUGHPUT_ACTIVE: Final = Metric(
    "ThroughputActive", Unit.COUNT, "bought model capacity in force", (Sender.MODEL_CAPACITY,)
)
THROUGHPUT_UTILISATION: Final = Metric(
    "ThroughputUtilisation",
    Unit.PERCENT,
    "how much of the bought capacity is used (CAP-2)",
    (Sender.MODEL_CAPACITY,),
)
THROUGHPUT_IDLE: Final = Metric(
    "ThroughputIdle",
    Unit.COUNT,
    "1 after two weeks of bought capacity under half used (CAP-2)",
    (Sender.MODEL_CAPACITY,),
)
THROUGHPUT_ORPHAN: Final = Metric(
    "ThroughputOrphan", Unit.COUNT, "bought capacity that no plan knows", (Sender.MODEL_CAPACITY,)
)
MODEL_WARM_UP_MS: Final = Metric(
    "ModelWarmUpMs",
    Unit.MILLISECONDS,
    "the slowest warm-up request of an endpoint that scaled out (CAP-3)",
    (Sender.MODEL_WARMUP,),
    ((), ("endpoint",)),
)
MODEL_WARM_UP_FAILED: Final = Metric(
    "ModelWarmUpFailed",
    Unit.COUNT,
    "warm-up requests that failed (CAP-3)",
    (Sender.MODEL_WARMUP,),
    ((), ("endpoint",)),
)

# --- the catalogue service ------------------------------------------------------------------------

CATALOGUE_REQUESTS: Final = Metric(
    "CatalogueRequests",
    Unit.COUNT,
    "calls of the catalogue service; watches of changes count when they end",
    (Sender.CATALOGUE,),
    ((), ("method",)),
)
CATALOGUE_ERRORS: Final = Metric(
    "CatalogueErrors",
    Unit.COUNT,
    "calls that failed for a reason of the service's own: overload, its table, a defect",
    (Sender.CATALOGUE,),
    ((), ("method", "error_code")),
)
CATALOGUE_LATENCY_MS: Final = Metric(
    "CatalogueLatencyMs",
    Unit.MILLISECONDS,
    "time in the catalogue service, a sample of the calls",
    (Sender.CATALOGUE,),
    ((), ("method",)),
)
CATALOGUE_STALE_ANSWERS: Final = Metric(
    "CatalogueStaleAnswers",
    Unit.COUNT,
    "products answered from the read model because the table was out of reach",
    (Sender.CATALOGUE,),
)
CATALOGUE_CHANGE_LOG_AGE_SECONDS: Final = Metric(
    "CatalogueChangeLogAgeSeconds",
    Unit.SECONDS,
    "since a task last read the change log to its end",
    (Sender.CATALOGUE,),
)
CATALOGUE_SERIES_LOADED: Final = Metric(
    "CatalogueSeriesLoaded", Unit.COUNT, "series in the read model of a task", (Sender.CATALOGUE,)
)
CATALOGUE_WATCHERS: Final = Metric(
    "CatalogueWatchers", Unit.COUNT, "open watches of changes", (Sender.CATALOGUE,)
)

HOPS: Final[Mapping[str, Metric]] = MappingProxyType(
    {
        hop.name: Metric(hop.metric, Unit.MILLISECONDS, f"{hop.what} (CAP-5)", (Sender.MESSAGE,))
        for hop in latency_budget().hops
        if hop.is_measured
    }
)
"""By hop of the latency budget, the metric that reports it."""

CATALOGUE: Final[Mapping[str, Metric]] = MappingProxyType(
    {
        metric.name: metric
        for metric in (*(each for each in vars().values() if isinstance(each, Metric)), *HOPS.values())
    }
)
"""Every metric by its name."""
