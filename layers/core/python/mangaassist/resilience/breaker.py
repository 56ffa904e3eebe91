"""Circuit breakers: what is known to be down is not asked (RES-1).

``CircuitBreaker`` is the seam. ``ConsecutiveFailures`` fills it with the one rule of RES-1 that a single execution
environment can judge honestly; the shares of errors and of probing traffic need a window shared between them.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from mangaassist.errors import DependencyError, DependencyUnavailable

FAILURES: Final = 3
WINDOW_SECONDS: Final = 10.0
"""RES-1: so many failures in a row within so long open the circuit."""
OPEN_SECONDS: Final = 10.0
"""How long nothing is sent before the next call may probe."""

Outcome = Literal["answered", "failed", "abandoned"]
"""``abandoned``: the caller left before there was an outcome; it says nothing about the dependency."""


class CircuitOpen(DependencyUnavailable):
    """The dependency failed so often that it was not asked; asking again at once cannot help."""

    def __init__(self, dependency: str) -> None:
        super().__init__(dependency, "circuit open")


class RequestRefused(DependencyError):
    """The dependency works and refuses this very request; it says nothing about the next one."""


class CircuitBreaker(Protocol):
    """Asynchronous, because a shared implementation asks a store."""

    async def admit(self, dependency: str) -> bool:
        """Let a call through, and say whether it probes an open circuit; every admitted call is recorded once.

        Raises:
            CircuitOpen: it must not be made.
        """
        ...

    async def record(self, dependency: str, outcome: Outcome, *, probe: bool) -> None:
        """How an admitted call ended; ``probe`` is what ``admit`` answered."""
        ...


def outcome_of(error: DependencyError) -> Outcome:
    """What an error says about its dependency."""
    return "answered" if isinstance(error, RequestRefused) else "failed"


class AlwaysClosed:
    """Lets everything through."""

    async def admit(self, dependency: str) -> bool:
        """Never a probe."""
        return False

    async def record(self, dependency: str, outcome: Outcome, *, probe: bool) -> None:
        """Nothing to remember."""


@dataclass(slots=True)
class _Circuit:
    failures: deque[float] = field(default_factory=lambda: deque(maxlen=FAILURES))
    """When the last failures in a row happened."""
    opened_at: float | None = None
    probing: bool = False


class ConsecutiveFailures:
    """Three failures in a row within ten seconds open a dependency's circuit, in this process only.

    An open circuit lets one call probe after ``OPEN_SECONDS``: answered, it closes; failed, it stays open as long
    again. Safe to share between threads and event loops.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` counts seconds."""
        self._clock = clock
        self._circuits: dict[str, _Circuit] = {}
        self._lock = threading.Lock()

    async def admit(self, dependency: str) -> bool:
        """Let the call through while the circuit is closed, or as its one probe."""
        with self._lock:
            circuit = self._circuits.setdefault(dependency, _Circuit())
            if circuit.opened_at is None:
                return False
            if circuit.probing or self._clock() - circuit.opened_at < OPEN_SECONDS:
                raise CircuitOpen(dependency)
            circuit.probing = True
            return True

    async def record(self, dependency: str, outcome: Outcome, *, probe: bool) -> None:
        """Count what the call says. Only a probe decides about an open circuit; calls from before do not."""
        with self._lock:
            circuit = self._circuits.setdefault(dependency, _Circuit())
            now = self._clock()
            if probe:
                self._probed(circuit, outcome, now)
            elif circuit.opened_at is not None:
                return
            elif outcome == "answered":
                circuit.failures.clear()
            elif outcome == "failed":
                circuit.failures.append(now)
                if len(circuit.failures) == FAILURES and now - circuit.failures[0] <= WINDOW_SECONDS:
                    circuit.opened_at = now

    def _probed(self, circuit: _Circuit, outcome: Outcome, now: float) -> None:
        circuit.probing = False
        if outcome == "answered":
            circuit.opened_at = None
            circuit.failures.clear()
        elif outcome == "failed":
            circuit.opened_at = now
