"""Gap: embedded metric format in a function's log does not become metrics."""
# pyright: reportMissingImports=false

from __future__ import annotations

import json
from typing import Any

from ministack.services import cloudwatch, cloudwatch_logs


def apply() -> None:
    """Store the metrics of every log line that carries some, then evaluate the alarms."""
    append = cloudwatch_logs._append_log_events

    def append_and_measure(stream: Any, events: list[dict[str, Any]]) -> None:
        append(stream, events)
        lines = [event["message"] for event in events if '"CloudWatchMetrics"' in event["message"]]
        for line in lines:
            store(line)
        if lines:
            cloudwatch._evaluate_all_alarms()

    cloudwatch_logs._append_log_events = append_and_measure


def store(line: str) -> None:
    """Store the metrics of one log line; a line that only looks like one is left alone."""
    try:
        document = json.loads(line)
        metadata = document["_aws"]
    except (ValueError, TypeError, KeyError):
        return
    for directive in metadata["CloudWatchMetrics"]:
        for names in directive.get("Dimensions") or [[]]:
            dimensions = {name: str(document[name]) for name in names}
            for metric in directive["Metrics"]:
                values = document[metric["Name"]]
                for value in values if isinstance(values, list) else [values]:
                    cloudwatch._store_datum(
                        directive["Namespace"],
                        metric["Name"],
                        dimensions,
                        metadata["Timestamp"] / 1000,
                        metric.get("Unit", "None"),
                        value,
                        None,
                        None,
                        None,
                    )
