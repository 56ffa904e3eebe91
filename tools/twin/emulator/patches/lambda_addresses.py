"""Gap: nothing resolves ``{api}.execute-api.{region}.amazonaws.com`` to the emulator.

Templates name the real hosts, because they are the same templates as on AWS. When a worker starts, such addresses in
its environment become the emulator's; this stands in for DNS.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import os
import re
from typing import Any

from ministack.core import lambda_runtime

EXECUTE_API = re.compile(r"^(https|wss)://([a-z0-9]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com(?=/|$)")
PLAIN = {"https": "http", "wss": "ws"}


def local_address(value: str, port: str) -> str:
    """``value`` with the host of a deployed API replaced by the emulator's; anything else unchanged."""
    return EXECUTE_API.sub(
        lambda match: f"{PLAIN[match[1]]}://127.0.0.1:{port}/_aws/execute-api/{match[2]}", value
    )


def apply() -> None:
    """Rewrite the environment of a worker just before it starts."""
    spawn = lambda_runtime.Worker._spawn
    port = os.environ.get("GATEWAY_PORT", "4566")

    def spawn_with_local_addresses(worker: Any) -> None:
        variables = (worker.config.get("Environment") or {}).get("Variables") or {}
        local = {name: local_address(str(value), port) for name, value in variables.items()}
        worker.config = {**worker.config, "Environment": {"Variables": local}}
        spawn(worker)

    lambda_runtime.Worker._spawn = spawn_with_local_addresses
