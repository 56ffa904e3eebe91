"""Rotates the secret by which CloudFront proves itself to the APIs, and makes CloudFront send the new one."""

from __future__ import annotations

from typing import Any

from mangaassist.identity import wiring
from mangaassist.identity.rotation import rotate
from mangaassist.observability import logger, observed
from mangaassist.tracing import PathType


@observed(PathType.ASYNC_BACKGROUND)
def handler(event: dict[str, Any], context: Any) -> None:
    """Take one step; an exception tells Secrets Manager to try again, and then that the rotation failed."""
    origins = wiring.edge_origins()
    rotate(
        event["Step"],
        event["ClientRequestToken"],
        wiring.stored_secret(event["SecretId"]),
        install=origins.send,
        prove=origins.prove,
    )
    logger().info("rotation step taken", step=event["Step"], version=event["ClientRequestToken"])
