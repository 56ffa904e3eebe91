"""The throughput tick: buys, publishes, withdraws and gives back provisioned throughput as the calendar wants."""

from __future__ import annotations

from typing import Any

from mangaassist.capacity.clock import now_of
from mangaassist.capacity.settings import ThroughputSettings
from mangaassist.capacity.wiring import throughput_schedule
from mangaassist.observability import logger


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """One step for each model; the schedule sends ``{}``."""
    logger().append_keys(request_id=context.aws_request_id)
    now = now_of(event, ThroughputSettings.load().environment)
    done = throughput_schedule().reconcile(now)
    document = done.as_dict()
    say = logger().error if done.errors else logger().info
    say("throughput reconciled", **document)
    return document
