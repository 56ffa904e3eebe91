"""Versions and deployments: one flip is written under a lock, deployed alone, and waited for."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.mangactl.appconfig import FakeAppConfig
from tools.mangactl.failures import CommandFailure, Unavailable
from tools.mangactl.policy_store import ChangeNote, Place, PolicyStore

PLACE = Place("app1234", "env1234", "pro1234", {"instant": "ins1234", "gradual": "gra1234"})
NOTE = ChangeNote("set judge economy", "drill", "someone", "2026-11-21T04:00:00+00:00")


class Clock:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def appconfig() -> FakeAppConfig:
    fake = FakeAppConfig()
    fake.deploy('{"number": 1}')
    return fake


def store(appconfig: Any, told: list[str] | None = None) -> PolicyStore:
    clock = Clock()
    tell = told.append if told is not None else lambda line: None
    return PolicyStore(appconfig, PLACE, on_progress=tell, pause=clock.wait, clock=clock)


@pytest.mark.req("OPS-2")
def test_a_flip_is_written_deployed_and_waited_for(appconfig: FakeAppConfig) -> None:
    appconfig.states.extend(["DEPLOYING", "DEPLOYING", "BAKING", "COMPLETE"])
    told: list[str] = []
    subject = store(appconfig, told)
    version = subject.write('{"number": 2}', NOTE, after=subject.latest_version())
    deployment = subject.deploy(version, NOTE, "instant")
    assert (deployment.state, deployment.version) == ("COMPLETE", 2)
    assert subject.document(subject.in_force().version) == '{"number": 2}'
    assert [line.split()[2] for line in told[1:]] == ["DEPLOYING", "BAKING"]


def test_who_when_and_why_are_kept_with_the_version_and_with_the_deployment(appconfig: FakeAppConfig) -> None:
    subject = store(appconfig)
    deployment = subject.deploy(subject.write("{}", NOTE, after=1), NOTE, "instant")
    assert subject.note(deployment.number) == NOTE
    assert ChangeNote.read(appconfig.versions[2]["Description"]) == NOTE


@pytest.mark.parametrize("description", ["by hand", "", "[1]", '{"change": "x", "unknown": 1}', "{broken"])
def test_a_description_of_another_kind_is_shown_as_it_is(description: str) -> None:
    assert ChangeNote.read(description).change == description


def test_a_flip_over_somebody_elses_is_a_conflict_and_changes_nothing(appconfig: FakeAppConfig) -> None:
    subject = store(appconfig)
    latest = subject.latest_version()
    appconfig.deploy('{"number": 2}')
    with pytest.raises(ClientError, match="ConflictException"):
        subject.write('{"number": 3}', NOTE, after=latest)
    assert sorted(appconfig.versions) == [1, 2]


@pytest.mark.req("OPS-2")
def test_an_instant_flip_stops_a_running_deployment_first(appconfig: FakeAppConfig) -> None:
    running = appconfig.deploy('{"number": 2}', state="DEPLOYING")
    subject = store(appconfig)
    subject.deploy(subject.write('{"number": 3}', NOTE, after=2), NOTE, "instant")
    assert appconfig.deployments[running]["State"] == "ROLLED_BACK"
    assert subject.document(subject.in_force().version) == '{"number": 3}'
    assert appconfig.changes == ["create_hosted_configuration_version", "stop_deployment", "start_deployment"]


def test_a_deployment_that_an_alarm_rolls_back_is_a_failure_that_says_so(appconfig: FakeAppConfig) -> None:
    appconfig.states.extend(["BAKING", "ROLLING_BACK", "ROLLED_BACK"])
    with pytest.raises(CommandFailure, match="ROLLED_BACK: an alarm went off"):
        store(appconfig).deploy(1, NOTE, "gradual")


def test_a_deployment_that_never_ends_is_given_up_in_time(appconfig: FakeAppConfig) -> None:
    appconfig.states.append("DEPLOYING")
    with pytest.raises(CommandFailure, match="still DEPLOYING"):
        store(appconfig).deploy(1, NOTE, "instant")


def test_what_runs_or_was_rolled_back_is_not_in_force(appconfig: FakeAppConfig) -> None:
    appconfig.deploy('{"number": 2}', state="ROLLED_BACK")
    appconfig.deploy('{"number": 3}', state="DEPLOYING")
    subject = store(appconfig)
    assert subject.in_force().version == 1
    running = subject.running()
    assert running is not None
    assert running.version == 3


def test_an_environment_without_a_policy_says_what_to_do() -> None:
    with pytest.raises(Unavailable, match="deploy the ModelPolicy stack"):
        store(FakeAppConfig()).in_force()


def test_an_unknown_version_says_what_to_do(appconfig: FakeAppConfig) -> None:
    with pytest.raises(Unavailable, match="there is no version 9"):
        store(appconfig).document(9)
