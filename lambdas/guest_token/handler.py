"""``POST /v1/chat/guest-tokens``: give an anonymous shopper a short-lived identity."""

from __future__ import annotations

import json
from typing import Any

from mangaassist.adapters.secrets import secret
from mangaassist.observability import count, logger
from mangaassist.sessions import guest_token
from mangaassist.settings import GuestTokenSettings


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """201 with the token; the request carries nothing we need, so there is nothing to refuse."""
    settings = GuestTokenSettings.load()
    token, guest = guest_token.issue(
        secret(settings.guest_token_secret), ttl_seconds=settings.guest_token_ttl_seconds
    )
    count("GuestTokenIssued")
    logger().info("guest token issued", subject=guest.subject)
    body = {
        "token": token,
        "subject": guest.subject,
        "expires_at": guest.expires_at,
        "expires_in_seconds": settings.guest_token_ttl_seconds,
    }
    return {
        "statusCode": 201,
        "headers": {"content-type": "application/json", "cache-control": "no-store"},
        "body": json.dumps(body),
    }
