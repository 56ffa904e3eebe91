"""Starting, watching and ending the twin's processes.

Every service runs in a session of its own, so that Ctrl-C reaches the supervisor alone, and with its output in a log
file. A process is known by its id and its start time: ids are reused.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tools.twin.errors import TwinError

HEALTH_DEADLINE_SECONDS = 180
"""The model runtime trains its small models on its first start: 13 s of one free core, minutes on a busy machine."""
STOP_DEADLINE_SECONDS = 20
LEFTOVER_SECONDS = 3
SAME_START_SECONDS = 0.5
POLL_SECONDS = 0.05
LOG_LINES_SHOWN = 8


_started: list[subprocess.Popen[bytes]] = []
"""Services outlive the command that starts them; a forgotten ``Popen`` would warn that its process still runs."""


@dataclass(frozen=True)
class Service:
    """How to start one process and where to ask whether it is well."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    health: str
    log: Path
    folder: Path


@dataclass(frozen=True)
class Running:
    """A process that was started: enough to find it again, and to notice that it is another one."""

    name: str
    pid: int
    started: float
    health: str
    log: str

    def process(self) -> psutil.Process | None:
        """The process, if it still runs."""
        try:
            process = psutil.Process(self.pid)
            is_same = abs(process.create_time() - self.started) < SAME_START_SECONDS
            return process if is_same and _is_no_zombie(process) else None
        except psutil.NoSuchProcess:
            return None

    def is_healthy(self, timeout_seconds: float = 2.0) -> bool:
        """Whether it runs and says that it is well."""
        return self.process() is not None and _answers(self.health, timeout_seconds)

    def family(self) -> list[psutil.Process]:
        """The process and all its descendants, Lambda workers included."""
        process = self.process()
        if process is None:
            return []
        try:
            return [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def start(service: Service) -> Running:
    """Start a service and return at once."""
    service.log.parent.mkdir(parents=True, exist_ok=True)
    with service.log.open("ab") as log:
        try:
            process = subprocess.Popen(
                service.command,
                env=dict(service.environment),
                cwd=service.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise TwinError(f"{service.name} did not start: {error}") from error
    _started.append(process)
    started = psutil.Process(process.pid).create_time()
    return Running(service.name, process.pid, started, service.health, str(service.log))


def wait_until_healthy(
    running: Iterable[Running], *, deadline_seconds: float = HEALTH_DEADLINE_SECONDS
) -> None:
    """Return when all are healthy; raise as soon as one has ended or the deadline has passed."""
    deadline = time.monotonic() + deadline_seconds
    for service in running:
        while not service.is_healthy():
            if service.process() is None:
                raise TwinError(f"{service.name} ended at once: {last_words(service.log)}")
            if time.monotonic() > deadline:
                raise TwinError(
                    f"{service.name} did not become healthy in {deadline_seconds:.0f} s: "
                    f"{last_words(service.log)}"
                )
            time.sleep(POLL_SECONDS)


def stop(running: Sequence[Running], *, deadline_seconds: float = STOP_DEADLINE_SECONDS) -> None:
    """Ask all to end, in the reverse order of their start, and make sure that they and their children did.

    The services get the deadline, because the emulator writes its state; what they leave behind gets less.
    """
    families = [member for service in running for member in service.family()]
    _end([process for service in reversed(running) if (process := service.process())], deadline_seconds)
    _end(_alive(families), LEFTOVER_SECONDS)
    _end(_alive(families), LEFTOVER_SECONDS, signal.SIGKILL)
    _started[:] = [process for process in _started if process.poll() is None]
    alive = _alive(families)
    if alive:
        pids = ", ".join(str(process.pid) for process in alive)
        raise TwinError(f"these processes of the twin do not end: {pids}; end them by hand (kill -9)")


def memory_bytes(running: Running) -> int:
    """Resident memory of the process and its descendants; pages they share count once per process."""
    total = 0
    for process in running.family():
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def last_words(log: str | Path) -> str:
    """Where the log is, and its last line that says something."""
    path = Path(log)
    lines = path.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:] if path.is_file() else []
    words = next((line.strip() for line in reversed(lines) if line.strip()), "nothing was logged")
    return f"{words} (log: {path})"


def base_environment(**extra: str) -> dict[str, str]:
    """A small environment for a service: what it needs to run, and nothing that happens to be exported."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "VIRTUAL_ENV")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    return {"LANG": "C.UTF-8", **environment, "PYTHONUNBUFFERED": "1", **extra}


def _end(asked: Sequence[psutil.Process], patience_seconds: float, number: int = signal.SIGTERM) -> None:
    for process in asked:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
    psutil.wait_procs(asked, timeout=patience_seconds)


def _alive(asked: Iterable[psutil.Process]) -> list[psutil.Process]:
    return [process for process in asked if process.is_running() and _is_no_zombie(process)]


def _is_no_zombie(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _answers(url: str, timeout_seconds: float) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=timeout_seconds) as response:
            return response.status == 200
    except (OSError, urllib.error.URLError, ValueError):
        return False
