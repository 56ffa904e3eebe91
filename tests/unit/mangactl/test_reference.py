"""The help of every command stands in docs/mangactl.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.mangactl.reference import render

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "mangactl.md"


def test_the_committed_reference_is_the_commands() -> None:
    assert REFERENCE.read_text(encoding="utf-8") == render(), "run: make docs"


@pytest.mark.parametrize("columns", ["40", "300"])
def test_the_reference_does_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    here = render()
    monkeypatch.setenv("COLUMNS", columns)
    assert render() == here


def test_every_command_is_in_it() -> None:
    page = render()
    for command in ("policy show", "policy set", "policy apply", "policy validate", "policy history"):
        assert f"# mangactl {command}\n" in page
    for command in ("policy rollback", "chat", "twin up", "twin down", "twin status", "twin fault"):
        assert f"# mangactl {command}\n" in page
