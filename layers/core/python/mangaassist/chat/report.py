"""What is said about a command once it is over: one log line, and one line of metrics; never its text."""

from __future__ import annotations

from typing import Any, Final

from mangaassist import metrics, tracing
from mangaassist.capacity.latency import latency_budget
from mangaassist.chat.events import TurnCompleted
from mangaassist.chat.service import Observed
from mangaassist.chat.turn import ANSWER_TASK
from mangaassist.metrics import Metric
from mangaassist.observability import Value, count, emit, logger
from mangaassist.protocol import ErrorCode

OUR_FAULT: Final = frozenset({ErrorCode.MODEL_UNAVAILABLE, ErrorCode.DEADLINE_EXCEEDED, ErrorCode.INTERNAL})
"""Of the ways a command can fail, those that a shopper did nothing for."""
UNKNOWN: Final = "unknown"


def report(seen: Observed) -> None:
    """Log and measure a command."""
    facts: dict[str, Any] = {"outcome": seen.outcome, "response_id": seen.response_id, "frames": seen.frames}
    if seen.error is not None:
        facts["error"] = str(seen.error)
    if seen.error_code is not None:
        facts["error_code"] = seen.error_code.value
    tracing.annotate(outcome=seen.outcome)
    if seen.outcome == "gone":
        count(metrics.STREAM_DISCONNECT_COUNT, disconnect_reason="gone")
    if seen.throttles:
        count(metrics.CONNECTIONS_THROTTLED, seen.throttles)
    if seen.error_code is not None and seen.error_code in OUR_FAULT:
        _failed(seen, seen.error_code.value)
    elif seen.error_code is ErrorCode.MESSAGE_REFUSED:
        count(metrics.QUESTION_REFUSED)
    if seen.completed is not None:
        facts |= _answered(seen, seen.completed)
    logger().info("command handled", **facts)


def _failed(seen: Observed, error_code: str) -> None:
    emit(
        {
            metrics.TURN_COUNT: 1,
            metrics.TURN_ERROR_COUNT: 1,
            metrics.STREAM_CHUNK_GAP_MS: seen.gaps_ms,
        },
        intent=seen.intent or UNKNOWN,
        error_code=error_code,
    )


def _answered(seen: Observed, completed: TurnCompleted) -> dict[str, Any]:
    metadata = completed.metadata
    timings = metadata.timings_ms
    tracing.annotate(intent=metadata.intent, response_id=seen.response_id)
    emit(
        {
            metrics.TURN_COUNT: 1,
            # Zeros, so that a share of errors exists where there is none.
            metrics.TURN_ERROR_COUNT: 0,
            metrics.TURN_DURATION_MS: timings["total"],
            metrics.TIME_TO_FIRST_TOKEN_MS: timings.get("first_token", 0),
            metrics.STREAM_CHUNK_GAP_MS: seen.gaps_ms,
            **_hops(timings),
            **_guarded(metadata.guardrail_action),
            **_retrieved(completed),
        },
        intent=metadata.intent,
        action=metadata.guardrail_action,
        index_version=completed.index_version,
    )
    if metadata.model_id:
        emit(
            {
                metrics.BEDROCK_INVOCATION: 1,
                metrics.BEDROCK_LATENCY_MS: timings.get("generation", 0),
                metrics.INPUT_TOKENS: metadata.usage.input_tokens,
                metrics.OUTPUT_TOKENS: metadata.usage.output_tokens,
            },
            intent=metadata.intent,
            task_type=ANSWER_TASK,
            tier=metadata.model_tier,
            degraded="yes" if any(part.startswith("model:") for part in metadata.degraded) else "no",
            model_id=metadata.model_id,
            service_name=metrics.Sender.MESSAGE,
        )
    return {
        "intent": metadata.intent,
        "model_tier": metadata.model_tier,
        "model_id": metadata.model_id,
        "guardrail_action": metadata.guardrail_action,
        "retrieval_mode": metadata.retrieval_mode,
        "chunks": completed.chunks,
        "index_version": completed.index_version,
        "degraded": metadata.degraded,
        "timings_ms": timings,
    }


def _hops(timings_ms: dict[str, int]) -> dict[Metric, Value]:
    spent = {hop.name: hop.spent_ms(timings_ms) for hop in latency_budget().hops}
    passed: dict[Metric, Value] = {
        metrics.HOPS[name]: value for name, value in spent.items() if value is not None
    }
    if "rerank" in timings_ms:
        passed[metrics.RERANK_LATENCY_MS] = timings_ms["rerank"]
    if "search" in timings_ms:
        passed[metrics.SEARCH_LATENCY_MS] = timings_ms["search"]
    return passed


def _guarded(action: str) -> dict[Metric, Value]:
    return {
        metrics.GUARDRAIL_TRIGGER_COUNT: 0 if action in ("none", "unavailable") else 1,
        metrics.ANSWER_CORRECTED: 1 if action in ("corrected", "blocked") else 0,
        metrics.ANSWER_UNJUDGED: 1 if action == "unavailable" else 0,
    }


def _retrieved(completed: TurnCompleted) -> dict[Metric, Value]:
    if completed.metadata.retrieval_mode == "none":
        return {}
    measured: dict[Metric, Value] = {
        metrics.RETRIEVED_CHUNK_COUNT: completed.chunks,
        metrics.RETRIEVAL_FALLBACK: 0 if completed.chunks else 1,
    }
    if completed.chunks:
        measured[metrics.RAG_GROUNDING_RATE] = 100 if completed.citations else 0
    return measured
