"""Checks where a WebSocket handshake comes from and its token, and says who connects."""

from __future__ import annotations

from typing import Any

from mangaassist.errors import DependencyError, InvalidToken, WrongOrigin
from mangaassist.identity import wiring
from mangaassist.metrics import CALLER_UNCHECKED, ORIGIN_REFUSED, TOKEN_REFUSED
from mangaassist.observability import count, logger, observed
from mangaassist.tracing import PathType
from mangaassist.versions import offered_token


@observed(PathType.CRITICAL_SYNC)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer API Gateway's REQUEST authorizer: Allow with the subject, or Deny, which is a 403 for the client.

    What cannot be checked is denied too, and told apart from a bad token only in the log and the metric.
    """
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    try:
        wiring.check_origin(headers)
        caller = wiring.callers().caller(offered_token(headers.get("sec-websocket-protocol")))
    except WrongOrigin as refused:
        count(ORIGIN_REFUSED)
        logger().warning("connection refused", reason=str(refused))
        return _decision("Deny", "nobody", event["methodArn"])
    except InvalidToken as refused:
        count(TOKEN_REFUSED, reason=refused.reason)
        logger().info("connection refused", reason=refused.reason)
        return _decision("Deny", "nobody", event["methodArn"])
    except DependencyError as failed:
        count(CALLER_UNCHECKED)
        logger().error("connection refused", dependency=failed.dependency, reason=failed.reason)
        return _decision("Deny", "nobody", event["methodArn"])
    return _decision("Allow", caller.subject, event["methodArn"], subject=caller.subject, kind=caller.kind)


def _decision(effect: str, principal: str, method: str, **who: str) -> dict[str, Any]:
    return {
        "principalId": principal,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": effect, "Resource": method}],
        },
        "context": who,
    }
