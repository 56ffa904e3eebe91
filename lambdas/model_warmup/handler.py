"""An endpoint came into service: send it its first calls."""

from __future__ import annotations

from typing import Any

from mangaassist.errors import DependencyError
from mangaassist.metrics import MODEL_WARM_UP_FAILED, MODEL_WARM_UP_MS
from mangaassist.observability import emit, logger, observed
from mangaassist.tracing import PathType
from mangaassist.warmup import wiring


@observed(PathType.ASYNC_BACKGROUND)
def handler(event: dict[str, Any], context: Any) -> None:
    """Warm the endpoint that a SageMaker state event names; raises when none of the calls was answered."""
    endpoint = str(event["detail"]["EndpointName"])
    seen = wiring.warm(endpoint)
    if seen is None:
        logger().info("nothing to warm", endpoint=endpoint)
        return
    logger().info(
        "endpoint warmed", endpoint=endpoint, calls=seen.calls, failed=seen.failed, slowest_ms=seen.slowest_ms
    )
    emit({MODEL_WARM_UP_MS: seen.slowest_ms, MODEL_WARM_UP_FAILED: seen.failed}, endpoint=endpoint)
    if seen.failed == seen.calls:
        raise DependencyError(endpoint, "no warm-up call was answered")
