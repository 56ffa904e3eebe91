"""Standard health, with watches that end when the server goes: a watch held open would hold up the drain."""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from grpc_health.v1 import health, health_pb2

# The asynchronous half of the library is a module that its types do not export.
_Library: Any = cast(Any, health).aio.HealthServicer

SERVICE_NAME: Final = health.SERVICE_NAME
SERVING: Final = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING


class Health(_Library):
    """The library's servicer, which can be closed."""

    def __init__(self) -> None:
        super().__init__()
        self._closing = asyncio.Event()

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Any) -> None:
        """Every state of a service, until the client or the server goes."""
        states = asyncio.ensure_future(super().Watch(request, context))
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait({states, closing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            states.cancel()
            closing.cancel()
        if self._closing.is_set():
            await context.write(health_pb2.HealthCheckResponse(status=NOT_SERVING))

    async def close(self) -> None:
        """Say NOT_SERVING from now on, and end the watches."""
        await self.enter_graceful_shutdown()
        self._closing.set()
