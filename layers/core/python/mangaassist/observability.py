"""Logs, metrics and traces of one invocation, held together by one request id (OBS-1)."""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from mangaassist import tracing
from mangaassist.metrics import ENVIRONMENT, NAMESPACE, Metric
from mangaassist.tracing import PathType

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

Result = TypeVar("Result")
Handler = Callable[[dict[str, Any], Any], Result]
Value = float | Sequence[float]

VALUES_PER_METRIC: Final = 100
"""What the embedded metric format takes at once."""
LONGEST_REQUEST_ID: Final = 128

_request_id: ContextVar[str] = ContextVar("_request_id", default="")


def _dumps(record: dict[str, Any]) -> str:
    """Logs are read by people too: Japanese stays legible."""
    return json.dumps(record, ensure_ascii=False, default=str)


@cache
def logger() -> Logger:
    """Structured JSON logs, made on first use; further facts are bound with ``append_keys``."""
    from aws_lambda_powertools import Logger

    return Logger(json_serializer=_dumps)


def observed(path_type: PathType) -> Callable[[Handler[Result]], Handler[Result]]:
    """Put a handler's request id into its log lines, its metrics' metadata and its trace."""

    def decorate(handler: Handler[Result]) -> Handler[Result]:
        @functools.wraps(handler)
        def run(event: dict[str, Any], context: Any) -> Result:
            request_id = request_id_of(event, context)
            token = _request_id.set(request_id)
            logger().append_keys(request_id=request_id)
            try:
                with tracing.invocation(_service(), path_type, request_id):
                    return handler(event, context)
            finally:
                _request_id.reset(token)

        return run

    return decorate


def current_request_id() -> str:
    """The id of the request being served; empty outside of a handler."""
    return _request_id.get()


def request_id_of(event: object, context: Any) -> str:
    """The id a request already has: from API Gateway, a function of ours or CloudFormation; else Lambda's own."""
    facts = _facts(event)
    given = _facts(facts.get("requestContext")).get("requestId")
    for candidate in (given, facts.get("request_id"), facts.get("RequestId")):
        if isinstance(candidate, str) and 0 < len(candidate) <= LONGEST_REQUEST_ID:
            return candidate
    return str(getattr(context, "aws_request_id", ""))


def _facts(value: object) -> Mapping[str, Any]:
    """``value`` if it is an object, else nothing: anybody may invoke a function with anything."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def count(metric: Metric, value: float = 1, /, **dimensions: str | None) -> None:
    """Emit one metric; see ``emit``."""
    emit({metric: value}, **dimensions)


def emit(values: Mapping[Metric, Value], /, **dimensions: str | None) -> None:
    """Write metrics as one log line in CloudWatch's embedded metric format.

    Args:
        values: a number, or several measured in the same invocation, for each metric.
        dimensions: what the metrics' dimension sets name; a set with a dimension that is ``None`` is left out.
    """
    known = {ENVIRONMENT: os.environ.get("ENVIRONMENT", "unknown")}
    known |= {name: value for name, value in dimensions.items() if value is not None}
    listed: dict[Metric, list[float]] = {
        metric: list(value) if isinstance(value, Sequence) else [value] for metric, value in values.items()
    }
    for page in _pages(listed):
        document = {
            "_aws": {
                "Timestamp": int(time.time() * 1000),
                "CloudWatchMetrics": [_directive(metric, known) for metric in page],
            },
            "service": _service(),
            "request_id": _request_id.get(),
            **known,
            **{metric.name: numbers for metric, numbers in page.items()},
        }
        print(_dumps(document))  # noqa: T201 - how Lambda receives it


def _pages(values: Mapping[Metric, list[float]]) -> Iterator[dict[Metric, list[float]]]:
    """As many values as one line may carry, then the next ones; a metric without a value is no metric."""
    longest = max((len(numbers) for numbers in values.values()), default=0)
    for start in range(0, longest, VALUES_PER_METRIC):
        parts = {metric: numbers[start : start + VALUES_PER_METRIC] for metric, numbers in values.items()}
        yield {metric: numbers for metric, numbers in parts.items() if numbers}


def _directive(metric: Metric, known: Mapping[str, str]) -> dict[str, Any]:
    return {
        "Namespace": NAMESPACE,
        "Dimensions": [
            [ENVIRONMENT, *names] for names in metric.dimensions if all(name in known for name in names)
        ],
        "Metrics": [{"Name": metric.name, "Unit": metric.unit.value}],
    }


def _service() -> str:
    return os.environ.get("POWERTOOLS_SERVICE_NAME", "unknown")
