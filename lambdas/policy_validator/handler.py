"""AppConfig's validator of the model policy: refuses a document by raising, with every problem in the message."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Any

from mangaassist.errors import InvalidModelPolicy
from mangaassist.generation.policy import parse_policy
from mangaassist.observability import logger, observed
from mangaassist.tracing import PathType


@observed(PathType.ASYNC_BACKGROUND)
def handler(event: dict[str, Any], context: Any) -> None:
    """Judge the document in ``content`` (base64), model lifecycles as of today included.

    Raises:
        InvalidModelPolicy: AppConfig takes any exception as a refusal.
    """
    try:
        content = base64.b64decode(event.get("content") or "", validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise InvalidModelPolicy(["the document is not base64"]) from None
    try:
        policy = parse_policy(content, today=datetime.now(UTC).date())
    except InvalidModelPolicy as error:
        logger().warning("model policy refused", problems=error.problems)
        raise
    logger().info("model policy accepted", policy_version=policy.fingerprint)
