"""Where a twin lives: its ports, its addresses and its files; and which environment it holds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.twin.errors import TwinError

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
DEFAULT_PORT_BASE = 4566
SERVICES = ("emulator", "models", "search", "edge", "partners", "catalogue")
PORTS = len(SERVICES) + 1
"""How many ports in a row a twin takes."""
LAST_PORT_BASE = 65_536 - PORTS
REGION = "us-east-1"
ACCOUNT = "000000000000"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@dataclass(frozen=True)
class Held:
    """The environment whose templates a twin holds; one at a time."""

    environment: str = "local"
    profile: str = "standard"

    def __str__(self) -> str:
        return self.environment if self.profile == "standard" else f"{self.environment} ({self.profile})"


LOCAL = Held()


@dataclass(frozen=True)
class Layout:
    """Seven ports from ``port_base`` on, the state directory ``home``, and what it holds."""

    home: Path
    port_base: int = DEFAULT_PORT_BASE
    held: Held = LOCAL

    @classmethod
    def from_environment(
        cls, *, port_base: int | None = None, variables: Mapping[str, str] = os.environ
    ) -> Layout:
        """Read ``TWIN_HOME`` and ``TWIN_PORT_BASE``; an argument wins over the environment."""
        given = port_base if port_base is not None else variables.get("TWIN_PORT_BASE", DEFAULT_PORT_BASE)
        try:
            base = int(given)
        except ValueError:
            base = 0
        if not 1024 <= base <= LAST_PORT_BASE:
            raise TwinError(
                f"{given} is no port base: choose a number from 1024 to {LAST_PORT_BASE} (--port-base)"
            )
        return cls(Path(variables.get("TWIN_HOME") or ROOT / ".twin").resolve(), base)

    @property
    def ports(self) -> dict[str, int]:
        """The HTTP port of each service, by name, in the order they start."""
        return {name: self.port_base + offset for offset, name in enumerate(SERVICES)}

    @property
    def grpc_port(self) -> int:
        """Where the catalogue service speaks gRPC."""
        return self.port_base + len(SERVICES)

    @property
    def all_ports(self) -> dict[str, int]:
        """Every port that a twin listens on, by what listens."""
        return {**self.ports, "catalogue, gRPC": self.grpc_port}

    def url(self, service: str) -> str:
        """Where a service listens."""
        return f"http://{HOST}:{self.ports[service]}"

    def log(self, name: str) -> Path:
        """The log file of a service or a command."""
        return self.home / "logs" / f"{name}.log"

    @property
    def record(self) -> Path:
        """What runs, written when it starts (``state.py``)."""
        return self.home / "twin.json"

    @property
    def lock(self) -> Path:
        """Held by the one command that may change this twin."""
        return self.home / "lock"

    @property
    def assembly(self) -> Path:
        """The synthesized templates and assets."""
        return self.home / "cdk.out"

    @property
    def halfway(self) -> Path:
        """Exists while a deployment is under way, and after one that was cut off."""
        return self.home / "halfway"

    @property
    def outputs(self) -> Path:
        """Stack outputs as the CDK writes them."""
        return self.home / "outputs.json"

    @property
    def feed(self) -> Path:
        """The catalogue's feed, in parts."""
        return self.home / "feed"

    def state_of(self, service: str) -> Path:
        """The state directory of a service."""
        return self.home / service
