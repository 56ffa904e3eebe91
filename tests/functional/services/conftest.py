"""The model servers as SageMaker starts them: a process of its own, an artefact folder, a port."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.functional.models.conftest import ROOT, STATE, free_port
from tools.twin.models.train import ensure

ATTEMPTS = 600


@dataclass(frozen=True)
class Server:
    """A running model server."""

    process: subprocess.Popen[str]
    http: httpx.Client


def command(*arguments: str, port: int, **variables: str) -> subprocess.Popen[str]:
    """Start a Python process that knows the repository."""
    roots = os.pathsep.join((str(ROOT), str(ROOT / "layers" / "core" / "python")))
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": roots,
            "MODEL_HOST": "127.0.0.1",
            "SAGEMAKER_BIND_TO_PORT": str(port),
            **variables,
        },
        stderr=subprocess.PIPE,
        text=True,
    )


def answers(http: httpx.Client, status: int, process: subprocess.Popen[str]) -> httpx.Response:
    """The first answer of ``/ping`` with this status."""
    transport = httpx.HTTPTransport(retries=8)  # a port that is not open yet
    with httpx.Client(base_url=http.base_url, transport=transport, timeout=20) as patient:
        for _ in range(ATTEMPTS):
            assert process.poll() is None, process.communicate()[1]
            try:
                answer = patient.get("/ping")
            except httpx.TransportError:
                continue
            if answer.status_code == status:
                return answer
    raise AssertionError(f"/ping never said {status}")


Start = Callable[..., AbstractContextManager[Server]]


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """The small models."""
    return ensure(STATE)


@pytest.fixture(scope="session")
def start() -> Start:
    """Start a server from the arguments of a Python interpreter."""

    @contextmanager
    def started(*arguments: str, status: int = 200, **variables: str) -> Iterator[Server]:
        port = free_port()
        process = command(*arguments, port=port, **variables)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:
                answers(http, status, process)
                yield Server(process, http)
        finally:
            if process.poll() is None:
                process.terminate()
                process.communicate(timeout=20)
            if process.stderr is not None:
                process.stderr.close()

    return started


@pytest.fixture(scope="module")
def intent(start: Start, artefacts: Path) -> Iterator[httpx.Client]:
    """The intent classifier."""
    with start("-m", "services.models.intent", MODEL_FOLDER=str(artefacts)) as server:
        yield server.http


@pytest.fixture(scope="module")
def reranker(start: Start, artefacts: Path) -> Iterator[httpx.Client]:
    """The reranker."""
    with start("-m", "services.models.reranker", MODEL_FOLDER=str(artefacts)) as server:
        yield server.http
