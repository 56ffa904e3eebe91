"""What a twin remembers between commands: ``twin.json`` (what runs) and the lock (who may change it).

{"port_base": 4566, "code": "<fingerprint of tools/twin>", "processes": [{"name", "pid", "started", ...}],
"held": {"environment": "local", "profile": "standard"}}
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from tools.twin.errors import TwinError
from tools.twin.layout import LOCAL, Held, Layout
from tools.twin.processes import Running


@dataclass(frozen=True)
class Record:
    """The processes of a twin, the ports they were started for, the code they run and what they hold."""

    port_base: int
    code: str
    processes: tuple[Running, ...]
    held: Held = LOCAL

    def is_whole(self, layout: Layout, is_well: Callable[[Running], bool]) -> bool:
        """Whether every service is recorded, and well by this measure."""
        return {item.name for item in self.processes} == set(layout.ports) and all(
            map(is_well, self.processes)
        )

    def write(self, layout: Layout) -> None:
        """Replace the record in one step."""
        layout.home.mkdir(parents=True, exist_ok=True)
        beside = layout.record.with_suffix(".new")
        beside.write_text(json.dumps(asdict(self), indent=2))
        beside.replace(layout.record)

    @classmethod
    def read(cls, layout: Layout) -> Record | None:
        """The record, or ``None`` when there is none or it cannot be read."""
        try:
            document = json.loads(layout.record.read_text())
            processes = tuple(Running(**process) for process in document["processes"])
            held = Held(**document.get("held", {}))
            return cls(document["port_base"], document["code"], processes, held)
        except (OSError, ValueError, KeyError, TypeError):
            return None


@contextmanager
def alone(layout: Layout) -> Iterator[None]:
    """Hold the twin's lock, or raise ``TwinError`` that names the holder."""
    layout.home.mkdir(parents=True, exist_ok=True)
    with layout.lock.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise TwinError(
                f"another command is working on this twin (pid {holder}): wait for it, or stop it with Ctrl-C"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
