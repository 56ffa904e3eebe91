"""How metrics are written, and the request id that holds logs, metrics and traces together."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from mangaassist import tracing
from mangaassist.metrics import BEDROCK_INVOCATION, STREAM_CHUNK_GAP_MS, TURN_COUNT, TURN_ERROR_COUNT
from mangaassist.observability import count, emit, logger, observed, request_id_of
from mangaassist.tracing import PathType
from tests.unit.observability.emitted import emitted

CONTEXT = SimpleNamespace(aws_request_id="lambda-1")
ROOT_ID, PARENT_ID = "1-67891233-abcdef012345678912345678", "53995c3f42cd8ad8"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "staging")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "message")
    monkeypatch.delenv("_X_AMZN_TRACE_ID", raising=False)


class Daemon:
    """An X-Ray daemon that keeps what it hears."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def heard(self) -> list[dict[str, Any]]:
        documents: list[dict[str, Any]] = []
        while True:
            try:
                header, _, document = self._socket.recv(65_536).partition(b"\n")
            except BlockingIOError:
                return documents
            assert json.loads(header) == {"format": "json", "version": 1}
            documents.append(json.loads(document))


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", f"127.0.0.1:{sock.getsockname()[1]}")
        monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={ROOT_ID};Parent={PARENT_ID};Sampled=1")
        yield Daemon(sock)


def test_a_metric_is_published_for_the_environment_and_under_each_of_its_sets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    count(TURN_ERROR_COUNT, intent="faq", error_code="internal")
    (metric,) = emitted(capsys.readouterr().out)
    assert (metric.name, metric.unit, metric.namespace) == ("TurnErrorCount", "Count", "MangaAssist")
    assert metric.values == [1]
    assert metric.dimensions == [["environment"], ["environment", "intent"], ["environment", "error_code"]]
    assert metric.line["environment"] == "staging"
    assert metric.under("intent") == {"intent": "faq"}


def test_a_set_with_an_unknown_dimension_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    count(TURN_COUNT, intent=None)
    (metric,) = emitted(capsys.readouterr().out)
    assert metric.dimensions == [["environment"]]
    assert "intent" not in metric.line


def test_metrics_of_one_moment_share_a_line_and_keep_their_own_dimensions(
    capsys: pytest.CaptureFixture[str],
) -> None:
    emit(
        {TURN_COUNT: 1, BEDROCK_INVOCATION: 1},
        intent="faq",
        task_type="answer_synthesis",
        tier="strong",
        degraded="no",
        model_id="m",
        service_name="message",
    )
    output = capsys.readouterr().out
    assert len(output.splitlines()) == 1
    sets = {metric.name: metric.dimensions for metric in emitted(output)}
    assert sets["TurnCount"] == [["environment"], ["environment", "intent"]]
    assert ["environment", "task_type", "model_id", "service_name"] in sets["BedrockInvocation"]
    assert ["environment", "intent"] not in sets["BedrockInvocation"]


@pytest.mark.parametrize(("values", "lines"), [(0, []), (1, [1]), (100, [100]), (250, [100, 100, 50])])
def test_a_line_carries_at_most_a_hundred_values(
    capsys: pytest.CaptureFixture[str], values: int, lines: list[int]
) -> None:
    emit({STREAM_CHUNK_GAP_MS: list(range(values))})
    found = emitted(capsys.readouterr().out)
    assert [len(metric.values) for metric in found] == lines
    assert [value for metric in found for value in metric.values] == list(range(values))


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"requestContext": {"requestId": "gateway-1"}}, "gateway-1"),
        ({"request_id": "caller-1"}, "caller-1"),
        ({"RequestId": "stack-1"}, "stack-1"),
        ({"requestContext": {"requestId": ""}, "request_id": "caller-1"}, "caller-1"),
        ({"request_id": "x" * 129}, "lambda-1"),
        ({"request_id": 7}, "lambda-1"),
        ({}, "lambda-1"),
        (["no object"], "lambda-1"),
    ],
)
def test_a_request_keeps_the_id_it_came_with(event: Any, expected: str) -> None:
    assert request_id_of(event, CONTEXT) == expected


