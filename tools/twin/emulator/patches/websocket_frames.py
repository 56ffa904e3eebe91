"""Gap: frames of one connection are handled strictly one after another, and a route's return value is sent back.

On AWS each frame starts its own invocation at once, a proxy integration's return value goes nowhere unless the route
has a response, and a failed invocation answers ``{"message": "Internal server error", ...}``.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
import json
from typing import Any

from ministack.services import apigateway


def apply() -> None:
    """Run message routes as tasks beside the connection's reading loop."""
    route_invocation = apigateway._invoke_ws_lambda
    running: set[asyncio.Task[None]] = set()

    async def invoke(*arguments: Any, **options: Any) -> Any:
        _api, _account, _region, _route, _stage, connection_id, event_type, message_id, *_ = arguments
        if event_type != "MESSAGE":
            return await route_invocation(*arguments, **options)

        async def answer() -> None:
            result = await route_invocation(*arguments, **options)
            connection = apigateway._ws_connections.get(connection_id)
            if connection and (result or {}).get("statusCode") == 500:
                frame = {
                    "message": "Internal server error",
                    "connectionId": connection_id,
                    "requestId": message_id,
                }
                await connection["outbox"].put(json.dumps(frame))

        task = asyncio.create_task(answer())
        running.add(task)
        task.add_done_callback(running.discard)
        return None

    apigateway._invoke_ws_lambda = invoke
