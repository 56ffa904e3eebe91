"""Every frame a client sends: read it, answer it, say what happened."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import Any

from mangaassist import wiring
from mangaassist.capacity.latency import latency_budget
from mangaassist.chat.service import Observed
from mangaassist.observability import count, logger, metrics, tracer


@tracer().capture_lambda_handler(capture_response=False, capture_error=False)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one frame over the management API; the route itself returns no body."""
    request = event["requestContext"]
    connection_id, request_id = request["connectionId"], request["requestId"]
    logger().append_keys(request_id=request_id, connection_id=connection_id)
    seen = asyncio.run(
        wiring.chat_service().handle(
            _body(event),
            connection_id=connection_id,
            subject=str((request.get("authorizer") or {}).get("subject", "")),
            request_id=request_id,
            channel=wiring.channel(connection_id),
        )
    )
    _observe(seen)
    return {"statusCode": 200}


def _body(event: dict[str, Any]) -> str | bytes | None:
    body = event.get("body")
    if not event.get("isBase64Encoded"):
        return body
    try:
        return base64.b64decode(body or "", validate=True)
    except (binascii.Error, ValueError):
        return body


def _observe(seen: Observed) -> None:
    """One log line and the metrics of a command; never its text."""
    facts: dict[str, Any] = {"outcome": seen.outcome, "response_id": seen.response_id, "frames": seen.frames}
    if seen.error is not None:
        facts["error"] = str(seen.error)
    if seen.outcome == "gone":
        count("StreamDisconnectCount", disconnect_reason="gone")
    if seen.throttles:
        count("ConnectionsThrottled", seen.throttles)
    if seen.completed is not None:
        metadata = seen.completed.metadata
        facts |= {
            "intent": metadata.intent,
            "model_tier": metadata.model_tier,
            "model_id": metadata.model_id,
            "guardrail_action": metadata.guardrail_action,
            "retrieval_mode": metadata.retrieval_mode,
            "degraded": metadata.degraded,
            "timings_ms": metadata.timings_ms,
        }
        count("TimeToFirstTokenMs", metadata.timings_ms.get("first_token", 0), "Milliseconds")
        count("TurnDurationMs", metadata.timings_ms["total"], "Milliseconds", intent=metadata.intent)
        for hop in latency_budget().hops:
            if (spent := hop.spent_ms(metadata.timings_ms)) is not None:
                count(hop.metric, spent, "Milliseconds")
        if "rerank" in metadata.timings_ms:
            count("RerankLatencyMs", metadata.timings_ms["rerank"], "Milliseconds")
        if metadata.guardrail_action in ("corrected", "blocked"):
            count("AnswerCorrected")
        if metadata.model_id:
            _count_invocation(metadata.model_id, metadata.usage.input_tokens, metadata.usage.output_tokens)
    logger().info("command handled", **facts)


def _count_invocation(model_id: str, input_tokens: int, output_tokens: int) -> None:
    """``BedrockInvocation`` of GEN-5, with the tokens beside it."""
    recorder = metrics()
    recorder.add_dimension("task_type", "answer_synthesis")
    recorder.add_dimension("model_id", model_id)
    recorder.add_metric("BedrockInvocation", "Count", 1)
    recorder.add_metric("InputTokens", "Count", input_tokens)
    recorder.add_metric("OutputTokens", "Count", output_tokens)
    recorder.flush_metrics()
