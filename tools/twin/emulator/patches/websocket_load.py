"""Gap: nothing bounds how many invocations WebSocket routes start, and a deeply nested frame closes its connection.

On AWS an account's concurrency and a stage's throttle hold a flood back. Here every invocation is a process of this
machine, so what is over the bound waits for its turn: late, and complete. And a frame that nests too deep to be read
has no route key there, so it goes to ``$default`` as any other that is not JSON.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import threading
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import apigateway

AT_ONCE = 16
"""A worker takes some 50 MB: sixteen of them, and the services beside them, stay inside the twin's memory budget."""

_slots = threading.BoundedSemaphore(AT_ONCE)


def apply() -> None:
    """Bound the invocations of the class that ``websocket_functions`` installed, and catch the recursion."""
    invoke = lambda_runtime.get_or_create_worker.invoke
    select = apigateway._evaluate_route_selection

    def bounded(worker: Any, event: dict[str, Any], request_id: str) -> dict[str, Any]:
        with _slots:
            return invoke(worker, event, request_id)

    def forgiving(expression: str, payload: str) -> str:
        try:
            return select(expression, payload)
        except RecursionError:
            return "$default"

    lambda_runtime.get_or_create_worker.invoke = bounded
    apigateway._evaluate_route_selection = forgiving
