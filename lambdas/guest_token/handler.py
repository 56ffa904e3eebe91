"""``POST /v1/chat/guest-tokens``: give an anonymous shopper a short-lived identity."""

from __future__ import annotations

import json
from typing import Any

from mangaassist.errors import DependencyError, WrongOrigin
from mangaassist.identity import wiring
from mangaassist.metrics import CALLER_UNCHECKED, GUEST_TOKEN_ISSUED, ORIGIN_REFUSED
from mangaassist.observability import count, logger, observed
from mangaassist.sessions import guest_token
from mangaassist.settings import GuestTokenSettings
from mangaassist.tracing import PathType


@observed(PathType.CRITICAL_SYNC)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """201 with the token; 403 for a request that went around the edge, 503 when a secret cannot be read."""
    settings = GuestTokenSettings.load()
    try:
        wiring.check_origin(event.get("headers"))
        token, guest = guest_token.issue(wiring.guest_secret(), ttl_seconds=settings.guest_token_ttl_seconds)
    except WrongOrigin as refused:
        count(ORIGIN_REFUSED)
        logger().warning("guest token refused", reason=str(refused))
        return _answer(403, {"message": "Forbidden"})
    except DependencyError as failed:
        count(CALLER_UNCHECKED)
        logger().error("guest token refused", dependency=failed.dependency, reason=failed.reason)
        return _answer(
            503, {"message": "The assistant is not available right now. Please try again in a moment."}
        )
    count(GUEST_TOKEN_ISSUED)
    logger().info("guest token issued", subject=guest.subject)
    return _answer(
        201,
        {
            "token": token,
            "subject": guest.subject,
            "expires_at": guest.expires_at,
            "expires_in_seconds": settings.guest_token_ttl_seconds,
        },
    )


def _answer(status: int, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", "cache-control": "no-store"},
        "body": json.dumps(body),
    }
