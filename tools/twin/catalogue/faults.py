"""The fault injector for gRPC: what ``tools/twin/faults.py`` does to HTTP, in this protocol's words.

| kind | what the client sees |
| --- | --- |
| delay | the answer, later |
| error | ``INTERNAL`` |
| throttle | ``RESOURCE_EXHAUSTED`` |
| truncate | ``UNAVAILABLE``: the call broke off |
| garbage | bytes that are no message |
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc
import grpc.aio

from tools.twin.faults import GARBAGE, Fault, FaultInjector

SERVICE: Final = "catalogue"
STATUS: Final = {
    "error": grpc.StatusCode.INTERNAL,
    "throttle": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "truncate": grpc.StatusCode.UNAVAILABLE,
}
Handler = Any
"""``grpc.RpcMethodHandler``, which has no type of its own."""


class GrpcFaults(grpc.aio.ServerInterceptor):
    """Applies the injector's fault of service ``catalogue`` to the product's own methods; health is left alone."""

    def __init__(self, injector: FaultInjector, *, package: str) -> None:
        self._injector = injector
        self._prefix = f"/{package}."

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Handler]], handler_call_details: Any
    ) -> Handler:
        """The method's handler, or one that fails as asked."""
        handler = await continuation(handler_call_details)
        path: str = handler_call_details.method
        if handler is None or not path.startswith(self._prefix):
            return handler
        fault = self._injector.take(SERVICE, path)
        return handler if fault is None else _broken(handler, fault)


def _broken(handler: Handler, fault: Fault) -> Handler:
    if fault.kind == "garbage":
        return _like(handler, handler.unary_unary or handler.unary_stream, serialize=lambda _: GARBAGE)

    async def before(context: Any) -> None:
        if fault.kind == "delay":
            await asyncio.sleep(fault.delay_ms / 1000)
        else:
            await context.abort(STATUS[fault.kind], f"injected {fault.kind} of {SERVICE}")

    if handler.unary_unary:

        async def unary(request: Any, context: Any) -> Any:
            await before(context)
            return await handler.unary_unary(request, context)

        return _like(handler, unary)

    async def stream(request: Any, context: Any) -> Any:
        await before(context)
        async for each in handler.unary_stream(request, context):
            yield each

    return _like(handler, stream)


def _like(handler: Handler, behavior: Any, serialize: Callable[[Any], bytes] | None = None) -> Handler:
    make = (
        grpc.unary_unary_rpc_method_handler if handler.unary_unary else grpc.unary_stream_rpc_method_handler
    )
    return make(
        behavior,
        request_deserializer=handler.request_deserializer,
        response_serializer=serialize or handler.response_serializer,
    )
