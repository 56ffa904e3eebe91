"""Python of the gRPC contracts: messages with their types, and the service's plumbing, as protoc writes them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
PROTO = ROOT / "services" / "catalogue" / "proto"
TARGET = ROOT / "layers" / "core" / "python"
HEADER = "# fmt: off\n# ruff: noqa\n# pyright: basic, reportAttributeAccessIssue=false\n"
"""What is generated is nobody's style; grpcio carries no types."""


def stubs() -> Iterator[tuple[Path, str]]:
    """Each generated file with what it should contain."""
    sources = [str(path.relative_to(PROTO)) for path in sorted(PROTO.rglob("*.proto"))]
    with TemporaryDirectory() as scratch:
        out = [f"--{kind}_out={scratch}" for kind in ("python", "pyi", "grpc_python")]
        command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={PROTO}", *out, *sources]
        subprocess.run(command, cwd=ROOT, check=True)
        for path in sorted(Path(scratch).rglob("*.py*")):
            yield TARGET / path.relative_to(scratch), HEADER + path.read_text("utf-8")
