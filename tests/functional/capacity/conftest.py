"""The twin's control planes in a thread of this process, with unmodified boto3 clients and adapters in front of them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
import uvicorn
from botocore.config import Config
from starlette.applications import Starlette

from tools.twin.control_plane.app import SERVICES, ControlPlane, service_of
from tools.twin.faults import FaultInjector


@dataclass
class Plane:
    """A running server; ``concurrency`` is what Lambda was told, ``tasks`` what ECS was."""

    url: str
    state: Path
    concurrency: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, int] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """An SDK client that tries once, so that a test sees every failure."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def fault(self, service: str, **fault: Any) -> None:
        """Break a service."""
        httpx.put(f"{self.url}/_twin/faults/{service}", json=fault).raise_for_status()

    def mend(self) -> None:
        """Break nothing any more."""
        httpx.delete(f"{self.url}/_twin/faults").raise_for_status()


@contextmanager
def serving(state: Path) -> Iterator[Plane]:
    """A server whose state is in this folder."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    # Before the server runs: a client that is quicker than its thread waits instead of being refused.
    listener.listen()
    plane = Plane(f"http://127.0.0.1:{listener.getsockname()[1]}", state)

    def set_concurrency(function: str, alias: str, environments: int) -> None:
        plane.concurrency[f"{function}:{alias}"] = environments

    def set_tasks(cluster: str, service: str, tasks: int) -> None:
        plane.tasks[f"{cluster}/{service}"] = tasks

    routes = ControlPlane(state, None, set_concurrency=set_concurrency, set_tasks=set_tasks).routes()
    app = FaultInjector(Starlette(routes=routes), services=SERVICES, service_of=service_of)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield plane
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Plane]:
    """Control planes that were told nothing yet."""
    with serving(tmp_path) as running:
        yield running
