"""Starting, deploying, filling, watching and stopping the twin: the class behind ``mangactl twin`` and ``make``.

``up`` leaves the services running behind it; ``down`` ends them. Whatever goes wrong on the way up, Ctrl-C included,
what was started is stopped again.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import psutil

from tools.twin import deployment, interpreters, loading, processes, stack_outputs
from tools.twin.errors import TwinError
from tools.twin.layout import LOCAL, Held, Layout
from tools.twin.ports import refuse_taken
from tools.twin.services import code_fingerprint, services
from tools.twin.state import Record, alone

MEMORY_BUDGET_BYTES = 1_500_000_000
"""All processes together, Lambda workers included."""

Progress = Callable[[str], None]
__all__ = ["ProcessStatus", "Twin", "TwinError", "TwinStatus"]


def silent(line: str) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class ProcessStatus:
    """One service as it is now; ``memory_bytes`` includes its children, ``workers`` counts them."""

    name: str
    pid: int
    port: int
    is_running: bool
    is_healthy: bool
    memory_bytes: int
    workers: int
    log: str


@dataclass(frozen=True)
class TwinStatus:
    """The whole twin as it is now."""

    home: str
    environment: str
    profile: str
    is_running: bool
    processes: tuple[ProcessStatus, ...]
    memory_bytes: int
    memory_budget_bytes: int
    urls: stack_outputs.Urls

    def as_document(self) -> dict[str, Any]:
        """The JSON form."""
        return asdict(self)


class Twin:
    """One twin: the processes on its ports and the state in its home."""

    def __init__(
        self,
        layout: Layout,
        *,
        make_services: Callable[[Layout], Sequence[processes.Service]] = services,
        deploy_stacks: Callable[[Layout, Progress], None] = deployment.deploy,
        load_data: Callable[[Layout, Progress], None] = loading.load_catalogue,
    ) -> None:
        self.layout = layout
        self._make_services, self._deploy_stacks, self._load_data = make_services, deploy_stacks, load_data

    @classmethod
    def from_environment(cls, *, port_base: int | None = None, held: Held | None = None) -> Twin:
        """The twin of ``TWIN_HOME``, on the ports given here, by ``TWIN_PORT_BASE``, or used the last time.

        Args:
            port_base: first of its ports.
            held: the environment it is to hold; without one, that of the last time.
        """
        layout = Layout.from_environment(port_base=port_base)
        record = Record.read(layout)
        if record and port_base is None and "TWIN_PORT_BASE" not in os.environ:
            layout = replace(layout, port_base=record.port_base)
        return cls(replace(layout, held=held or (record.held if record else LOCAL)))

    # --- life ---------------------------------------------------------------------------------------

    def up(self, *, fresh: bool = False, on_progress: Progress = silent) -> TwinStatus:
        """Start what does not run, deploy what changed, load the catalogue once; the services run on."""
        interpreters.check_python()
        with alone(self.layout), _interruptible():
            record = Record.read(self.layout)
            if record is None or record.port_base != self.layout.port_base:
                # Before anything is stopped or forgotten for a start that cannot be.
                refuse_taken(self.layout.all_ports)
            try:
                self._start(fresh=fresh, on_progress=on_progress)
                with self._emulator_errors():
                    self._deploy_stacks(self.layout, on_progress)
                    self._load_data(self.layout, on_progress)
                self._settle()
            except BaseException:
                self._stop(on_progress=silent)
                raise
        return self.status()

    def deploy(self, *, on_progress: Progress = silent) -> None:
        """Synthesize and deploy what changed onto the running twin."""
        with alone(self.layout), _interruptible():
            self._require_running()
            with self._emulator_errors():
                self._deploy_stacks(self.layout, on_progress)
            self._settle()

    def down(self, *, on_progress: Progress = silent) -> None:
        """Stop every process and make sure that all are gone; the state stays."""
        with alone(self.layout), _interruptible():
            self._stop(on_progress=on_progress)

    def _start(self, *, fresh: bool, on_progress: Progress) -> None:
        record, code = Record.read(self.layout), code_fingerprint()
        wanted_as = (self.layout.port_base, code, self.layout.held)
        is_same = record is not None and (record.port_base, record.code, record.held) == wanted_as
        if record and is_same and not fresh and record.is_whole(self.layout, lambda item: item.is_healthy()):
            on_progress("the twin is running already")
            return
        self._stop(on_progress=on_progress)
        refuse_taken(self.layout.all_ports)
        if reason := self._reason_to_forget(record, fresh=fresh):
            on_progress(f"starting with empty state{reason}")
            self._forget()
        wanted = self._make_services(self.layout)
        on_progress(f"starting {', '.join(service.name for service in wanted)}")
        started: tuple[processes.Running, ...] = ()
        for service in wanted:
            started = (*started, processes.start(service))
            # Written after each start: whatever happens next, the following command finds what runs.
            Record(self.layout.port_base, code, started, self.layout.held).write(self.layout)
        processes.wait_until_healthy(started)

    @contextmanager
    def _emulator_errors(self) -> Iterator[None]:
        """One line for what the SDK says when the emulator refuses or is gone."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError) as error:
            log = self.layout.log("emulator")
            raise TwinError(
                f"the emulator did not do as asked: {' '.join(str(error).split())} (log: {log})"
            ) from error

    def _stop(self, *, on_progress: Progress) -> None:
        record = Record.read(self.layout)
        alive = [process for process in record.processes if process.process()] if record else []
        if record and alive:
            on_progress(f"stopping {', '.join(process.name for process in alive)}")
            processes.stop(alive)
        if record:
            Record(record.port_base, record.code, (), record.held).write(self.layout)

    def _reason_to_forget(self, record: Record | None, *, fresh: bool) -> str:
        if fresh:
            return ", as asked"
        if self.layout.halfway.exists():
            return ": the last deployment was cut off"
        if record is not None and record.port_base != self.layout.port_base:
            return ": what is deployed knows the ports of the last run"
        if record is not None and record.held != self.layout.held:
            return f": it held {record.held}, and now {self.layout.held}"
        return ""

    def _forget(self) -> None:
        for service in ("emulator", "search", "control-plane", "partners"):
            shutil.rmtree(self.layout.state_of(service), ignore_errors=True)
        self.layout.outputs.unlink(missing_ok=True)
        self.layout.halfway.unlink(missing_ok=True)

    def _settle(self) -> None:
        """Have the emulator write its state and let go of the workers that only deploying and loading needed.

        It writes by itself only when it is asked to stop; so even a kill loses nothing of the deployment.
        """
        self.save()
        _call(f"{self.layout.url('emulator')}/_twin/workers", "DELETE")
        self._serve_catalogue()

    def save(self) -> None:
        """Have the emulator write its state now, so that even a kill loses nothing of what was done so far."""
        _call(f"{self.layout.url('emulator')}/_twin/save", "POST")

    # --- seeing -------------------------------------------------------------------------------------

    def status(self) -> TwinStatus:
        """What runs, where, how well and in how much memory."""
        record = Record.read(self.layout)
        rows = [self._status_of(process) for process in record.processes] if record else []
        return TwinStatus(
            home=str(self.layout.home),
            environment=self.layout.held.environment,
            profile=self.layout.held.profile,
            is_running=self.is_running(),
            processes=tuple(rows),
            memory_bytes=sum(row.memory_bytes for row in rows),
            memory_budget_bytes=MEMORY_BUDGET_BYTES,
            urls=self.urls(),
        )

    def _status_of(self, running: processes.Running) -> ProcessStatus:
        family = running.family()
        return ProcessStatus(
            name=running.name,
            pid=running.pid,
            port=self.layout.ports[running.name],
            is_running=bool(family),
            is_healthy=running.is_healthy(),
            memory_bytes=processes.memory_bytes(running),
            workers=max(0, len(family) - 1),
            log=running.log,
        )

    def is_running(self) -> bool:
        """Whether every process of this twin runs."""
        record = Record.read(self.layout)
        return record is not None and record.is_whole(self.layout, lambda item: item.process() is not None)

    def outputs(self) -> dict[str, dict[str, str]]:
        """Stack outputs by concern (``Chat``, ``Web`` …) as the templates state them."""
        return stack_outputs.read(self.layout.outputs)

    def urls(self) -> stack_outputs.Urls:
        """Addresses that work from this machine."""
        return stack_outputs.urls(self.layout)

    # --- faults -------------------------------------------------------------------------------------

    def faults(self) -> dict[str, dict[str, Any]]:
        """The faults in force, by service name, over all servers of the twin."""
        return {
            name: fault
            for server in self._require_running()
            for name, fault in _call(f"{self.layout.url(server)}/_twin/faults")["faults"].items()
        }

    def set_fault(self, service: str, fault: Mapping[str, Any]) -> None:
        """Break ``service`` as ``fault`` says (``tools/twin/faults.py``)."""
        known: list[str] = []
        for server in self._require_running():
            names = _call(f"{self.layout.url(server)}/_twin/faults")["services"]
            if service in names:
                _call(f"{self.layout.url(server)}/_twin/faults/{service}", "PUT", fault)
                return
            known += names
        raise TwinError(f"no service {service!r} in the twin: choose one of {', '.join(sorted(known))}")

    def clear_faults(self, service: str | None = None) -> None:
        """Mend ``service``, or everything."""
        for server in self._require_running():
            _call(f"{self.layout.url(server)}/_twin/faults{'/' + service if service else ''}", "DELETE")

    # --- single processes -----------------------------------------------------------------------------

    def kill(self, name: str) -> None:
        """End one process without a word of warning, as a crash does."""
        with alone(self.layout):
            running = self._process(name)
            if running.process() is None:
                raise TwinError(f"{name} does not run: `mangactl twin revive {name}` starts it")
            members = running.family()
            for member in members:
                member.kill()
            psutil.wait_procs(members, timeout=processes.LEFTOVER_SECONDS)

    def revive(self, name: str) -> None:
        """Start a process that ended, and wait until it is well."""
        with alone(self.layout), _interruptible():
            if self._process(name).process() is not None:
                raise TwinError(f"{name} runs: nothing to revive")
            service = next(each for each in self._make_services(self.layout) if each.name == name)
            started = processes.start(service)
            record = Record.read(self.layout)
            assert record is not None
            alive = tuple(started if each.name == name else each for each in record.processes)
            replace(record, processes=alive).write(self.layout)
            processes.wait_until_healthy((started,))
            # A new catalogue has to find its table, and a new emulator to learn again which keys are the task's.
            if name in ("catalogue", "emulator") and self._process("catalogue").process() is not None:
                self._serve_catalogue()

    def _process(self, name: str) -> processes.Running:
        record = Record.read(self.layout)
        known = {each.name: each for each in record.processes} if record else {}
        if not known:
            raise TwinError("the twin is not running: start it with `make up`")
        if name not in known:
            raise TwinError(f"no process {name!r} in the twin: choose one of {', '.join(sorted(known))}")
        return known[name]

    def _serve_catalogue(self) -> None:
        """Which table is the catalogue's, and the role it is read under, is known since the deployment."""
        _call(f"{self.layout.url('catalogue')}/_twin/reload", "POST", patience_seconds=90)

    def is_usable(self) -> bool:
        """Whether the functions run, whatever else is broken."""
        record = Record.read(self.layout)
        return record is not None and any(
            each.name == "emulator" and each.process() is not None for each in record.processes
        )

    def _require_running(self) -> Sequence[str]:
        """The processes that run; broken ones are left out, as long as the functions run."""
        record = Record.read(self.layout)
        if record is None or not self.is_usable():
            raise TwinError("the twin is not running: start it with `make up`")
        return [each.name for each in record.processes if each.process() is not None]


@contextmanager
def _interruptible() -> Iterator[None]:
    """Treat SIGTERM and SIGHUP as Ctrl-C, so that the clean-up runs whichever way a person or CI ends us."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    previous = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _call(
    url: str, method: str = "GET", document: Mapping[str, Any] | None = None, *, patience_seconds: int = 30
) -> dict[str, Any]:
    body = None if document is None else json.dumps(dict(document)).encode()
    try:
        request = urllib.request.Request(url, body, method=method)
        with urllib.request.urlopen(request, timeout=patience_seconds) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        answer = json.load(error)
        raise TwinError(answer.get("message", f"{url} answered {error.code}")) from None
    except OSError as error:
        raise TwinError(f"{url} does not answer ({error}): see `mangactl twin status`") from None
