"""Starting the model runtime: what goes wrong is said in one line."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.models.conftest import ROOT, STATE, Runtime, free_port


def start(port: int, state: Path = STATE, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TWIN_")}
    roots = os.pathsep.join((str(ROOT), str(ROOT / "layers" / "core" / "python")))
    return subprocess.run(
        [sys.executable, "-m", "tools.twin.models", "--port", str(port), "--state", str(state)],
        cwd=ROOT,
        env={**kept, "PYTHONPATH": roots, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_taken_port_is_refused_before_anything_else(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        ended = start(port, tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.splitlines() == [
        f"models: port {port} is taken (Address already in use): stop its holder or give another --port"
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"TWIN_LLM_URL": "127.0.0.1:11434", "TWIN_LLM_MODEL": "m"}, "TWIN_LLM_URL is no web address"),
        ({"TWIN_LLM_URL": "http://127.0.0.1:11434"}, "TWIN_LLM_MODEL is not"),
        ({"TWIN_MODELS_FIRST_TOKEN_MS": "soon"}, "give a whole number of milliseconds"),
        ({"TWIN_MODELS_TOKENS_PER_SECOND": "0"}, "give a number of tokens above 0"),
    ],
)
def test_wrong_settings_are_refused(variables: dict[str, str], words: str) -> None:
    ended = start(free_port(), **variables)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert words in line


def test_serving_needs_none_of_the_training_libraries(runtime: Runtime) -> None:
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, tools.twin.models.__main__;"
            "print([m for m in ('sklearn', 'scipy', 'boto3', 'httpx', 'hypothesis') if m in sys.modules])",
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "layers/core/python")))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded.stdout.strip() == "[]"
    assert runtime.control.get("/_twin/health").json()["answered_by"] == "stand-in:twin-composer-1"
