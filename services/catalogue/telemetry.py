"""What the service says about itself: one JSON line per call and event, and metrics in CloudWatch's embedded format.

Neither holds what was asked for: titles and names are a shopper's words.
"""

from __future__ import annotations

import json
import logging
import random
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import Any, Final

from mangaassist import metrics
from mangaassist.observability import emit

SERVICE: Final = "catalogue"
SAMPLE: Final = 100
"""Latencies kept per method between two reports; one line of the embedded metric format takes no more."""

OWN_FAULTS: Final = frozenset({"RESOURCE_EXHAUSTED", "UNAVAILABLE", "INTERNAL", "UNKNOWN"})
"""What an alarm should hear of. A deadline is the caller's choice, a bad argument the caller's mistake."""


class JsonLines(logging.Formatter):
    """A record as one JSON object; facts come in ``extra={"facts": {...}}``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "service": SERVICE,
            "message": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info and record.exc_info[0]:
            # The class and the place, never the text: a library's may quote what was asked.
            line["exception"] = record.exc_info[0].__name__
            frame = record.exc_info[2]
            while frame is not None and frame.tb_next is not None:
                frame = frame.tb_next
            if frame is not None:
                line["at"] = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}"
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logs(level: str) -> None:
    """JSON lines on stdout, each written as it is made."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Its INFO names every credential source it tries.
    logging.getLogger("botocore").setLevel(logging.WARNING)


class Meters:
    """Counts between two reports; a report per call would cost more than the call."""

    def __init__(self) -> None:
        self._calls: Counter[str] = Counter()
        self._errors: Counter[tuple[str, str]] = Counter()
        self._latencies: defaultdict[str, list[float]] = defaultdict(list)
        self._stale = 0
        self.watchers = 0

    def call(self, method: str, code: str, milliseconds: float | None) -> None:
        """One call ended, after so long; ``None`` for one that lasts as long as its caller likes."""
        self._calls[method] += 1
        if code in OWN_FAULTS:
            self._errors[method, code] += 1
        if milliseconds is None:
            return
        sample = self._latencies[method]
        if len(sample) < SAMPLE:
            sample.append(milliseconds)
        elif (place := random.randrange(self._calls[method])) < SAMPLE:  # noqa: S311 - a sample, not a secret
            sample[place] = milliseconds

    def stale(self, count: int) -> None:
        """Products were answered from the read model in place of the table."""
        self._stale += count

    def report(self, *, series: int, age_seconds: float) -> None:
        """Write what was counted, and begin anew."""
        for method, count in self._calls.items():
            emit(
                {metrics.CATALOGUE_REQUESTS: count, metrics.CATALOGUE_LATENCY_MS: self._latencies[method]},
                method=method,
            )
        for (method, code), count in self._errors.items():
            emit({metrics.CATALOGUE_ERRORS: count}, method=method, error_code=code)
        emit(
            {
                metrics.CATALOGUE_SERIES_LOADED: series,
                metrics.CATALOGUE_CHANGE_LOG_AGE_SECONDS: age_seconds,
                metrics.CATALOGUE_WATCHERS: self.watchers,
                metrics.CATALOGUE_STALE_ANSWERS: self._stale,
            }
        )
        self._calls.clear()
        self._errors.clear()
        self._latencies.clear()
        self._stale = 0
