"""Logs, metrics and traces, each made on first use so that a handler pays only for what it uses."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics, Tracer
    from aws_lambda_powertools.metrics import MetricUnit


def _dumps(record: dict[str, Any]) -> str:
    """Logs are read by people too: Japanese stays legible."""
    return json.dumps(record, ensure_ascii=False, default=str)


@cache
def logger() -> Logger:
    """Structured JSON logs; ``request_id`` and friends are bound with ``append_keys``."""
    from aws_lambda_powertools import Logger

    return Logger(json_serializer=_dumps)


@cache
def metrics() -> Metrics:
    """Metrics in the embedded format, namespace and service from the environment."""
    from aws_lambda_powertools import Metrics

    return Metrics()


@cache
def tracer() -> Tracer:
    """X-Ray segments. Patching is left off: it would import every SDK it knows."""
    from aws_lambda_powertools import Tracer

    return Tracer(auto_patch=False)


def count(name: str, value: float = 1, unit: MetricUnit | str = "Count", **dimensions: str) -> None:
    """Emit one metric with dimensions of its own, at once.

    Separate from ``metrics()`` because a dimension added there would apply to every metric of the invocation.
    """
    from aws_lambda_powertools.metrics import MetricUnit, single_metric

    with single_metric(name=name, unit=MetricUnit(unit), value=value) as metric:
        for key, text in dimensions.items():
            metric.add_dimension(name=key, value=text)
