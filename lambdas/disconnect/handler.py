"""``$disconnect``: forget the connection. Best effort at API Gateway, so TTL and 410s clean up as well."""

from __future__ import annotations

from typing import Any

from mangaassist import wiring
from mangaassist.metrics import STREAM_DISCONNECT_COUNT
from mangaassist.observability import count, logger, observed
from mangaassist.tracing import PathType


@observed(PathType.ASYNC_BACKGROUND)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Delete the connection's record; the session lives on for a resumption."""
    request = event["requestContext"]
    connection_id = request["connectionId"]
    wiring.sessions().close_connection(connection_id)
    code = int(request.get("disconnectStatusCode") or 1005)
    reason = "client" if code in (1000, 1001, 1005) else "timeout" if code == 1006 else "server"
    count(STREAM_DISCONNECT_COUNT, disconnect_reason=reason)
    logger().info("disconnected", connection_id=connection_id, code=code)
    return {"statusCode": 200}
