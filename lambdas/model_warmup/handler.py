"""An endpoint came into service: send it its first calls."""

from __future__ import annotations

from typing import Any

from mangaassist.errors import DependencyError
from mangaassist.observability import count, logger
from mangaassist.warmup import wiring


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
    count("ModelWarmUpMs", seen.slowest_ms, "Milliseconds", endpoint=endpoint)
    count("ModelWarmUpFailed", seen.failed, endpoint=endpoint)
    if seen.failed == seen.calls:
        raise DependencyError(endpoint, "no warm-up call was answered")
