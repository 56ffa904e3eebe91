"""The two rotations, step by step against moto's Secrets Manager, and every step twice."""

from __future__ import annotations

import uuid
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest

from lambdas.rotate_guest_secret.handler import handler as rotate_guest
from lambdas.rotate_origin_secret.handler import handler as rotate_origin
from mangaassist.errors import RotationRefused
from mangaassist.identity import wiring
from tests.functional.identity.conftest import GUEST_SECRET, ORIGIN_SECRET

CONTEXT = SimpleNamespace(aws_request_id="request", function_name="rotate")
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")


class Edge:
    """What CloudFront sends."""

    def __init__(self) -> None:
        self.sent = [ORIGIN_SECRET]

    def send(self, value: str) -> None:
        if self.sent[-1] != value:
            self.sent.append(value)

    def prove(self, value: str) -> None:
        if self.sent[-1] != value:
            raise RotationRefused("testSecret", "not sent")


def _begin(secrets: Any, arn: str) -> str:
    """As Secrets Manager begins: a pending version. Moto wants it to have a value, so creation is tested apart."""
    version = str(uuid.uuid4())
    secrets.put_secret_value(
        SecretId=arn,
        SecretString=f"the value of {version}, long enough to sign with",
        ClientRequestToken=version,
        VersionStages=["AWSPENDING"],
    )
    return version


def _event(step: str, arn: str, version: str) -> dict[str, str]:
    return {"Step": step, "SecretId": arn, "ClientRequestToken": version}


def _value(secrets: Any, arn: str, stage: str) -> str:
    return secrets.get_secret_value(SecretId=arn, VersionStage=stage)["SecretString"]


@pytest.mark.req("SEC-6")
def test_the_guest_secret_moves_on_and_the_old_one_stays_readable(secrets: Any, guest_secret: str) -> None:
    version = _begin(secrets, guest_secret)
    for step in STEPS:
        for _ in range(2):
            rotate_guest(_event(step, guest_secret, version), CONTEXT)
    assert version in _value(secrets, guest_secret, "AWSCURRENT")
    assert _value(secrets, guest_secret, "AWSPREVIOUS") == GUEST_SECRET


@pytest.mark.req("SEC-6")
def test_the_edge_sends_the_new_value_before_it_is_current(
    secrets: Any, origin_secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge = Edge()
    monkeypatch.setattr(wiring, "edge_origins", cache(lambda: edge))
    version = _begin(secrets, origin_secret)
    for step in STEPS[:3]:
        for _ in range(2):
            rotate_origin(_event(step, origin_secret, version), CONTEXT)
        assert _value(secrets, origin_secret, "AWSCURRENT") == ORIGIN_SECRET
    assert [version in value for value in edge.sent] == [False, True]
    rotate_origin(_event("finishSecret", origin_secret, version), CONTEXT)
    assert _value(secrets, origin_secret, "AWSCURRENT") == edge.sent[-1]
    assert _value(secrets, origin_secret, "AWSPREVIOUS") == ORIGIN_SECRET
    rotate_origin(_event("finishSecret", origin_secret, version), CONTEXT)
    assert len(edge.sent) == 2


@pytest.mark.req("SEC-6")
def test_a_value_that_the_edge_does_not_send_never_becomes_current(
    secrets: Any, origin_secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "edge_origins", cache(Edge))
    version = _begin(secrets, origin_secret)
    with pytest.raises(RotationRefused, match="testSecret"):
        rotate_origin(_event("testSecret", origin_secret, version), CONTEXT)
    assert _value(secrets, origin_secret, "AWSCURRENT") == ORIGIN_SECRET


def test_a_version_that_is_not_up_for_rotation_is_refused(secrets: Any, guest_secret: str) -> None:
    with pytest.raises(RotationRefused, match="not pending"):
        rotate_guest(_event("createSecret", guest_secret, str(uuid.uuid4())), CONTEXT)
    assert _value(secrets, guest_secret, "AWSCURRENT") == GUEST_SECRET


def test_an_unknown_step_is_refused(secrets: Any, guest_secret: str) -> None:
    with pytest.raises(RotationRefused, match="unknown step"):
        rotate_guest(_event("eraseSecret", guest_secret, _begin(secrets, guest_secret)), CONTEXT)
