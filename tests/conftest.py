"""What every kind of test shares: the count by kind and the record of proven requirements.

| kind | what | needs |
| --- | --- | --- |
| unit | pure functions and small classes, fakes driven by a queue | nothing |
| contract | what consumers expect of providers, on both sides (docs/contracts.md) | local sockets |
| functional | one process of ours, or an adapter against moto | local sockets |
| infrastructure | the synthesized templates | Node |
| budget | package size and which modules a handler loads | the built layers |
| browser | the page in headless Chromium against a scripted server | Chromium |
| e2e | the whole twin through a real WebSocket | everything above |
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import settings

# A shared machine stalls now and then; how long an example takes proves nothing.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "test-results"

_kinds: dict[str, Counter[str]] = defaultdict(Counter)
_requirements: dict[str, dict[str, list[str]]] = defaultdict(lambda: {"passed": [], "failed": []})


def _kind(nodeid: str) -> str:
    parts = nodeid.split("/")
    return parts[1] if len(parts) > 2 else "other"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Playwright keeps an event loop running in this thread from its first test on; no async test may follow it.
    items.sort(key=lambda item: _kind(item.nodeid) == "browser")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" or (report.when == "setup" and not report.passed):
        _kinds[_kind(item.nodeid)][report.outcome] += 1
        for mark in item.iter_markers("req"):
            for requirement in mark.args:
                verdict = "passed" if report.passed else "failed"
                _requirements[requirement][verdict].append(item.nodeid)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _kinds:
        return
    terminalreporter.section("tests by kind")
    for kind, counts in sorted(_kinds.items()):
        told = ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items()))
        terminalreporter.write_line(f"{kind:16} {told}")


def _is_whole(config: pytest.Config) -> bool:
    """Whether every test was asked for: the record of a partial run would make proven requirements look open."""
    asked = [Path(argument).resolve() for argument in config.args]
    narrowed = any(config.getoption(name, default=None) for name in ("keyword", "markexpr", "lf", "deselect"))
    return asked == [ROOT / "tests"] and not narrowed


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not _kinds or not _is_whole(session.config):
        return
    RESULTS.mkdir(exist_ok=True)
    record = {
        "kinds": {kind: dict(counts) for kind, counts in _kinds.items()},
        "requirements": {key: dict(value) for key, value in sorted(_requirements.items())},
    }
    (RESULTS / "requirements.json").write_text(json.dumps(record, indent=2) + "\n")
