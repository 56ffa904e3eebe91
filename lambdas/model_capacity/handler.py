"""The throughput tick: buys, publishes, withdraws and gives back provisioned throughput as the calendar wants."""

from __future__ import annotations

from typing import Any

from mangaassist.capacity.clock import now_of
from mangaassist.capacity.settings import ThroughputSettings
from mangaassist.capacity.wiring import throughput_schedule
from mangaassist.observability import logger, observed
from mangaassist.tracing import PathType


@observed(PathType.ASYNC_BACKGROUND)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """One step for each model; the schedule sends ``{}``."""
    now = now_of(event, ThroughputSettings.load().environment)
    done = throughput_schedule().reconcile(now)
    document = done.as_dict()
    say = logger().error if done.errors else logger().info
    say("throughput reconciled", **document)
    return document
