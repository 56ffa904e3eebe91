"""What stands around every call, without a network."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
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


async def test_other_services_pass_untouched() -> None:
    around = Calls("s.S", Meters(), most_calls=1, most_watches=1)

    async def handler(details: Any) -> str:
        return "as it is"

    method = SimpleNamespace(method="/grpc.health.v1.Health/Check")
    assert await around.intercept_service(handler, method) == "as it is"
