"""Checks the token of a WebSocket handshake and says who connects."""

from __future__ import annotations

from typing import Any

from mangaassist.adapters.secrets import secret
from mangaassist.errors import InvalidToken
from mangaassist.observability import logger
from mangaassist.sessions import guest_token
from mangaassist.settings import GuestTokenSettings
from mangaassist.versions import offered_token


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer API Gateway's REQUEST authorizer: Allow with the subject, or Deny.

    A Deny is a 403 for the client; raising would be told apart from it only by the emulator and by nobody's code.
    """
    settings = GuestTokenSettings.load()
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    try:
        guest = guest_token.verify(
            offered_token(headers.get("sec-websocket-protocol")), secret(settings.guest_token_secret)
        )
    except InvalidToken as refused:
        logger().info("connection refused", reason=refused.reason)
        return _decision("Deny", "nobody", event["methodArn"])
    return _decision("Allow", guest.subject, event["methodArn"], subject=guest.subject, kind="guest")


def _decision(effect: str, principal: str, method: str, **who: str) -> dict[str, Any]:
    return {
        "principalId": principal,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": effect, "Resource": method}],
        },
        "context": who,
    }
