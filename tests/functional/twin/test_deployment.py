"""Deploying and loading: what is skipped, what is waited for, and what a failure says."""

from __future__ import annotations

import signal
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.functional.twin.emulators import until
from tools.twin import deployment, loading
from tools.twin.errors import TwinError
from tools.twin.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path, 4_000)
    made.log("deploy").parent.mkdir(parents=True)
    return made


# --- fingerprint --------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("app.py", "stacks/chat.py", "lambdas/message/handler.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def digest(project: Path) -> str:
    return deployment.fingerprint(project, ["app.py", "stacks", "lambdas"])


def test_the_fingerprint_follows_content_and_names(project: Path) -> None:
    seen = {digest(project)}
    (project / "lambdas/message/handler.py").write_text("changed")
    seen.add(digest(project))
    (project / "stacks/chat.py").rename(project / "stacks/talk.py")
    seen.add(digest(project))
    (project / "app.py").unlink()
    seen.add(digest(project))
    assert len(seen) == 4


def test_the_fingerprint_ignores_what_running_leaves_behind(project: Path) -> None:
    before = digest(project)
    (project / "lambdas/message/__pycache__").mkdir()
    (project / "lambdas/message/__pycache__/handler.cpython-311.pyc").write_bytes(b"code")
    (project / "stacks/.DS_Store").write_bytes(b"")
    assert digest(project) == before


# --- running the CDK ----------------------------------------------------------------------------------


def cdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put ``script`` in place of the CDK command line."""
    program = tmp_path / "cdk"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(deployment, "CDK", program)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (
            "X | 3/9 | 5:05:43 AM | CREATE_FAILED        | Custom::Page  | Page/Default (Page) Its function said no\n"
            "X | 9/9 | 5:05:43 AM | ROLLBACK_COMPLETE    | AWS::CloudFormation::Stack | X\n"
            "❌  X failed to deploy",
            "Custom::Page | Page/Default (Page) Its function said no",
        ),
        (
            "RuntimeError: Cannot find asset at lambdas/web\n.venv/bin/python app.py: Subprocess exited with error 1",
            "RuntimeError: Cannot find asset at lambdas/web",
        ),
        ("one\ntwo\n", "two"),
        ("", "no output"),
    ],
)
def test_a_failure_says_what_failed_first(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, reason: str
) -> None:
    (tmp_path / "output").write_text(output)
    cdk(tmp_path, monkeypatch, f"cat {tmp_path}/output; exit 1")
    with pytest.raises(TwinError) as failed:
        deployment._cdk(layout, ["deploy"])
    assert str(failed.value) == f"cdk deploy failed: {reason} (log: {layout.log('deploy')})"


def test_progress_is_one_line_a_stack_and_the_log_has_all(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    cdk(
        tmp_path,
        monkeypatch,
        "echo 'MangaAssist-local-Chat: deploying... [1/7]'\n"
        "echo 'MangaAssist-local-Chat | 1/9 | CREATE_COMPLETE | AWS::Lambda::Function'\n"
        "echo ' ✅  MangaAssist-local-Chat'\necho ' ✅  MangaAssist-local-Web (no changes)'",
    )
    deployment._cdk(layout, ["deploy"], on_line=lambda line: deployment._report(line, told.append))
    assert told == ["  Chat", "  Web (no changes)"]
    assert len(layout.log("deploy").read_text().splitlines()) == 4


def test_an_interrupt_ends_the_cdk_and_what_it_started(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cdk(tmp_path, monkeypatch, "sleep 600 & echo child $!; wait")
    children: list[int] = []

    def interrupt(line: str) -> None:
        children.append(int(line.split()[1]))
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        deployment._cdk(layout, ["deploy"], on_line=interrupt)
    until(lambda: not psutil.pid_exists(children[0]) or psutil.Process(children[0]).status() == "zombie")


# --- loading ------------------------------------------------------------------------------------------


class Runs:
    """A catalogue table that answers with the next of a list of run records, the last one for ever."""

    def __init__(self, *records: Mapping[str, str]) -> None:
        self._records = list(records)

    def get_item(self, **request: Any) -> dict[str, Any]:
        assert request["Key"] == {"pk": {"S": "RUN#feed/one.jsonl"}, "sk": {"S": "RUN"}}
        record = self._records.pop(0) if len(self._records) > 1 else self._records[0]
        return {"Item": {name: {"S": value} for name, value in record.items()}} if record else {}


DONE = {"status": "succeeded", "etag": '"new"', "documents": "7"}


def wait(*records: Mapping[str, str], before: Mapping[str, str] | None = None) -> int:
    return loading._wait(Runs(*records), "table", {"feed/one.jsonl": "new"}, {"feed/one.jsonl": before or {}})


def test_loading_waits_for_this_content() -> None:
    assert wait({}, {"status": "running", "etag": "new"}, {"status": "succeeded", "etag": "old"}, DONE) == 7


def test_a_failed_run_is_told_in_its_own_words() -> None:
    failed = {"status": "failed", "etag": "new", "error": "search: throttled"}
    with pytest.raises(TwinError, match=r"feed/one\.jsonl was not loaded: search: throttled"):
        wait({"status": "running"}, failed)


def test_the_failure_of_an_earlier_run_is_not_this_ones() -> None:
    failed = {"status": "failed", "etag": "new", "error": "yesterday"}
    assert wait(failed, {"status": "running"}, DONE, before=failed) == 7


def test_loading_gives_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "DEADLINE_SECONDS", 0)
    with pytest.raises(
        TwinError, match=r"the catalogue was not loaded in 0 s \(feed/one\.jsonl: not started\)"
    ):
        wait({})


def test_the_feed_is_built_once(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    from tools.catalogue import feed

    calls: list[Path] = []

    def write_parts(folder: Path, parts: int) -> list[Path]:
        calls.append(folder)
        paths = [folder / f"{number}.jsonl" for number in range(parts)]
        folder.mkdir(exist_ok=True)
        for path in paths:
            path.touch()
        return paths

    monkeypatch.setattr(feed, "write_parts", write_parts)
    first = loading.feed_parts(layout)
    assert loading.feed_parts(layout) == first
    assert len(calls) == 1
    (layout.home / "feed" / "made-from").write_text("another catalogue")
    assert loading.feed_parts(layout) == first
    assert len(calls) == 2


def test_without_outputs_it_says_what_to_do(layout: Layout) -> None:
    with pytest.raises(TwinError, match="--fresh"):
        loading.load_catalogue(layout, lambda line: None)
