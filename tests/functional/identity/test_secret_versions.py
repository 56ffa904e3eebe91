"""Values of a secret: kept, renewed, and known through an outage."""

from __future__ import annotations

from typing import Any

import pytest

from mangaassist.adapters.secrets import MAX_AGE_SECONDS, MIN_AGE_SECONDS, SecretVersions
from mangaassist.errors import DependencyError


class Counted:
    """A client of Secrets Manager that counts reads and can fail."""

    def __init__(self, client: Any) -> None:
        self._client, self.reads = client, 0

    def get_secret_value(self, **arguments: Any) -> Any:
        self.reads += 1
        return self._client.get_secret_value(**arguments)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(secrets: Any) -> Counted:
    return Counted(secrets)


@pytest.fixture
def versions(client: Counted, guest_secret: str, clock: Clock, secrets: Any) -> SecretVersions:
    secrets.put_secret_value(SecretId=guest_secret, SecretString="second")
    return SecretVersions(
        client, guest_secret, stages=("AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"), clock=clock
    )


def test_the_usual_case_reads_one_value_once(versions: SecretVersions, client: Counted) -> None:
    assert versions.current() == versions.current() == "second"
    assert client.reads == 1


@pytest.mark.req("SEC-6")
def test_wrong_values_cost_a_bounded_number_of_reads(
    versions: SecretVersions, client: Counted, clock: Clock
) -> None:
    for _ in range(50):
        assert len(list(versions.accepted())) == 2
    assert client.reads == 3, "one for each stage"
    clock.now += MIN_AGE_SECONDS + 1
    for _ in range(50):
        list(versions.accepted())
    assert client.reads == 6


@pytest.mark.req("SEC-6")
def test_who_asks_on_gets_what_has_changed(
    versions: SecretVersions, secrets: Any, guest_secret: str, clock: Clock
) -> None:
    list(versions.accepted())
    secrets.put_secret_value(SecretId=guest_secret, SecretString="third")
    clock.now += MIN_AGE_SECONDS + 1
    assert versions.current() == "second", "still fresh enough for whoever is satisfied"
    assert list(versions.accepted())[-1] == "third"
    assert versions.current() == "third"


def test_a_known_value_outlives_an_outage(
    versions: SecretVersions, secrets: Any, guest_secret: str, clock: Clock
) -> None:
    versions.current()
    secrets.delete_secret(SecretId=guest_secret, ForceDeleteWithoutRecovery=True)
    clock.now += MAX_AGE_SECONDS + 1
    assert versions.current() == "second"


def test_an_unknown_value_is_a_failed_dependency(secrets: Any) -> None:
    missing = SecretVersions(
        secrets, "arn:aws:secretsmanager:us-east-1:123456789012:secret:no", stages=("AWSCURRENT",)
    )
    with pytest.raises(DependencyError, match="ResourceNotFoundException"):
        missing.current()
