"""Gap: nothing resolves ``{api}.execute-api.{region}.amazonaws.com`` to the emulator.

Templates name the real hosts, because they are the same templates as on AWS. When a worker starts, such addresses in
its environment become the emulator's.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import os
from typing import Any

from ministack.core import lambda_runtime

from tools.twin.addresses import local_address


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
