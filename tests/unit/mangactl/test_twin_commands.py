"""``mangactl twin``: what it asks of the twin, and what it says when there is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tools.mangactl import cli, twin_commands
from tools.twin.errors import TwinError
from tools.twin.layout import LOCAL, Held
from tools.twin.stack_outputs import Urls
from tools.twin.supervisor import ProcessStatus, TwinStatus

Run = Callable[..., tuple[int, str, str]]


class FakeTwin:
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.held = LOCAL
        self.asked: list[Any] = []
        self.broken: dict[str, dict[str, Any]] = {}

    def up(self, *, fresh: bool, on_progress: Callable[[str], None]) -> TwinStatus:
        self.asked.append(("up", fresh))
        on_progress("starting emulator")
        return self.status()

    def down(self, *, on_progress: Callable[[str], None]) -> None:
        self.asked.append("down")

    def status(self) -> TwinStatus:
        process = ProcessStatus("emulator", 42, 4566, True, True, 150_000_000, 3, "/tmp/emulator.log")
        urls = Urls("http://127.0.0.1:4569", "http://127.0.0.1:4566", "m", "s", "ws://127.0.0.1:4566/live")
        return TwinStatus(
            home="/tmp/twin",
            environment=self.held.environment,
            profile=self.held.profile,
            is_running=True,
            processes=(process,),
            memory_bytes=150_000_000,
            memory_budget_bytes=1_500_000_000,
            urls=urls,
        )

    def set_fault(self, service: str, fault: Mapping[str, Any]) -> None:
        if service == "nothing":
            raise TwinError("no service 'nothing' in the twin: choose one of search")
        self.broken[service] = {
            "share": 1.0,
            "delay_ms": 2_000,
            "status": None,
            "match": "",
            "hits": 0,
            **fault,
        }

    def clear_faults(self, service: str | None = None) -> None:
        self.asked.append(("clear", service))
        self.broken.clear()

    def faults(self) -> dict[str, dict[str, Any]]:
        return self.broken


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        return cli.main(("twin", *arguments)), *capsys.readouterr()

    return run


@pytest.fixture
def twin(monkeypatch: pytest.MonkeyPatch) -> FakeTwin:
    fake = FakeTwin()
    monkeypatch.setattr(twin_commands, "running_twin", lambda: fake)

    def found(*, held: Held = LOCAL, **_: object) -> FakeTwin:
        fake.held = held
        return fake

    monkeypatch.setattr(twin_commands.Twin, "from_environment", found)
    return fake


def test_deploy_brings_up_the_twin_with_another_environment(run: Run, twin: FakeTwin) -> None:
    code, out, _ = run("deploy", "--environment", "prod", "--profile", "lean", "--json")
    assert (code, twin.asked, twin.held) == (0, [("up", False)], Held("prod", "lean"))
    assert (json.loads(out)["environment"], json.loads(out)["profile"]) == ("prod", "lean")
    _, out, _ = run("up")
    assert twin.held == LOCAL
    assert "holds   local" in out


@pytest.mark.parametrize("option", [("--environment", "moon"), ("--profile", "rich")])
def test_deploy_knows_the_environments(run: Run, twin: FakeTwin, option: tuple[str, str]) -> None:
    code, _, err = run("deploy", *option)
    assert (code, twin.asked) == (2, [])
    assert option[1] in err


def test_up_keeps_progress_out_of_the_document(run: Run, twin: FakeTwin) -> None:
    code, out, err = run("up", "--fresh", "--json")
    assert (code, twin.asked) == (0, [("up", True)])
    assert json.loads(out)["is_running"] is True
    assert "starting emulator" in err


def test_status_shows_memory_against_its_budget_and_every_address(run: Run, twin: FakeTwin) -> None:
    code, out, _ = run("status")
    assert code == 0
    for told in ("emulator", "healthy", "150 MB of 1500 MB", "ws://127.0.0.1:4566/live"):
        assert told in out


def test_down_stops(run: Run, twin: FakeTwin) -> None:
    assert run("down", "--json")[0] == 0
    assert twin.asked == ["down"]


@pytest.mark.req("OPS-1")
def test_a_fault_is_set_listed_and_cleared(run: Run, twin: FakeTwin) -> None:
    code, out, _ = run("fault", "bedrock-runtime", "delay", "--share", "0.5", "--delay-ms", "800", "--json")
    assert code == 0
    fault = json.loads(out)["faults"]["bedrock-runtime"]
    assert (fault["kind"], fault["share"], fault["delay_ms"]) == ("delay", 0.5, 800)
    assert "800 ms" in run("fault")[1]
    assert run("fault", "--clear")[1].strip() == "no faults"
    assert run("fault", "search", "--clear")[0] == 0
    assert twin.asked == [("clear", None), ("clear", "search")]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("search",), 2, "say how to break it"),
        (("search", "delay", "--clear"), 2, "leave KIND out"),
        (("search", "delay", "--share", "2"), 2, "--share"),
        (("search", "error", "--status", "200"), 2, "--status"),
        (("nothing", "delay"), 1, "no service 'nothing'"),
    ],
)
def test_a_senseless_fault_is_one_line(
    run: Run, twin: FakeTwin, arguments: tuple[str, ...], code: int, message: str
) -> None:
    ran, _, err = run("fault", *arguments)
    assert (ran, len(err.strip().splitlines())) == (code, 1)
    assert message in err
    assert twin.broken == {}


@pytest.mark.parametrize("arguments", [("status",), ("fault",), ("fault", "search", "delay")])
def test_a_twin_that_is_down_says_how_to_start_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("TWIN_HOME", str(tmp_path))
    assert run(*arguments) == (4, "", "mangactl: the twin is not running: start it with `make up`\n")
    code, out, _ = run(*arguments, "--json")
    assert code == 4
    document = json.loads(out)
    assert document.get("is_running") is False or document["error"]["code"] == "unavailable"


def test_a_port_base_that_is_none_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWIN_PORT_BASE", "many")
    code, _, err = run("status")
    assert (code, len(err.strip().splitlines())) == (1, 1)
    assert "many is no port base" in err
