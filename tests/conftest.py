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
    # Travels with the report from a worker to whoever counts.
    outcome.get_result().user_properties.extend(
        ("req", requirement) for mark in item.iter_markers("req") for requirement in mark.args
    )


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or (report.when == "setup" and not report.passed):
        _kinds[_kind(report.nodeid)][report.outcome] += 1
        verdict = "passed" if report.passed else "failed"
        for name, requirement in report.user_properties:
            if name == "req":
                _requirements[str(requirement)][verdict].append(report.nodeid)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _kinds:
        return
    terminalreporter.section("tests by kind")
    for kind, counts in sorted(_kinds.items()):
        told = ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items()))
        terminalreporter.write_line(f"{kind:16} {told}")


def _whole(config: pytest.Config) -> str | None:
    """Which part of the tests was asked for as a whole: what a narrower run leaves out would look unproven."""
    narrowed = any(config.getoption(name, default=None) for name in ("keyword", "markexpr", "lf", "deselect"))
    if narrowed or hasattr(config, "workerinput"):
        return None
    asked = [Path(argument).resolve() for argument in config.args]
    left_out = [Path(path).resolve() for path in config.getoption("ignore", default=None) or ()]
    parts = {
        ((ROOT / "tests",), ()): "all",
        ((ROOT / "tests" / "e2e",), ()): "e2e",
        ((ROOT / "tests",), (ROOT / "tests" / "e2e",)): "others",
    }
    return parts.get((tuple(asked), tuple(left_out)))


def pytest_sessionfinish(session: pytest.Session) -> None:
    part = _whole(session.config)
    if not _kinds or part is None:
        return
    folder = RESULTS / "requirements"
    folder.mkdir(parents=True, exist_ok=True)
    if part == "all":
        for stale in folder.glob("*.json"):
            stale.unlink()
    else:
        (folder / "all.json").unlink(missing_ok=True)
    record = {
        "kinds": {kind: dict(counts) for kind, counts in _kinds.items()},
        "requirements": {key: dict(value) for key, value in sorted(_requirements.items())},
    }
    (folder / f"{part}.json").write_text(json.dumps(record, indent=2) + "\n")
