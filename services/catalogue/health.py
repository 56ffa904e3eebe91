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
SERVICE_UNKNOWN: Final = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class Health(_Library):
    """The library's servicer, which can be closed."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = asyncio.Event()
        self._closed = False

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Any) -> None:
        """Every state of a service, until the client or the server goes."""
        told: int | None = None
        while True:
            changed, closed = self._changed, self._closed
            state = self._server_status.get(request.service, SERVICE_UNKNOWN)
            if state != told:
                await context.write(health_pb2.HealthCheckResponse(status=state))
                told = state
            if closed:
                return
            await changed.wait()

    async def say(self, state: Any, *names: str) -> None:
        """Set the state of these services."""
        for name in names:
            await self.set(name, state)
        self._wake()

    async def close(self) -> None:
        """Say NOT_SERVING from now on, and end the watches."""
        await self.enter_graceful_shutdown()
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
