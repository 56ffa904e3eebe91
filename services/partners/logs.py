"""Logs as JSON, one object a line; a request is told by its route's template, never by its values."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime


class JsonLines(logging.Formatter):
    """``facts`` of a record become members; an exception becomes its class."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        told: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": "partners",
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0]:
            told["error"] = record.exc_info[0].__name__
        told |= getattr(record, "facts", {})
        return json.dumps(told, ensure_ascii=False, default=str)


def configure() -> None:
    """Everything to stdout, where the platform collects it; libraries only what is wrong."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("services.partners").setLevel(logging.INFO)
