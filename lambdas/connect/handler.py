"""``$connect``: agree on a protocol version and remember whose connection it is."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

from mangaassist import wiring
from mangaassist.errors import DependencyError, UnknownProtocolVersion
from mangaassist.metrics import CONNECTION_OPENED, CONNECTION_REFUSED
from mangaassist.observability import count, logger, observed
from mangaassist.tracing import PathType
from mangaassist.versions import SUBPROTOCOL, SUPPORTED_VERSIONS, negotiate_version

SESSION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@observed(PathType.CRITICAL_SYNC)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Accept (200), or refuse with a reason: 400 for a version we do not speak, 503 when the store is down."""
    request = event["requestContext"]
    query = event.get("queryStringParameters") or {}
    try:
        version = negotiate_version(query.get("protocol_version"))
        connection = wiring.sessions().open_connection(
            connection_id=request["connectionId"],
            subject=request["authorizer"]["subject"],
            protocol_version=version,
            new_session_id=secrets.token_urlsafe(16),
            resume_session_id=_resumable(query.get("session_id")),
        )
    except UnknownProtocolVersion as error:
        count(CONNECTION_REFUSED, reason="unsupported_version")
        logger().info("connection refused", reason=str(error))
        served = ", ".join(map(str, SUPPORTED_VERSIONS))
        return _refuse(400, f"Unsupported protocol_version; this server speaks {served}.")
    except DependencyError as error:
        count(CONNECTION_REFUSED, reason="session_store")
        logger().error("connection refused", reason=str(error))
        return _refuse(503, "The assistant is not available right now. Please try again in a moment.")
    count(CONNECTION_OPENED, protocol_version=str(version))
    logger().info(
        "connected",
        connection_id=connection.connection_id,
        session_id=connection.session_id,
        protocol_version=version,
        session_resumed=connection.session_resumed,
    )
    # A client that offered subprotocols must be told which one was taken, or browsers drop the connection.
    return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": SUBPROTOCOL}}


def _resumable(session_id: str | None) -> str | None:
    """The id, if we could have made it; any other is as good as unknown, and the store would choke on a long one."""
    return session_id if session_id and SESSION_ID.fullmatch(session_id) else None


def _refuse(status: int, message: str) -> dict[str, Any]:
    return {"statusCode": status, "body": json.dumps({"message": message})}
