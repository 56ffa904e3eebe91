"""``mangactl capacity``: plan and cost need nothing deployed; prewarm and status speak to the functions and the table."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tools.mangactl import capacity_commands, cli

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        return cli.main(("capacity", *arguments)), *capsys.readouterr()

    return run


@dataclass
class Deployed:
    """An environment whose pre-warm function answers from a list and remembers what it was sent."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    error: bool = False

    def outputs(self, concern: str) -> dict[str, str]:
        return {"PrewarmFunctionName": "prewarm", "CapacityTableName": "capacity"}

    def client(self, service: str) -> Deployed:
        return self

    def invoke(self, *, FunctionName: str, Payload: str) -> dict[str, Any]:
        assert FunctionName == "prewarm:live"
        self.sent.append(json.loads(Payload))
        body = io.BytesIO(json.dumps(self.answers.pop(0)).encode())
        return {"Payload": body, **({"FunctionError": "Unhandled"} if self.error else {})}


def answer(*failed: str) -> dict[str, Any]:
    step = {"wanted": 480, "seen": 480, "attempts": 1, "error": None}
    return {
        "now": "2026-11-26T14:45:00+00:00",
        "windows": ["black-friday-2026"],
        "failed": list(failed),
        "ready": not failed,
        "steps": {"message": {**step, "state": "failed" if failed else "verified"}},
    }


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Deployed:
    place = Deployed()
    monkeypatch.setattr(capacity_commands.Environment, "named", lambda name: place)
    return place


@pytest.mark.req("CAP-1")
def test_plan_lists_what_is_raised_when_and_how_far(run: Run) -> None:
    code, out, _ = run("plan", "-e", "prod", "--from", "2026-11-20", "--days", "10", "--json")
    assert code == 0
    windows = {each["id"]: each for each in json.loads(out)["windows"]}
    assert set(windows) == {"business-hours", "black-friday-2026"}
    friday = windows["black-friday-2026"]
    assert friday["raise_at"] == "2026-11-26T14:45+00:00"
    assert friday["units"]["message"] == 480
    assert friday["capped"] == ["search", "reranker"]
    assert windows["business-hours"]["units"]["message"] == 48


@pytest.mark.req("CAP-4")
def test_plan_sizes_for_a_load(run: Run) -> None:
    code, out, _ = run("plan", "--messages-per-second", "50000", "--sessions", "500000")
    assert code == 0
    for told in ("175,000 answers at once", "210,000", "split over 210 cells"):
        assert told in out


def test_plan_of_an_environment_without_warm_functions(run: Run) -> None:
    document = json.loads(run("plan", "-e", "prod", "--profile", "lean", "--json")[1])
    assert document["base"] == {"search": 0}
    assert "business-hours" not in [each["id"] for each in document["windows"]]


@pytest.mark.req("CAP-4", "CAP-6")
def test_cost_shows_every_environment_standard_and_lean(run: Run) -> None:
    code, out, _ = run("cost", "--json")
    assert code == 0
    document = json.loads(out)
    rows = {(each["environment"], each["profile"]): each for each in document["environments"]}
    assert len(rows) == 8
    prod = rows["prod", "standard"]
    assert prod["idle_usd_per_month"] == pytest.approx(sum(each["usd_per_month"] for each in prod["idle"]))
    assert rows["prod", "lean"]["idle_usd_per_month"] == 0
    low, high = document["published_message_usd"]
    assert low <= prod["message_usd"] <= high
    assert sum(prod["components"].values()) == pytest.approx(prod["message_usd"])
    assert document["unconfirmed_prices"]


@pytest.mark.req("CAP-4")
def test_cost_for_people_names_the_date_and_what_is_unsure(run: Run) -> None:
    _, out, _ = run("cost", "-e", "prod")
    for told in (
        "2026-11-20",
        "not purchasable",
        "reranker endpoint",
        "resolved conversation",
        "ml.g6.xlarge",
    ):
        assert told in out


@pytest.mark.parametrize("arguments", [("-e", "nowhere"), ("-e", "prod", "--profile", "rich")])
def test_an_unknown_environment_is_one_line(run: Run, arguments: tuple[str, ...]) -> None:
    code, _, err = run("cost", *arguments)
    assert (code, err.count("\n")) == (2, 1)


@pytest.mark.req("CAP-1")
@pytest.mark.parametrize(
    ("arguments", "event"),
    [
        ((), {}),
        (("--now", "black-friday-2026"), {"action": "force", "event": "black-friday-2026"}),
        (("--release", "black-friday-2026"), {"action": "release", "event": "black-friday-2026"}),
    ],
)
def test_prewarm_runs_a_tick(
    run: Run, deployed: Deployed, arguments: tuple[str, ...], event: dict[str, str]
) -> None:
    deployed.answers.append(answer())
    code, out, _ = run("prewarm", *arguments)
    assert (code, deployed.sent) == (0, [event])
    assert "verified" in out


def test_a_failed_step_is_a_failed_command(run: Run, deployed: Deployed) -> None:
    deployed.answers.append(answer("message"))
    code, out, err = run("prewarm")
    assert code == 1
    assert "failed" in out
    assert "prewarm-failed.md" in err


def test_what_the_function_refuses_is_one_line(run: Run, deployed: Deployed) -> None:
    deployed.error = True
    deployed.answers.append({"errorMessage": "no event 'x' to come: choose one of winter-sale-2026"})
    code, _, err = run("prewarm", "--now", "x")
    assert code == 1
    assert "winter-sale-2026" in err


def test_forcing_and_releasing_at_once_is_refused(run: Run) -> None:
    assert run("prewarm", "--now", "a", "--release", "b")[0] == 2
