"""The capacity tick: what the sale calendar wants at this minute is made so, and looked at."""

from __future__ import annotations

from typing import Any

from mangaassist.capacity.clock import now_of
from mangaassist.capacity.settings import PrewarmSettings
from mangaassist.capacity.wiring import prewarming
from mangaassist.observability import logger, observed
from mangaassist.tracing import PathType


class UnknownAction(ValueError):
    """The event asks for something that this function does not do."""

    def __init__(self, action: object) -> None:
        self.action = action
        super().__init__(f"no action {action!r}: send reconcile, force or release")


@observed(PathType.ASYNC_BACKGROUND)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """``{}`` from the schedule; ``{"action": "force" | "release", "event": "<id>"}`` from on-call."""
    now = now_of(event, PrewarmSettings.load().environment)
    loop = prewarming()
    match event.get("action", "reconcile"):
        case "reconcile":
            done = loop.reconcile(now)
        case "force":
            done = loop.force(str(event.get("event")), now)
        case "release":
            done = loop.release(str(event.get("event")), now)
        case action:
            raise UnknownAction(action)
    document = done.as_dict()
    say = logger().error if done.failed else logger().info
    say("capacity reconciled", **document)
    return document
