"""One twin per environment: the real `cdk deploy`, the real functions, their own roles, sockets of its own."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.e2e.chatting import asked_again
from tools.twin.layout import PORTS, Held
from tools.twin.supervisor import Twin, TwinError


def free_port_base() -> int:
    """The first of enough ports in a row for a twin, and for the one that rehearsals start beside it."""
    for base in range(4900, 5600, 20):
        sockets: list[socket.socket] = []
        try:
            for offset in range(2 * PORTS):
                held = socket.socket()
                sockets.append(held)
                held.bind(("127.0.0.1", base + offset))
        except OSError:
            continue
        else:
            return base
        finally:
            for held in sockets:
                held.close()
    raise RuntimeError("not enough free ports in a row between 4900 and 5600")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on every environment that it names, one twin after the other."""
    if "twin" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("environments")
        metafunc.parametrize("twin", mark.args if mark else ("local",), indirect=True, scope="session")


@pytest.fixture(scope="session")
def twin(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:
    """A fresh twin that holds the environment ``request.param``, with the catalogue loaded."""
    with fresh_twin(tmp_path_factory.mktemp("twin"), Held(request.param)) as running:
        yield running


@contextmanager
def fresh_twin(home: Path, held: Held) -> Iterator[Twin]:
    """A twin in ``home`` that is up inside the context, and the one that commands find meanwhile."""
    environment = {"TWIN_HOME": str(home), "TWIN_PORT_BASE": str(free_port_base())}
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    running = Twin.from_environment(held=held)
    try:
        running.up(fresh=True)
        yield running
    except TwinError as error:
        logs = "\n".join(_tail(path) for path in sorted(Path(home, "logs").glob("*.log")))
        pytest.fail(f"the twin did not start: {error}\n{logs}", pytrace=False)
    finally:
        running.down()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _tail(path: Path) -> str:
    lines = path.read_text(errors="replace").splitlines()[-15:]
    return f"--- {path.name}\n" + "\n".join(lines)


@pytest.fixture(autouse=True)
def no_faults_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Faults of one test must not reach the next."""
    yield
    if "twin" in request.fixturenames:
        request.getfixturevalue("twin").clear_faults()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how often an answer lacked more than its test had broken: on a machine at rest that is a finding."""
    for parts, times in asked_again.most_common():
        terminalreporter.write_line(f"asked again {times} times: an answer lacked {parts} as well")


@pytest.fixture(scope="session")
def aws(twin: Twin) -> Callable[[str], Any]:
    """A boto3 client against the twin's emulator."""

    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=twin.urls().emulator,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    return client
