"""Rotates the secret that signs guest tokens, as Secrets Manager asks for it step by step."""

from __future__ import annotations

from typing import Any

from mangaassist.identity import wiring
from mangaassist.identity.rotation import rotate
from mangaassist.observability import logger, observed
from mangaassist.sessions import guest_token
from mangaassist.tracing import PathType

PROBE_SECONDS = 60


@observed(PathType.ASYNC_BACKGROUND)
def handler(event: dict[str, Any], context: Any) -> None:
    """Take one step; an exception tells Secrets Manager to try again, and then that the rotation failed."""
    rotate(event["Step"], event["ClientRequestToken"], wiring.stored_secret(event["SecretId"]), prove=_prove)
    logger().info("rotation step taken", step=event["Step"], version=event["ClientRequestToken"])


def _prove(value: str) -> None:
    token, _ = guest_token.issue(value, ttl_seconds=PROBE_SECONDS)
    guest_token.verify(token, [value])
