"""Where the browser comes from, and what is said when it comes from nowhere."""

from __future__ import annotations

import pytest

from tests.browser import chromium
from tests.browser.chromium import NoChromium


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A machine without a browser; the list fills with what is tried to get one."""
    tried: list[str] = []

    def run(*command: str) -> bool:
        tried.append(" ".join(command[-2:]))
        return False

    monkeypatch.setattr(chromium, "find", lambda: None)
    monkeypatch.setattr(chromium, "_succeeds", run)
    monkeypatch.setattr(chromium.shutil, "which", lambda name: f"/usr/bin/{name}")
    return tried


def test_a_download_is_tried_before_the_system_is_touched(
    bare_machine: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chromium, "_is_root", lambda: True)
    with pytest.raises(NoChromium):
        chromium.provide()
    assert bare_machine == ["install chromium", "update -qq"]


def test_who_is_not_root_installs_no_packages(
    bare_machine: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chromium, "_is_root", lambda: False)
    with pytest.raises(NoChromium):
        chromium.provide()
    assert bare_machine == ["install chromium"]
    assert "--no-sandbox" not in chromium.arguments()


def test_the_advice_is_one_line(bare_machine: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert chromium.main() == 1
    told = capsys.readouterr().err.strip()
    assert told == chromium.ADVICE
    assert "\n" not in told


def test_a_browser_that_is_there_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chromium, "find", lambda: "/opt/chromium")
    monkeypatch.setattr(chromium, "_succeeds", lambda *command: pytest.fail("nothing is to be installed"))
    assert chromium.provide() == "/opt/chromium"
