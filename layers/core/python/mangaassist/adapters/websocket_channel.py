"""Posts frames through API Gateway's @connections callback."""

from __future__ import annotations

import asyncio
from typing import Any

from mangaassist.adapters.errors import translate
from mangaassist.errors import ConnectionGone

DEPENDENCY = "connections"


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
        """
        await asyncio.to_thread(self._post, payload)

    def _post(self, payload: bytes) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client.post_to_connection(ConnectionId=self._connection_id, Data=payload)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("GoneException", "410"):
                raise ConnectionGone(self._connection_id) from None
            raise translate(DEPENDENCY, error) from error
        except BotoCoreError as error:
            raise translate(DEPENDENCY, error) from error
