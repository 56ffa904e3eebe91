"""The two interpreters the twin needs besides its own: the emulator's, with its pinned packages, and the functions'.

They are caches, made from the lock and kept in ``.twin`` of the repository whichever ``TWIN_HOME`` is in use.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.twin.errors import TwinError
from tools.twin.layout import ROOT

CACHE = ROOT / ".twin"
REQUIREMENTS = Path(__file__).parent / "emulator" / "requirements.txt"
OLDEST_PYTHON = (3, 11)


def check_python(version: tuple[int, ...] = sys.version_info[:2]) -> None:
    """Refuse an interpreter that is too old."""
    if version < OLDEST_PYTHON:
        found, wanted = (".".join(map(str, number)) for number in (version, OLDEST_PYTHON))
        raise TwinError(
            f"this is Python {found}, and the twin needs {wanted} or newer: run `make setup` with it"
        )


def emulator_python(*, cache: Path = CACHE, requirements: Path = REQUIREMENTS) -> Path:
    """The emulator's interpreter; its environment is made anew when the pinned packages change."""
    folder = cache / "emulator-venv"
    return _cached(folder, requirements.read_bytes(), lambda: _install(folder, requirements))


def lambda_python(*, cache: Path = CACHE) -> Path:
    """The functions' interpreter: nothing but the standard library, so that only layers and code import."""
    folder = cache / "lambda-venv"
    return _cached(folder, b"", lambda: venv.create(folder, clear=True, with_pip=False))


def _cached(folder: Path, content: bytes, make: Callable[[], object]) -> Path:
    mark, wanted = folder / "made-from", hashlib.sha256(content + sys.version.encode()).hexdigest()
    with _alone(folder.with_suffix(".lock")):
        if not (mark.is_file() and mark.read_text() == wanted):
            shutil.rmtree(folder, ignore_errors=True)
            make()
            mark.write_text(wanted)
    return folder / "bin" / "python"


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(folder: Path, requirements: Path) -> None:
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        raise TwinError("uv is not in the virtual environment: run `make setup`")
    python = str(folder / "bin" / "python")
    _run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)])
    _run([uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", str(requirements)])


def _run(command: list[str]) -> None:
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        reason = next(
            (line for line in finished.stderr.splitlines() if line.strip()), "uv gave no reason"
        ).strip()
        raise TwinError(
            f"the emulator's packages could not be installed ({reason}): check the network and run it again"
        )
