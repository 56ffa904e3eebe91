"""Answers CloudFormation on behalf of a custom resource, whatever happens.

CloudFormation waits an hour for an answer that never comes, so a failure and a time-out are answers too. The library
at hand for this (crhelper) speaks only HTTPS and retries for ever; the local twin's answer address is plain HTTP.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from mangaassist.observability import logger

REPLY_SECONDS: Final = 5.0
"""Kept back from the function's time-out for the answer itself."""
MAX_REASON_CHARACTERS: Final = 1_000
"""The whole answer may have 4,096 bytes."""

Event = Mapping[str, Any]


def answer(event: Event, context: Any, act: Callable[[Event], str]) -> None:
    """Do ``act`` and tell CloudFormation how it went; ``act`` returns the physical resource id."""
    once = threading.Lock()

    def reply(status: str, physical_id: str, reason: str = "") -> None:
        if once.acquire(blocking=False):
            _put(event, status, physical_id, reason)

    known_id = str(event.get("PhysicalResourceId") or event["LogicalResourceId"])
    seconds = context.get_remaining_time_in_millis() / 1000 - REPLY_SECONDS
    timer = threading.Timer(seconds, reply, ("FAILED", known_id, "the function ran out of time"))
    timer.daemon = True
    timer.start()
    try:
        physical_id = act(event)
    except Exception as error:
        logger().exception("custom resource failed", request_type=event["RequestType"])
        reply("FAILED", known_id, f"{type(error).__name__}: {error}")
    else:
        reply("SUCCESS", physical_id)
    finally:
        timer.cancel()


def _put(event: Event, status: str, physical_id: str, reason: str) -> None:
    import urllib3

    document = {
        "Status": status,
        "Reason": reason[:MAX_REASON_CHARACTERS],
        "PhysicalResourceId": physical_id,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }
    # The address is a presigned S3 request: a content type of our own would break its signature.
    urllib3.request(
        "PUT",
        event["ResponseURL"],
        body=json.dumps(document).encode(),
        headers={"content-type": ""},
        timeout=2.0,
        retries=urllib3.Retry(2, backoff_factor=0.2, allowed_methods=None),
    )
