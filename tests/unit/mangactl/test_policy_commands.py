"""``mangactl policy`` from the keyboard's side: what is refused, what changes, what is told."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

from mangaassist.generation.policy import POLICY_FILE, parse_policy
from stacks.environments import environment_named
from tests.unit.mangactl.appconfig import FakeAppConfig
from tools.mangactl import cli
from tools.mangactl.environments import Environment

BUILT_IN = POLICY_FILE.read_text(encoding="utf-8")
OUTPUTS = {
    "PolicyApplicationId": "app1234",
    "PolicyEnvironmentId": "env1234",
    "PolicyProfileId": "pro1234",
    "InstantStrategyId": "ins1234",
    "GradualStrategyId": "gra1234",
}


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> Ran:
        code = cli.main(arguments)
        return Ran(code, *capsys.readouterr())

    return run


@pytest.fixture
def appconfig(monkeypatch: pytest.MonkeyPatch) -> FakeAppConfig:
    """Every environment finds this AppConfig, seeded with the built-in policy."""
    fake = FakeAppConfig()
    fake.deploy(BUILT_IN, description="seed")

    class Deployed(Environment):
        def client(self, service: str) -> Any:
            assert service == "appconfig"
            return fake

        def outputs(self, concern: str) -> dict[str, str]:
            assert concern == "ModelPolicy"
            return OUTPUTS

        def actor(self) -> str:
            return "the tester"

    monkeypatch.setattr(Environment, "named", lambda name: Deployed(environment_named(name)))
    return fake


def in_force(appconfig: FakeAppConfig) -> Any:
    number = max(number for number, each in appconfig.deployments.items() if each["State"] == "COMPLETE")
    version = int(appconfig.deployments[number]["ConfigurationVersion"])
    return parse_policy(appconfig.versions[version]["Content"])


# --- set ------------------------------------------------------------------------------------------


@pytest.mark.req("OPS-1", "OPS-2")
def test_set_flips_a_task_and_keeps_who_when_and_why(run: Run, appconfig: FakeAppConfig) -> None:
    ran = run("policy", "set", "answer_synthesis", "economy", "--reason", "drill")
    assert ran.code == 0, ran.err
    chain = [choice.tier for choice in in_force(appconfig).chain("answer_synthesis")]
    assert chain == ["economy", "strong_fallback"]
    note = json.loads(appconfig.versions[2]["Description"])
    assert (note["change"], note["reason"], note["actor"]) == (
        "set answer_synthesis economy",
        "drill",
        "the tester",
    )
    assert note["at"].endswith("+00:00")
    assert '-      "tier": "strong"' in ran.out
    assert '+      "tier": "economy"' in ran.out
    assert "version 2" in ran.out


def test_set_can_name_the_chain(run: Run, appconfig: FakeAppConfig) -> None:
    arguments = ("judge", "economy", "--fallback", "economy_fallback, strong", "--reason", "drill")
    assert run("policy", "set", *arguments).code == 0
    assert in_force(appconfig).tasks["judge"].tiers == ("economy", "economy_fallback", "strong")


def test_a_tier_that_leaves_nobody_behind_it_gets_the_one_it_replaced(
    run: Run, appconfig: FakeAppConfig
) -> None:
    assert run("policy", "set", "judge", "strong_fallback", "--reason", "drill").code == 0
    assert in_force(appconfig).tasks["judge"].tiers == ("strong_fallback", "strong")


def test_setting_what_is_set_changes_nothing(run: Run, appconfig: FakeAppConfig) -> None:
    ran = run("policy", "set", "answer_synthesis", "strong", "--reason", "drill", "--json")
    assert (ran.code, ran.document["changed"], ran.document["version"]) == (0, False, 1)
    assert appconfig.changes == []


@pytest.mark.req("OPS-1")
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("answer_synthesys", "economy", "--reason", "x"), 2, "unknown task 'answer_synthesys'"),
        (("answer_synthesis", "cheap", "--reason", "x"), 2, "unknown tier 'cheap'"),
        (("answer_synthesis", "economy", "--fallback", "cheap", "--reason", "x"), 2, "unknown tier 'cheap'"),
        (("answer_synthesis", "economy", "--reason", ""), 2, "--reason is empty"),
        (("answer_synthesis", "economy", "--reason", "  "), 2, "--reason is empty"),
        (("answer_synthesis", "economy", "--reason", "x" * 501), 2, "--reason has 501 characters"),
        (("answer_synthesis", "economy"), 2, "--reason"),
        (("answer_synthesis", "economy", "--fallback", "", "--reason", "x"), 3, "fallback is empty"),
        (("answer_synthesis", "economy", "--fallback", "economy", "--reason", "x"), 3, "more than once"),
        (("summarization", "strong", "--reason", "x"), 3, "add a waiver"),
    ],
)
def test_a_senseless_set_is_refused_in_one_line_before_anything_changes(
    run: Run, appconfig: FakeAppConfig, arguments: tuple[str, ...], code: int, message: str
) -> None:
    ran = run("policy", "set", *arguments)
    assert ran.code == code
    assert message in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert appconfig.changes == []


def test_a_waiver_lets_a_strong_tier_do_a_cheap_task(run: Run, appconfig: FakeAppConfig) -> None:
    arguments = ("summarization", "strong", "--waiver", "comparing quality", "--reason", "drill")
    assert run("policy", "set", *arguments).code == 0
    assert in_force(appconfig).tasks["summarization"].waiver == "comparing quality"


def test_a_flip_that_meets_another_says_conflict(
    run: Run, appconfig: FakeAppConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def somebody_else_flips(*_: Any) -> None:
        appconfig.deploy(BUILT_IN.replace("800", "801"))

    monkeypatch.setattr("tools.mangactl.policy_commands._confirm", somebody_else_flips)
    ran = run("policy", "set", "judge", "economy", "--reason", "drill")
    assert ran.code == 5
    assert "run the command again" in ran.err
    assert sorted(appconfig.versions) == [1, 2]


@pytest.mark.parametrize(("answer", "code", "flips"), [(True, 0, 1), (False, 1, 0)])
def test_a_person_is_shown_the_difference_and_asked(
    run: Run, appconfig: FakeAppConfig, monkeypatch: pytest.MonkeyPatch, answer: bool, code: int, flips: int
) -> None:
    questions: list[str] = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(typer, "confirm", lambda text: questions.append(text) or answer)
    ran = run("policy", "set", "judge", "economy", "--reason", "drill")
    assert ran.code == code
    assert questions == ["Do this in local?"]
    assert '+      "tier": "economy"' in ran.out
    assert appconfig.changes.count("start_deployment") == flips


def test_nobody_is_asked_with_yes(
    run: Run, appconfig: FakeAppConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(typer, "confirm", lambda text: pytest.fail("asked"))
    assert run("policy", "set", "judge", "economy", "--reason", "drill", "--yes").code == 0


def test_prod_is_never_changed_unasked(run: Run, appconfig: FakeAppConfig) -> None:
    arguments = ("policy", "set", "judge", "economy", "--reason", "drill", "--environment", "prod")
    ran = run(*arguments)
    assert (ran.code, appconfig.changes) == (2, [])
    assert "--yes" in ran.err
    assert run(*arguments, "--yes").code == 0


@pytest.mark.parametrize(("option", "strategy"), [((), "ins1234"), (("--gradual",), "gra1234")])
def test_a_flip_is_instant_unless_told_otherwise(
    run: Run,
    appconfig: FakeAppConfig,
    monkeypatch: pytest.MonkeyPatch,
    option: tuple[str, ...],
    strategy: str,
) -> None:
    used: list[str] = []
    start = appconfig._start_deployment  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(
        appconfig,
        "_start_deployment",
        lambda **arguments: used.append(arguments["DeploymentStrategyId"]) or start(**arguments),
    )
    assert run("policy", "set", "judge", "economy", "--reason", "drill", *option).code == 0
    assert used == [strategy]


def test_a_gradual_flip_waits_its_turn(run: Run, appconfig: FakeAppConfig) -> None:
    running = appconfig.deploy(BUILT_IN, state="BAKING")
    ran = run("policy", "set", "judge", "economy", "--reason", "drill", "--gradual")
    assert (ran.code, appconfig.changes) == (5, [])
    assert f"deployment {running} is BAKING" in ran.err


def test_an_instant_flip_says_what_it_will_stop(run: Run, appconfig: FakeAppConfig) -> None:
    running = appconfig.deploy(BUILT_IN, state="DEPLOYING")
    ran = run("policy", "set", "judge", "economy", "--reason", "drill")
    assert (ran.code, appconfig.deployments[running]["State"]) == (0, "ROLLED_BACK")
    assert f"! deployment {running} will be stopped" in ran.out


# --- apply and validate ---------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "policy.json"


@pytest.mark.req("OPS-2", "GEN-2")
def test_apply_puts_a_whole_document_in_force(run: Run, appconfig: FakeAppConfig, file: Path) -> None:
    file.write_text(BUILT_IN.replace("800", "700"), encoding="utf-8")
    assert run("policy", "apply", str(file), "--reason", "shorter answers").code == 0
    policy = in_force(appconfig)
    assert policy.tasks["answer_synthesis"].max_tokens == 700
    assert policy.version_note == "apply policy.json: shorter answers"


@pytest.mark.req("GEN-2")
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not JSON"),
        ("{}", "tasks is missing"),
        (BUILT_IN.replace("claude-sonnet-5-5", "claude-sonnet-latest"), "floating alias"),
        (BUILT_IN.replace('"judge"', '"jugde"'), "tasks.jugde is not a task"),
    ],
)
def test_a_document_that_breaks_the_rules_is_refused_before_anything_changes(
    run: Run, appconfig: FakeAppConfig, file: Path, text: str, problem: str
) -> None:
    file.write_text(text, encoding="utf-8")
    for command in (("apply", str(file), "--reason", "drill"), ("validate", str(file))):
        ran = run("policy", *command, "--json")
        assert ran.code == 3
        assert ran.document["error"]["code"] == "policy_refused"
        assert any(problem in found for found in ran.document["error"]["problems"])
    assert appconfig.calls == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("global.anthropic.claude-sonnet-5-5", "us.anthropic.claude-sonnet-5-5"), "only invoke global."),
        (
            ("global.anthropic.claude-sonnet-5-5", "global.anthropic.claude-sonnet-4-5-20250929-v1:0"),
            "legacy model",
        ),
        (('"dimensions": 1024', '"dimensions": 512'), "needs a new index"),
    ],
)
def test_what_the_environment_cannot_do_is_refused_before_anything_changes(
    run: Run, appconfig: FakeAppConfig, file: Path, change: tuple[str, str], problem: str
) -> None:
    file.write_text(BUILT_IN.replace(*change), encoding="utf-8")
    ran = run("policy", "apply", str(file), "--reason", "drill")
    assert (ran.code, appconfig.changes) == (3, [])
    assert problem in ran.err


def test_validate_needs_no_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(BUILT_IN))
    ran = run("policy", "validate", "-", "--json")
    assert (ran.code, ran.document["valid"]) == (0, True)
    assert ran.document["policy_version"] == parse_policy(BUILT_IN).fingerprint


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xfa"])
def test_a_file_that_cannot_be_read_is_a_wrong_argument(run: Run, file: Path, content: bytes | None) -> None:
    if content is not None:
        file.write_bytes(content)
    ran = run("policy", "validate", str(file))
    assert ran.code == 2
    assert str(file) in ran.err


# --- show, history, rollback ----------------------------------------------------------------------


@pytest.mark.req("OPS-1")
def test_show_tells_what_is_in_force_and_why(run: Run, appconfig: FakeAppConfig) -> None:
    run("policy", "set", "judge", "economy", "--reason", "drill")
    ran = run("policy", "show", "--json")
    shown = ran.document
    assert shown["document"]["tasks"]["judge"]["tier"] == "economy"
    assert (shown["version"], shown["deployment"]["reason"], shown["running"]) == (2, "drill", None)
    assert shown["policy_version"] == in_force(appconfig).fingerprint
    listed = run("policy", "show").out
    assert "global.anthropic.claude-haiku-5-5" in listed
    assert "drill" in listed


def test_show_tells_of_a_deployment_under_way(run: Run, appconfig: FakeAppConfig) -> None:
    appconfig.deploy(BUILT_IN, state="DEPLOYING")
    assert run("policy", "show", "--json").document["running"]["state"] == "DEPLOYING"
    assert "deployment 2 of version 2 is DEPLOYING" in run("policy", "show").out


@pytest.mark.req("OPS-1")
def test_rollback_puts_the_version_before_in_force_and_writes_none(
    run: Run, appconfig: FakeAppConfig
) -> None:
    run("policy", "set", "answer_synthesis", "economy", "--reason", "drill")
    ran = run("policy", "rollback", "--json")
    assert (ran.code, ran.document["version"], ran.document["changed"]) == (0, 1, True)
    assert in_force(appconfig).tasks["answer_synthesis"].tier == "strong"
    assert sorted(appconfig.versions) == [1, 2]
    again = run("policy", "rollback", "--json")
    assert again.document["version"] == 2


def test_rollback_to_a_version_of_choice(run: Run, appconfig: FakeAppConfig) -> None:
    for tier in ("economy", "strong_fallback"):
        run("policy", "set", "answer_synthesis", tier, "--reason", "drill")
    assert run("policy", "rollback", "--to", "1", "--json").document["version"] == 1
    missing = run("policy", "rollback", "--to", "9")
    assert (missing.code, "no version 9" in missing.err) == (4, True)
    assert run("policy", "rollback", "--to", "1", "--json").document["changed"] is False


def test_rollback_of_a_running_deployment_stops_it(run: Run, appconfig: FakeAppConfig) -> None:
    running = appconfig.deploy(BUILT_IN.replace("800", "900"), state="DEPLOYING")
    assert run("policy", "rollback", "--json").document["version"] == 1
    assert appconfig.deployments[running]["State"] == "ROLLED_BACK"
    assert appconfig.changes == ["stop_deployment"]


def test_rollback_with_nothing_behind_it_says_so(run: Run, appconfig: FakeAppConfig) -> None:
    ran = run("policy", "rollback")
    assert ran.code == 4
    assert "nothing to go back to" in ran.err


def test_rollback_does_not_go_back_to_what_is_no_longer_allowed(run: Run, appconfig: FakeAppConfig) -> None:
    appconfig.deploy("{}")
    appconfig.deploy(BUILT_IN)
    ran = run("policy", "rollback")
    assert (ran.code, appconfig.changes) == (3, [])


@pytest.mark.req("OPS-1")
def test_history_lists_the_newest_first_with_its_reason(run: Run, appconfig: FakeAppConfig) -> None:
    run("policy", "set", "judge", "economy", "--reason", "first")
    run("policy", "rollback", "--reason", "second")
    rows = run("policy", "history", "--json").document["history"]
    assert [row["reason"] for row in rows] == ["second", "first", ""]
    assert [row["in_force"] for row in rows] == [True, False, False]
    assert rows[0]["change"] == "rollback to version 1"
    assert len(run("policy", "history", "--json", "--limit", "1").document["history"]) == 1
    assert "second" in run("policy", "history").out


# --- where there is nothing -----------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [("policy", "show"), ("policy", "history"), ("chat", "hello")])
def test_without_the_twin_one_line_says_how_to_start_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("TWIN_HOME", str(tmp_path))
    ran = run(*arguments)
    assert (ran.code, ran.err) == (4, "mangactl: the twin is not running: start it with `make up`\n")
    told = run(*arguments, "--json")
    assert told.document["error"]["code"] == "unavailable"


def test_an_unknown_environment_names_the_known_ones(run: Run) -> None:
    ran = run("policy", "show", "--environment", "production")
    assert ran.code == 2
    assert "use one of local, dev, staging, prod" in ran.err


def test_no_credentials_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    ran = run("policy", "show", "-e", "dev")
    assert (ran.code, ran.err) == (4, "mangactl: no AWS credentials: sign in, or set AWS_PROFILE\n")


@pytest.mark.parametrize(
    "arguments", [("fly",), ("policy",), ("policy", "show", "--nope"), ("policy", "set")]
)
def test_a_wrong_command_line_is_one_line(run: Run, arguments: tuple[str, ...]) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert len(ran.err.strip().splitlines()) == 1
    assert run(*arguments, "--json").document["error"]["code"] == "bad_argument"


def test_what_nobody_foresaw_is_one_line_too(
    run: Run, appconfig: FakeAppConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(**_: Any) -> None:
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(appconfig, "_list_deployments", explode)
    ran = run("policy", "show")
    assert (ran.code, len(ran.err.strip().splitlines())) == (1, 1)
    assert "Traceback" not in ran.err