@pytest.mark.req("OBS-1")
def test_one_id_is_in_the_log_the_metrics_and_the_trace(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, daemon: Daemon
) -> None:
    @observed(PathType.CRITICAL_SYNC)
    def handler(event: dict[str, Any], context: Any) -> str:
        logger().info("working")
        count(TURN_COUNT, intent="faq")
        return "done"

    assert handler({"requestContext": {"requestId": "gateway-1"}}, CONTEXT) == "done"
    assert logger().get_current_keys()["request_id"] == "gateway-1"
    (metric,) = emitted(capsys.readouterr().out)
    assert metric.line["request_id"] == "gateway-1"
    (subsegment,) = daemon.heard()
    assert subsegment["annotations"] == {
        "path_type": "critical_sync",
        "request_id": "gateway-1",
        "environment": "staging",
    }
    assert (subsegment["type"], subsegment["trace_id"], subsegment["parent_id"]) == (
        "subsegment",
        ROOT_ID,
        PARENT_ID,
    )
    assert subsegment["name"] == "message"


@pytest.mark.req("OBS-1")
def test_stages_are_subsegments_with_a_path_type_of_their_own_if_they_have_one(daemon: Daemon) -> None:
    async def stages() -> None:
        async def one(name: str, path_type: PathType | None = None) -> None:
            with tracing.span(name, path_type):
                await asyncio.sleep(0)

        await asyncio.gather(one("search"), one("cover-art", PathType.ASYNC_BACKGROUND))

    with tracing.invocation("message", PathType.CRITICAL_SYNC, "r1"):
        asyncio.run(stages())
        tracing.annotate(intent="faq")
    (whole,) = daemon.heard()
    assert whole["annotations"]["intent"] == "faq"
    assert {part["name"]: part["annotations"]["path_type"] for part in whole["subsegments"]} == {
        "search": "critical_sync",
        "cover-art": "async_background",
    }
    for part in whole["subsegments"]:
        assert part["annotations"]["request_id"] == "r1"
        assert whole["start_time"] <= part["start_time"] <= part["end_time"] <= whole["end_time"]
    assert len({whole["id"], *(part["id"] for part in whole["subsegments"])}) == 3


def test_a_failure_is_a_fault_that_shows_its_class_and_not_its_text(daemon: Daemon) -> None:
    @observed(PathType.ASYNC_BACKGROUND)
    def handler(event: dict[str, Any], context: Any) -> None:
        with tracing.span("search"):
            raise ValueError("my mail is jun@example.com")

    with pytest.raises(ValueError, match="jun"):
        handler({}, CONTEXT)
    (whole,) = daemon.heard()
    assert whole["fault"] is True
    assert whole["cause"]["exceptions"][0]["type"] == "ValueError"
    assert whole["subsegments"][0]["fault"] is True
    assert "jun" not in json.dumps(whole)


@pytest.mark.parametrize(
    "header", ["", f"Root={ROOT_ID};Parent={PARENT_ID};Sampled=0", "nonsense", "Sampled=1"]
)
def test_what_is_not_sampled_is_not_told(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", header)
    with tracing.invocation("message", PathType.CRITICAL_SYNC, "r1"), tracing.span("search"):
        tracing.annotate(intent="faq")
    assert daemon.heard() == []


def test_a_daemon_that_is_not_there_harms_nobody(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", "nowhere")
    with tracing.invocation("message", PathType.CRITICAL_SYNC, "r1"):
        pass


def test_each_request_has_the_environment_to_itself(capsys: pytest.CaptureFixture[str]) -> None:
    @observed(PathType.CRITICAL_SYNC)
    def handler(event: dict[str, Any], context: Any) -> None:
        count(TURN_COUNT, intent="faq")

    handler({"request_id": "r1"}, CONTEXT)
    handler({"request_id": "r2"}, CONTEXT)
    count(TURN_COUNT, intent="faq")
    ids = [metric.line["request_id"] for metric in emitted(capsys.readouterr().out)]
    assert ids == ["r1", "r2", ""]
