"""Around every call of the service: admission, deadline, one vocabulary of failure, a log line and the meters.

Calls over the limit are refused at once instead of queueing. Watches are counted apart, and health and reflection not
at all: a busy server must still be able to say that it is well.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any, Final, cast

import grpc
import grpc.aio

from mangaassist.errors import DependencyError
from services.catalogue import refusals
from services.catalogue.refusals import Refusal
from services.catalogue.telemetry import Meters

DEFAULT_DEADLINE_SECONDS: Final = 5.0
"""For a call that names none."""
LONGEST_DEADLINE_SECONDS: Final = 30.0
LONGEST_REQUEST_ID: Final = 128
REQUEST_ID: Final = "x-request-id"

log = logging.getLogger(__name__)
_deadline: ContextVar[float] = ContextVar("_deadline")


def deadline() -> float:
    """When the caller of this call stops waiting, in monotonic seconds."""
    return _deadline.get()


class Calls(grpc.aio.ServerInterceptor):
    """``service`` is the full name of the service whose calls these are."""

    def __init__(self, service: str, meters: Meters, *, most_calls: int, most_watches: int) -> None:
        self._prefix = f"/{service}/"
        self._meters = meters
        self._most_calls = most_calls
        self._most_watches = most_watches
        self._running = 0
        self._wrapped: dict[str, Any] = {}

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        """The handler of a method, with all this around it."""
        path: str = handler_call_details.method
        if not path.startswith(self._prefix):
            return await continuation(handler_call_details)
        if path not in self._wrapped:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            self._wrapped[path] = self._wrap(path.removeprefix(self._prefix), handler)
        return self._wrapped[path]

    def _wrap(self, method: str, handler: Any) -> Any:
        codecs = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(self._stream(method, handler.unary_stream), **codecs)
        return grpc.unary_unary_rpc_method_handler(self._unary(method, handler.unary_unary), **codecs)

    def _unary(self, method: str, answer: Callable[[Any, Any], Awaitable[Any]]) -> Any:
        async def call(request: Any, context: Any) -> Any:
            began, code = time.monotonic(), "CANCELLED"
            try:
                if self._running >= self._most_calls:
                    raise refusals.too_busy("calls")
                self._running += 1
                try:
                    left = _time_left(context)
                    if left <= 0:
                        raise TimeoutError
                    async with asyncio.timeout(left) as limit:
                        _deadline.set(cast("float", limit.when()))
                        response = await answer(request, context)
                finally:
                    self._running -= 1
                code = "OK"
                return response
            except Exception as error:
                refusal = _refusal(error, method)
                code = refusal.code.name
                await context.abort(refusal.code, refusal.told)
            finally:
                self._ended(method, code, began, context)

        return call

    def _stream(self, method: str, answer: Callable[[Any, Any], AsyncIterator[Any]]) -> Any:
        async def call(request: Any, context: Any) -> AsyncIterator[Any]:
            began, code, planned = time.monotonic(), "CANCELLED", False
            try:
                if self._meters.watchers >= self._most_watches:
                    raise refusals.too_busy("watches")
                self._meters.watchers += 1
                try:
                    async for response in answer(request, context):
                        yield response
                finally:
                    self._meters.watchers -= 1
                code = "OK"
            except Exception as error:
                refusal = _refusal(error, method)
                code, planned = refusal.code.name, refusal.planned
                await context.abort(refusal.code, refusal.told)
            finally:
                self._log(method, code, began, context)
                # How long somebody watched is no latency.
                self._meters.call(method, "OK" if planned else code, None)

        return call

    def _ended(self, method: str, code: str, began: float, context: Any) -> None:
        self._meters.call(method, code, self._log(method, code, began, context))

    def _log(self, method: str, code: str, began: float, context: Any) -> float:
        """Returns how long the call took, in milliseconds."""
        milliseconds = (time.monotonic() - began) * 1000
        if log.isEnabledFor(logging.INFO):
            facts = {
                "method": method,
                "code": code,
                "duration_ms": round(milliseconds, 3),
                "request_id": _request_id(context),
            }
            log.info("call", extra={"facts": facts})
        return milliseconds


def _time_left(context: Any) -> float:
    left: float | None = context.time_remaining()
    return min(DEFAULT_DEADLINE_SECONDS if left is None else left, LONGEST_DEADLINE_SECONDS)


def _refusal(error: Exception, method: str) -> Refusal:
    if isinstance(error, Refusal):
        return error
    if isinstance(error, TimeoutError):
        return Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline passed before there was an answer")
    if isinstance(error, DependencyError):
        log.warning("the table failed", extra={"facts": {"method": method, "reason": error.reason}})
        return refusals.of_dependency(error)
    log.error("defect", exc_info=error, extra={"facts": {"method": method}})
    return Refusal(grpc.StatusCode.INTERNAL, "the catalogue failed on this call")


def _request_id(context: Any) -> str:
    """The caller's, if it is a sane one: it goes into the log."""
    given = cast("Mapping[str, Any]", dict(context.invocation_metadata() or ())).get(REQUEST_ID, "")
    return (
        given if isinstance(given, str) and len(given) <= LONGEST_REQUEST_ID and given.isprintable() else ""
    )
