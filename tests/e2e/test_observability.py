"""One request on the deployed twin, followed by its id through logs, metrics and traces."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.e2e.chatting import ENGLISH, answer, connect
from tests.e2e.until import until
from tools.twin.supervisor import Twin

FUNCTIONS = ("message", "guardrail")
"""What a turn passes through."""


@pytest.mark.req("OBS-1", "OBS-2")
async def test_one_request_id_leads_through_logs_metrics_and_traces(
    twin: Twin, aws: Callable[[str], Any]
) -> None:
    async with await connect(twin) as client:
        _, _, final = await answer(client, ENGLISH)
    request_id = final.metadata.request_id

    def lines(function: str) -> list[dict[str, Any]]:
        events = aws("logs").filter_log_events(
            logGroupName=f"/mangaassist/{twin.layout.held.environment}/{function}",
            filterPattern=f'"{request_id}"',
        )["events"]
        found = [json.loads(event["message"]) for event in events if event["message"].startswith("{")]
        return [line for line in found if line.get("request_id") == request_id]

    for function in FUNCTIONS:
        said = await until(
            lambda function=function: [line for line in lines(function) if "level" in line],
            f"a log line of {function} with the request's id",
        )
        assert {line["service"] for line in said} == {function}

    def measured() -> dict[str, Any] | None:
        documents = [line for line in lines("message") if "TurnCount" in line]
        return documents[0] if documents else None

    turn = await until(measured, "the metrics of the turn")
    assert turn["intent"] == final.metadata.intent
    assert turn["TurnCount"] == [1]
    assert turn["StreamChunkGapMs"]

    def segments() -> dict[str, dict[str, Any]] | None:
        base = f"{twin.urls().emulator}/_twin/traces"
        found: dict[str, dict[str, Any]] = {}
        for trace in httpx.get(base).json()["traces"]:
            for segment in httpx.get(f"{base}/{trace['id']}").json()["segments"]:
                if segment["annotations"]["request_id"] == request_id:
                    found[segment["name"]] = segment
        return found if set(found) >= set(FUNCTIONS) else None

    traced = await until(segments, "the subsegments of the turn")
    assert set(traced) == set(FUNCTIONS)
    for segment in traced.values():
        assert segment["annotations"]["path_type"] == "critical_sync"
    stages = {part["name"] for part in traced["message"]["subsegments"]}
    assert stages >= {"session", "admission", "embedding", "search", "context", "generation", "judgement"}
    assert ENGLISH not in json.dumps(traced)
