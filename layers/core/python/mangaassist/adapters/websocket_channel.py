"""Posts frames through API Gateway's @connections callback."""

from __future__ import annotations

import asyncio
from typing import Any

from mangaassist.adapters.errors import translated
from mangaassist.errors import ConnectionGone, DependencyError

DEPENDENCY = "connections"
GONE = ("GoneException", "410")
"""The service's code for a client that left; a bare number when the answer has no body."""


class WebSocketChannel:
    """One client's socket. ``client`` is an apigatewaymanagementapi client of the stage."""

    def __init__(self, client: Any, connection_id: str) -> None:
        self._client = client
        self._connection_id = connection_id

    async def post(self, payload: bytes) -> None:
        """Send one frame.

        Raises:
            ConnectionGone: the client left (410).
            DependencyThrottled: the gateway's request rate is exhausted (429).
            DependencyUnavailable: the gateway failed for the moment; the frame may have arrived all the same.
        """
        await asyncio.to_thread(self._post, payload)

    def _post(self, payload: bytes) -> None:
        try:
            with translated(DEPENDENCY):
                self._client.post_to_connection(ConnectionId=self._connection_id, Data=payload)
        except DependencyError as error:
            if error.reason in GONE:
                raise ConnectionGone(self._connection_id) from None
            raise
