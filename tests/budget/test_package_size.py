"""How much a function brings along: Lambda unpacks it on every cold start."""

from __future__ import annotations

from pathlib import Path

import pytest

from stacks.constructs import bundling
from stacks.constructs.bundling import ROOT, Target

MESSAGE_BUDGET_MB = 80
HANDLER_BUDGET_KB = 64
"""Handlers are thin: what grows belongs in the core layer."""


def _bytes(folder: Path, *, compiled: bool = True) -> int:
    return sum(
        path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and (compiled or "__pycache__" not in path.parts)
    )


def test_message_with_its_layers_stays_in_its_budget() -> None:
    target = Target.for_host()
    parts = {
        "function": _bytes(ROOT / "lambdas" / "message", compiled=False),
        "core": _bytes(bundling.core(target).built()),
        "deps": _bytes(bundling.dependencies(target).built()),
    }
    assert all(parts.values())
    megabytes = sum(parts.values()) / 1_000_000
    assert megabytes < MESSAGE_BUDGET_MB, parts


def test_the_layer_does_without_the_cryptography_package() -> None:
    """15 MB in every function and 50 ms of every handshake's cold start; see decision 5."""
    packages = bundling.dependencies(Target.for_host()).built() / "python"
    assert (packages / "jwt").is_dir()
    assert not (packages / "cryptography").exists()


@pytest.mark.parametrize(
    "folder",
    sorted(path.parent for path in (ROOT / "lambdas").glob("*/handler.py")),
    ids=lambda folder: folder.name,
)
def test_handlers_are_thin(folder: Path) -> None:
    assert _bytes(folder, compiled=False) < HANDLER_BUDGET_KB * 1_000
