"""What the container brings along, and the metrics: true to the lock and to what CloudWatch takes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from services.catalogue.telemetry import SAMPLE, Meters

ROOT = Path(__file__).resolve().parents[3]


def test_the_container_has_the_versions_of_the_lock() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    locked = {f"{package['name']}=={package.get('version')}" for package in lock["package"]}
    wanted = (ROOT / "services" / "catalogue" / "requirements.txt").read_text("utf-8").splitlines()
    pins = {line for line in wanted if line and not line.startswith("#")}
    assert pins
    assert pins <= locked


def test_reports_count_all_and_sample_latencies(capsys: pytest.CaptureFixture[str]) -> None:
    meters = Meters()
    for _ in range(3 * SAMPLE):
        meters.call("GetProducts", "OK", 1.0)
    meters.call("GetProducts", "UNAVAILABLE", 2.0)
    meters.call("GetProducts", "INVALID_ARGUMENT", 2.0)
    meters.report(series=7, age_seconds=1.5)
    meters.report(series=7, age_seconds=1.5)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["CatalogueRequests"] == [3 * SAMPLE + 2]
    assert len(lines[0]["CatalogueLatencyMs"]) == SAMPLE
    assert (lines[1]["CatalogueErrors"], lines[1]["error_code"]) == ([1], "UNAVAILABLE")
    assert lines[2]["CatalogueSeriesLoaded"] == [7]
    assert len(lines) == 4, "what was counted is counted once"
