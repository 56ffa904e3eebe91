"""Handlers as Lambda calls them, with the wiring replaced and their metrics caught on standard output."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

Emitted = Callable[[], dict[str, dict[str, Any]]]


@pytest.fixture
def context() -> Any:
    return SimpleNamespace(
        aws_request_id="lambda-request",
        function_name="function",
        memory_limit_in_mb=512,
        invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:function:live",
    )


@pytest.fixture(autouse=True)
def powertools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "MangaAssist")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "function")
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")


@pytest.fixture
def emitted(capsys: pytest.CaptureFixture[str]) -> Emitted:
    """The metrics emitted so far: name to the whole record."""

    def read() -> dict[str, dict[str, Any]]:
        records = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
        return {
            metric["Name"]: record
            for record in records
            for directive in record["_aws"]["CloudWatchMetrics"]
            for metric in directive["Metrics"]
        }

    return read
