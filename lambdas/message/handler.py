"""Every frame a client sends: read it, answer it, say what happened."""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
from typing import Any

from mangaassist import wiring
from mangaassist.chat.report import report
from mangaassist.observability import logger, observed
from mangaassist.tracing import PathType

if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "provisioned-concurrency":
    # What was bought to be warm is warm: its first shopper waits for no client either.
    wiring.warm_up()


@observed(PathType.CRITICAL_SYNC)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one frame over the management API; the route itself returns no body."""
    request = event["requestContext"]
    connection_id, request_id = request["connectionId"], request["requestId"]
    logger().append_keys(connection_id=connection_id)
    seen = asyncio.run(
        wiring.chat_service().handle(
            _body(event),
            connection_id=connection_id,
            subject=str((request.get("authorizer") or {}).get("subject", "")),
            request_id=request_id,
            channel=wiring.channel(connection_id),
        )
    )
    report(seen)
    return {"statusCode": 200}


def _body(event: dict[str, Any]) -> str | bytes | None:
    body = event.get("body")
    if not event.get("isBase64Encoded"):
        return body
    try:
        return base64.b64decode(body or "", validate=True)
    except (binascii.Error, ValueError):
        return body
