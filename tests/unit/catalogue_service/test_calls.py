"""What stands around every call, without a network."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from mangaassist.errors import DependencyError, DependencyThrottled, DependencyTimeout, DependencyUnavailable
from services.catalogue import calls, refusals
from services.catalogue.calls import DEFAULT_DEADLINE_SECONDS, LONGEST_DEADLINE_SECONDS, Calls
from services.catalogue.telemetry import JsonLines, Meters

Answer = Callable[[Any, Any], Awaitable[Any]]


class Aborted(Exception):
    """The call was ended with this status."""

    def __init__(self, code: grpc.StatusCode, told: str) -> None:
        self.code, self.told = code.name, told
        super().__init__(code.name)


class FakeContext:
    def __init__(self, left: float | None = 1.0, **metadata: str) -> None:
        self.left = left
        self.metadata = [(name.replace("_", "-"), value) for name, value in metadata.items()]

    def time_remaining(self) -> float | None:
        return self.left

    def invocation_metadata(self) -> list[tuple[str, str]]:
        return self.metadata

    async def abort(self, code: grpc.StatusCode, told: str) -> None:
        raise Aborted(code, told)


async def call(answer: Answer, context: FakeContext, *, most: int = 1) -> Any:
    """Through the interceptor, as the server would."""
    around = Calls("s.S", Meters(), most_calls=most, most_watches=1)

    async def handler(details: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(answer)

    wrapped = await around.intercept_service(handler, SimpleNamespace(method="/s.S/Get"))
    return await wrapped.unary_unary("request", context)


async def never(request: Any, context: Any) -> Any:
    raise AssertionError("must not run")


@pytest.mark.parametrize("left", [0.0, -3.0])
async def test_no_work_is_done_past_the_deadline(left: float) -> None:
    with pytest.raises(Aborted) as caught:
        await call(never, FakeContext(left))
    assert caught.value.code == "DEADLINE_EXCEEDED"


@pytest.mark.parametrize(
    ("left", "expected"), [(None, DEFAULT_DEADLINE_SECONDS), (2.0, 2.0), (9_999.0, LONGEST_DEADLINE_SECONDS)]
)
async def test_a_call_knows_when_its_caller_stops_waiting(left: float | None, expected: float) -> None:
    async def answer(request: Any, context: Any) -> float:
        return calls.deadline()

    clock = asyncio.get_running_loop().time
    before = clock()
    assert before + expected <= await call(answer, FakeContext(left)) <= clock() + expected


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (refusals.invalid("send less"), "INVALID_ARGUMENT"),
        (DependencyThrottled("dynamodb", "x"), "RESOURCE_EXHAUSTED"),
        (DependencyTimeout("dynamodb", "x"), "UNAVAILABLE"),
        (DependencyUnavailable("dynamodb", "x"), "UNAVAILABLE"),
        (DependencyError("dynamodb", "x"), "UNAVAILABLE"),
        (RuntimeError("secret words"), "INTERNAL"),
    ],
)
async def test_every_failure_is_a_status_and_a_safe_sentence(
    error: Exception, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(request: Any, context: Any) -> None:
        raise error

    with caplog.at_level(logging.INFO), pytest.raises(Aborted) as caught:
        await call(answer, FakeContext())
    assert caught.value.code == code
    logged = " ".join(JsonLines().format(each) for each in caplog.records)
    assert "secret" not in caught.value.told + logged
    assert f'"code": "{code}"' in logged


@pytest.mark.parametrize(
    ("given", "logged"), [("r-1", "r-1"), ("", ""), ("x" * 129, ""), ("line\nbreak", ""), ("\x1b[31m", "")]
)
async def test_only_a_sane_request_id_reaches_the_log(
    given: str, logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(request: Any, context: Any) -> str:
        return "answer"

    with caplog.at_level(logging.INFO):
        assert await call(answer, FakeContext(x_request_id=given)) == "answer"
    (line,) = [json.loads(JsonLines().format(each)) for each in caplog.records]
    assert line["request_id"] == logged


@pytest.mark.parametrize(
    ("refusal", "code", "errors"),
    [
        (refusals.going_away(), "UNAVAILABLE", []),
        (refusals.of_dependency(DependencyUnavailable("dynamodb", "x")), "UNAVAILABLE", [1]),
    ],
)
async def test_a_watch_has_no_latency_and_ends_with_its_server_without_fault(
    refusal: refusals.Refusal, code: str, errors: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Alarms roll a release back by latency and errors; every release ends the watches of the one before."""
    meters = Meters()
    around = Calls("s.S", meters, most_calls=1, most_watches=1)

    async def changes(request: Any, context: Any) -> AsyncIterator[str]:
        yield "change"
        raise refusal

    async def handler(details: Any) -> Any:
        return grpc.unary_stream_rpc_method_handler(changes)

    wrapped = await around.intercept_service(handler, SimpleNamespace(method="/s.S/Watch"))
    with pytest.raises(Aborted) as caught:
        _ = [each async for each in wrapped.unary_stream("request", FakeContext())]
    assert (caught.value.code, meters.watchers) == (code, 0)
    meters.report(series=1, age_seconds=0)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["CatalogueRequests"] for line in lines if "CatalogueRequests" in line] == [[1]]
    assert [line["CatalogueErrors"] for line in lines if "CatalogueErrors" in line] == [errors][: len(errors)]
    assert not [line for line in lines if "CatalogueLatencyMs" in line]


async def test_other_services_pass_untouched() -> None:
    around = Calls("s.S", Meters(), most_calls=1, most_watches=1)

    async def handler(details: Any) -> str:
        return "as it is"

    method = SimpleNamespace(method="/grpc.health.v1.Health/Check")
    assert await around.intercept_service(handler, method) == "as it is"
