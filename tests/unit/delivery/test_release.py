"""What a delivery does around a deploy: which assembly it is, what it changes, and whether it hurts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tools.delivery import assembly, release

ACCOUNT = "333333333333"
ROLE = "arn:${AWS::Partition}:iam::333333333333:role/cdk-hnb659fds-lookup-role-333333333333-"
TABLE = {"Type": "AWS::DynamoDB::GlobalTable", "Properties": {"TableName": "sessions"}}
QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {}}


def write(folder: Path, stacks: dict[str, tuple[str, dict[str, Any]]], account: str = ACCOUNT) -> Path:
    folder.mkdir(parents=True)
    artifacts: dict[str, Any] = {"Tree": {"type": "cdk:tree", "properties": {"file": "tree.json"}}}
    for name, (region, resources) in stacks.items():
        (folder / f"{name}.template.json").write_text(json.dumps({"Resources": resources}))
        artifacts[name] = {
            "type": "aws:cloudformation:stack",
            "environment": f"aws://{account}/{region}",
            "properties": {"templateFile": f"{name}.template.json", "lookupRole": {"arn": f"{ROLE}{region}"}},
        }
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return folder


@pytest.fixture
def prod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(assembly, "DELIVERED", tmp_path)
    return write(
        tmp_path / "prod",
        {"A-Replica": ("us-west-2", {"Queue": QUEUE}), "Sessions": ("us-east-1", {"Table": TABLE})},
    )


class Account:
    """Deployed templates by region and stack, and who asked for what as whom."""

    def __init__(self, deployed: dict[tuple[str, str], Any]) -> None:
        self.deployed = deployed
        self.opened: list[tuple[str, str]] = []

    def open(self, role: str, region: str) -> Any:
        self.opened.append((role, region))
        return Session(self, region)


class Session:
    def __init__(self, account: Account, region: str) -> None:
        self.account = account
        self.region = region

    def client(self, name: str) -> Any:
        return {"cloudformation": self, "cloudwatch": Alarms([("OK", 0)])}[name]

    def get_template(self, *, StackName: str, TemplateStage: str) -> dict[str, Any]:
        assert TemplateStage == "Original"
        found = self.account.deployed.get((self.region, StackName))
        if found is None:
            message = f"Stack with id {StackName} does not exist"
            raise ClientError({"Error": {"Code": "ValidationError", "Message": message}}, "GetTemplate")
        if isinstance(found, ClientError):
            raise found
        return {"TemplateBody": found}

    def get_credentials(self) -> Any:
        class Given:
            access_key, secret_key, token = "KEY", "SECRET", "TOKEN"

        return Given()


class Alarms:
    """States one look after the other; the last one stays."""

    def __init__(self, states: list[tuple[str, float]]) -> None:
        self.states = states
        self.asked: list[dict[str, Any]] = []

    def describe_alarms(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        state, since = self.states[min(len(self.asked), len(self.states)) - 1]
        return {
            "CompositeAlarms": [
                {"StateValue": state, "StateTransitionedTimestamp": datetime.fromtimestamp(since, UTC)}
            ]
        }


@pytest.fixture
def watched() -> Callable[..., float]:
    def watch(alarms: Any, since: float = 1_000.0) -> float:
        """Seconds it took."""
        clock = [1_200.0]

        def sleep(seconds: float) -> None:
            clock[0] += seconds

        release.watch(alarms, "down", since=since, now=lambda: clock[0], sleep=sleep)
        return clock[0] - 1_200.0

    return watch


def test_the_digest_tells_every_byte_and_every_name(prod: Path) -> None:
    before = assembly.digest(prod)
    assert assembly.digest(prod) == before
    asset = prod / "asset.1"
    asset.mkdir()
    (asset / "code.py").write_text("a")
    with_asset = assembly.digest(prod)
    (asset / "code.py").write_text("b")
    other = assembly.digest(prod)
    (asset / "code.py").rename(asset / "core.py")
    assert len({before, with_asset, other, assembly.digest(prod)}) == 4


@pytest.mark.req("IAC-3")
@pytest.mark.parametrize("step", ["verify", "show"])
@pytest.mark.parametrize("expected", ["", "0" * 64])
def test_another_assembly_than_the_verified_one_is_refused(
    prod: Path, step: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    account = Account({})
    assert release.main([step, "prod", expected], account.open) == 1
    said = capsys.readouterr()
    assert f"the assembly's digest is {assembly.digest(prod)}" in said.err
    assert (said.out, account.opened) == ("", [])


def test_the_verified_assembly_is_accepted(prod: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert release.main(["digest", "prod"]) == 0
    digest = capsys.readouterr().out.strip()
    assert digest == assembly.digest(prod)
    assert release.main(["verify", "prod", digest]) == 0


def test_no_assembly_is_refused(prod: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert release.main(["digest", "dev"]) == 1
    assert "tools.synth --delivered" in capsys.readouterr().err


@pytest.mark.req("IAC-3")
def test_it_shows_what_changes_against_what_is_deployed_in_each_region(
    prod: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    renamed = {"Resources": {"Table": {**TABLE, "Properties": {"TableName": "old"}}}}
    account = Account({("us-east-1", "Sessions"): renamed})
    digest = assembly.digest(prod)
    assert release.main(["show", "prod", digest], account.open) == 0
    text = capsys.readouterr().out
    assert f"`{digest}`" in text
    assert "`prod/Sessions` replaced: AWS::DynamoDB::GlobalTable `Table` (TableName)" in text
    assert "`prod/A-Replica` added: AWS::SQS::Queue `Queue`" in text
    assert sorted(account.opened) == [(f"{ROLE}us-east-1", "us-east-1"), (f"{ROLE}us-west-2", "us-west-2")]


def test_a_template_that_may_not_be_read_is_no_new_stack(prod: Path) -> None:
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetTemplate")
    account = Account({("us-east-1", "Sessions"): denied})
    with pytest.raises(ClientError, match="AccessDenied"):
        release.shown(prod, account.open)


def test_an_assembly_for_no_account_in_particular_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "dev", {"Sessions": ("us-east-1", {})}, account="unknown-account")
    with pytest.raises(assembly.UnusableAssembly, match="no account in particular"):
        assembly.stacks(folder)


def test_a_command_runs_as_the_lookup_role_in_the_environments_own_region(
    prod: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "another")
    account, told = Account({}), tmp_path / "told.json"
    code = f"import json, os; json.dump(dict(os.environ), open({str(told)!r}, 'w')); raise SystemExit(3)"
    assert release.main(["as", "prod", "--", sys.executable, "-c", code], account.open) == 3
    environment = json.loads(told.read_text())
    assert account.opened == [(f"{ROLE}us-east-1", "us-east-1")]
    assert {name: environment.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_PROFILE")} == {
        "AWS_ACCESS_KEY_ID": "KEY",
        "AWS_REGION": "us-east-1",
        "AWS_PROFILE": None,
    }


@pytest.mark.req("IAC-3")
def test_a_quiet_quarter_of_an_hour_lets_the_release_be(watched: Callable[..., float]) -> None:
    alarms = Alarms([("OK", 0), ("INSUFFICIENT_DATA", 1_210), ("OK", 1_220)])
    assert watched(alarms) == 900
    assert alarms.asked[0] == {"AlarmNames": ["down"], "AlarmTypes": ["CompositeAlarm"]}


@pytest.mark.req("IAC-3")
@pytest.mark.parametrize(
    "states",
    [
        [("ALARM", 1_000)],
        [("OK", 0), ("OK", 0), ("ALARM", 1_230)],
        [("ALARM", 500), ("OK", 1_210), ("ALARM", 1_300)],
        [*[("OK", 0.0)] * 60, ("ALARM", 2_100)],
    ],
    ids=["during the deploy", "after it", "again after it had recovered", "at the last look"],
)
def test_an_alarm_since_the_deploy_began_condemns_the_release(
    watched: Callable[..., float], states: list[tuple[str, float]]
) -> None:
    with pytest.raises(release.Rings, match="went off after the deploy began"):
        watched(Alarms(states))


@pytest.mark.req("IAC-3")
def test_a_release_that_mends_an_outage_has_the_time_to_do_so(watched: Callable[..., float]) -> None:
    """So has the one that is put back: the alarm of the one before it is still on."""
    assert watched(Alarms([*[("ALARM", 999.0)] * 20, ("OK", 1_500)])) == 900
    with pytest.raises(release.Rings, match="still is, 15 minutes after"):
        watched(Alarms([("ALARM", 999)]))


def test_an_alarm_that_is_not_there_is_no_silence(watched: Callable[..., float]) -> None:
    class Nothing:
        def describe_alarms(self, **_: Any) -> dict[str, Any]:
            return {"CompositeAlarms": []}

    with pytest.raises(release.Rings, match="no composite alarm down"):
        watched(Nothing())


def test_a_watch_looks_into_the_environments_account(
    prod: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    account = Account({})
    seen: list[Any] = []
    monkeypatch.setattr(release, "watch", lambda *given, **named: seen.append((*given[1:], named)))
    assert release.main(["watch", "prod", "--alarm", "down", "--since", "7"], account.open) == 0
    assert seen == [("down", {"since": 7.0})]
    assert account.opened == [(f"{ROLE}us-east-1", "us-east-1")]
    assert "stayed quiet" in capsys.readouterr().out


def test_a_release_that_rings_fails_its_step(
    prod: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def rings(*_: Any, **__: Any) -> None:
        raise release.Rings("down went off")

    monkeypatch.setattr(release, "watch", rings)
    assert release.main(["watch", "prod", "--alarm", "down", "--since", "7"], Account({}).open) == 1
    assert "down went off" in capsys.readouterr().err
