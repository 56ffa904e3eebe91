"""Which modules a function loads when it starts: the ceiling is a list, never a clock."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

HEAVY = {
    "pydantic",
    "opensearchpy",
    "requests",
    "jwt",
    "boto3",
    "botocore",
    "asyncio",
    "aws_xray_sdk",
    "numpy",
}

ALLOWED_AT_IMPORT: dict[str, set[str]] = {
    # Importing a handler loads no SDK: collaborators are built on first use. Only `message` and `guardrail` have models
    # of what they are sent.
    "authorizer": {"jwt"},
    "connect": set(),
    "disconnect": set(),
    "guardrail": {"pydantic", "asyncio"},
    "guest_token": {"jwt"},
    "message": {"pydantic", "asyncio"},
}


@pytest.mark.parametrize("name", sorted(ALLOWED_AT_IMPORT))
def test_a_handler_imports_no_more_than_it_must(name: str) -> None:
    loaded = _modules_after(f"import lambdas.{name}.handler")
    assert HEAVY & loaded <= ALLOWED_AT_IMPORT[name]


def test_the_package_itself_imports_nothing() -> None:
    bare = _modules_after("pass")
    assert _modules_after("import mangaassist, mangaassist.chat, mangaassist.adapters") - bare == {
        "mangaassist"
    }


def test_the_first_suggestions_load_their_code_and_lists_beside_the_loop() -> None:
    told = _printed("""
import asyncio, sys, threading
from mangaassist.chat.stopwatch import Stopwatch
from mangaassist.protocol import ContextHints
from tests.fakes.store import FakeStore

def watch(event, given):
    if event in ("import", "open") and threading.current_thread() is threading.main_thread():
        if "mangaassist.recommendations" in str(given[0]) or "popularity.json" in str(given[0]):
            print("on the loop:", given[0])

async def main():
    store = FakeStore()
    suggestions = store.suggestions(store.shelves())
    history = asyncio.get_running_loop().create_future()
    history.set_result([])
    for name in [name for name in sys.modules if name.startswith("mangaassist.recommendations")]:
        del sys.modules[name]
    sys.addaudithook(watch)
    await suggestions.of("horror", ContextHints(), "guest-1", history, Stopwatch(60_000))
    print("mangaassist.recommendations.recommendations" in sys.modules)

asyncio.run(main())
""")
    assert told.splitlines() == ["True"]


def _modules_after(statement: str) -> set[str]:
    """Top-level modules loaded in a fresh interpreter after ``statement``."""
    return set(
        _printed(f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})").split()
    )


def _printed(code: str) -> str:
    """What a fresh interpreter prints."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "layers/core/python")]),
        "POWERTOOLS_SERVICE_NAME": "budget",
        "POWERTOOLS_METRICS_NAMESPACE": "MangaAssist",
    }
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, cwd=ROOT
    )
    return ran.stdout
