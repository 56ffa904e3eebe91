"""A real search service process for tests, and the real client that talks to it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from botocore.credentials import Credentials
from opensearchpy import OpenSearch, Urllib3AWSV4SignerAuth, Urllib3HttpConnection

ROOT = Path(__file__).parents[3]
START_ATTEMPTS = 600


class Service:
    """``python -m tools.twin.search`` on a free port, with the state directory it was given."""

    def __init__(self, state: Path, *flags: str) -> None:
        self.state, self._flags = state, flags
        self.start()

    def start(self) -> None:
        """Start (again) on the same state; returns once health answers."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = self.state.parent / f"{self.state.name}.log"
        command = [
            sys.executable,
            "-m",
            "tools.twin.search",
            "--port",
            str(self.port),
            "--state",
            str(self.state),
        ]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*command, *self._flags], cwd=ROOT, stdout=log, stderr=log)
        for _ in range(START_ATTEMPTS):
            assert self.process.poll() is None, self.log.read_text()
            try:
                httpx.get(f"{self.url}/_twin/health").raise_for_status()
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError(f"no health: {self.log.read_text()}")

    def kill(self) -> None:
        """SIGKILL: no chance to tidy up."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait()

    def client(self, service: str = "aoss") -> OpenSearch:
        """opensearch-py as the product configures it, with dummy credentials and no retries."""
        signer = Urllib3AWSV4SignerAuth(Credentials("test", "test"), "us-east-1", service)
        return OpenSearch(
            self.url, http_auth=signer, connection_class=Urllib3HttpConnection, max_retries=0, timeout=30
        )

    def control(self, method: str, path: str, **body: Any) -> httpx.Response:
        """A call of the twin's own control API, which needs no signature."""
        return httpx.request(method, f"{self.url}/_twin/{path}", json=body or None)

    def let_writes_appear(self) -> None:
        """Push the service's clock past any visibility delay used here."""
        self.control("POST", "clock", advance_seconds=600).raise_for_status()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
