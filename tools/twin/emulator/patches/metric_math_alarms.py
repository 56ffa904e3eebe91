"""Gap: an alarm on a metric expression makes the deployment fail. Such alarms are recorded only."""

from __future__ import annotations

from typing import Any

from tools.twin.emulator.patches._provisioners import HANDLERS, Properties
from tools.twin.emulator.patches.stub_types import recorded

ALARM = "AWS::CloudWatch::Alarm"


def apply() -> None:
    """Send alarms with ``Metrics`` to the recorder, all others to the emulator."""
    real, record = dict(HANDLERS[ALARM]), recorded(ALARM)

    def create(logical_id: str, properties: Properties, stack: str, *rest: Any, **options: Any) -> Any:
        if properties.get("Metrics"):
            return record["create"](logical_id, properties, stack)
        return real["create"](logical_id, properties, stack, *rest, **options)

    def update(
        physical_id: str, old: Properties, new: Properties, stack: str, *rest: Any, **options: Any
    ) -> Any:
        if new.get("Metrics"):
            return record["update"](physical_id, old, new, stack)
        return real["update"](physical_id, old, new, stack, *rest, **options)

    HANDLERS[ALARM].update(create=create, update=update)
