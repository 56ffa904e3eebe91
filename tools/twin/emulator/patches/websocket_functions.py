"""Gap: WebSocket routes run functions beside the ordinary executor.

Stock, all invocations of a function wait for one worker, nothing they log reaches CloudWatch Logs, a handler's error
text is sent to the client, and an alias keeps serving old code after a deployment. Here they take the same way as any
other invocation: a worker of their own, logs, metrics, and the version the alias points at.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc


class OrdinaryInvocation:
    """What ``apigateway`` believes to be a worker; it hands the call to the ordinary executor."""

    def __init__(
        self, function: str, config: dict[str, Any], code: bytes, qualifier: str = "$LATEST"
    ) -> None:
        self._record = {"config": config, "code_zip": code}

    def invoke(self, event: dict[str, Any], request_id: str) -> dict[str, Any]:
        """Run the function once; errors carry no text, because the text is for the log."""
        outcome = lambda_svc._execute_function(self._record, event)
        if outcome.get("error") or outcome.get("throttle"):
            return {"status": "error", "error": ""}
        return {"status": "ok", "result": outcome.get("body")}


def apply() -> None:
    """Replace the shared worker; only WebSocket routes ask for one."""
    lambda_runtime.get_or_create_worker = OrdinaryInvocation
