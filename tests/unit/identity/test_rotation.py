"""A new value is made once, however often the first step comes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from mangaassist.errors import RotationRefused
from mangaassist.identity.rotation import rotate


class Stored:
    """A secret whose pending version has no value yet, as Secrets Manager leaves it to the first step."""

    def __init__(self) -> None:
        self.marks: dict[str, list[str]] = {"one": ["AWSCURRENT"], "two": ["AWSPENDING"]}
        self.values = {"one": "the first value"}

    def stages(self) -> Mapping[str, list[str]]:
        return self.marks

    def value(self, version: str) -> str | None:
        return self.values.get(version)

    def propose(self, version: str, value: str) -> None:
        self.values[version] = value

    def promote(self, version: str, *, instead_of: str | None) -> None:
        assert instead_of == "one"
        self.marks = {"one": ["AWSPREVIOUS"], version: ["AWSCURRENT"]}


@pytest.mark.req("SEC-6")
def test_a_long_random_value_is_proposed_once() -> None:
    secret = Stored()
    rotate("createSecret", "two", secret)
    made = secret.values["two"]
    assert len(made) >= 64
    rotate("createSecret", "two", secret)
    assert secret.values["two"] == made
    another = Stored()
    rotate("createSecret", "two", another)
    assert another.values["two"] != made


def test_no_step_goes_before_the_first() -> None:
    for step in ("setSecret", "testSecret", "finishSecret"):
        with pytest.raises(RotationRefused, match="no value"):
            rotate(step, "two", Stored())


def test_a_finished_rotation_is_not_taken_up_again() -> None:
    secret = Stored()
    rotate("createSecret", "two", secret)
    rotate("finishSecret", "two", secret)
    installed: list[str] = []
    for step in ("createSecret", "setSecret", "testSecret", "finishSecret"):
        rotate(step, "two", secret, install=installed.append, prove=installed.append)
    assert installed == []
