"""The server as a process: how it starts, how it is killed, how it goes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mangaassist.adapters.grpc_catalogue import GrpcProducts, connect
from mangaassist.catalogue_api.v1 import catalogue_pb2 as pb
from mangaassist.catalogue_api.v1 import catalogue_pb2_grpc
from mangaassist.errors import DependencyUnavailable
from tests.functional.catalogue_service.conftest import WAIT_SECONDS, until_serving
from tests.functional.models.conftest import ROOT, free_port

PATIENT_MS = 1_000 * WAIT_SECONDS
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "layers" / "core" / "python"))),
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@dataclass
class Process:
    """A held server (``held_server.py``)."""

    popen: subprocess.Popen[str]
    folder: Path
    target: str
    channel: grpc.Channel

    async def asked(self) -> None:
        """Until a read has begun."""
        while not (self.folder / "asked").exists():
            assert self.popen.poll() is None
            await asyncio.sleep(0.01)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    port = free_port()
    module = "tests.functional.catalogue_service.held_server"
    popen = subprocess.Popen(
        [sys.executable, "-m", module, str(tmp_path), "--port", str(port), "--table", "catalogue"],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        with connect(f"127.0.0.1:{port}") as channel:
            until_serving(channel)
            yield Process(popen, tmp_path, f"127.0.0.1:{port}", channel)
    finally:
        popen.kill()
        popen.communicate()


async def test_a_server_killed_in_mid_call_is_unavailable_at_once(process: Process) -> None:
    call = asyncio.create_task(GrpcProducts(process.channel).get(["B000001001"], deadline_ms=PATIENT_MS))
    await process.asked()
    process.popen.send_signal(signal.SIGKILL)
    with pytest.raises(DependencyUnavailable, match="catalogue: UNAVAILABLE"):
        await call


async def test_sigterm_drains_what_runs_and_ends_watches(process: Process) -> None:
    call = asyncio.create_task(GrpcProducts(process.channel).get(["B000001001"], deadline_ms=PATIENT_MS))
    await process.asked()
    stub: Any = catalogue_pb2_grpc.CatalogueServiceStub(process.channel)
    watch = stub.WatchChanges(pb.WatchChangesRequest(), timeout=WAIT_SECONDS)
    assert next(watch).resume_token
    health: Any = health_pb2_grpc.HealthStub(process.channel)
    states = health.Watch(health_pb2.HealthCheckRequest(), timeout=WAIT_SECONDS)
    assert next(states).status == health_pb2.HealthCheckResponse.SERVING

    process.popen.send_signal(signal.SIGTERM)
    # First of all: who looks at health sends no more calls.
    assert (await asyncio.to_thread(next, states)).status == health_pb2.HealthCheckResponse.NOT_SERVING
    with pytest.raises(grpc.RpcError) as caught:
        await asyncio.to_thread(next, watch)
    error: Any = caught.value
    assert (error.code().name, "watch again with your last" in error.details()) == ("UNAVAILABLE", True)
    # The watch has ended, so the server is draining; the call that was running is still answered.
    (process.folder / "go").touch()
    assert list(await call) == ["B000001001"]
    # Well before the grace of 20 s: idle connections and health watches hold nothing up.
    out, _ = await asyncio.to_thread(process.popen.communicate, None, 15)
    assert process.popen.returncode == 0
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["message"] for line in lines if line.get("message") in ("serving", "stopped")] == [
        "serving",
        "stopped",
    ]
    assert any("CatalogueRequests" in line for line in lines), "what was counted is told before the end"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.catalogue", *arguments],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "give --table or set CATALOGUE_TABLE"),
        (("--table", "t", "--port", "70000"), "'70000' is no port: give 0 to 65535"),
        (("--table", "t", "--poll-seconds", "0"), "'0': give seconds above 0"),
        (("--table", "t", "--most-calls", "-1"), "give a whole number from 1"),
        (("--table", "t", "--tls-key", "key.pem"), "TLS takes both"),
    ],
)
def test_a_wrong_argument_is_told_what_to_give(arguments: tuple[str, ...], told: str) -> None:
    ended = run(*arguments)
    assert (ended.returncode, told in ended.stderr) == (2, True), ended.stderr


def test_a_port_that_is_taken_ends_the_process_with_a_reason(process: Process) -> None:
    ended = run("--table", "catalogue", "--port", process.target.rpartition(":")[2])
    assert ended.returncode == 1
    assert "cannot listen" in ended.stdout
