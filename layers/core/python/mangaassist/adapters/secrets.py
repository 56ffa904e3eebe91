"""Secrets Manager: the values of a secret that count now, and a secret under rotation."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from mangaassist.adapters.errors import translate
from mangaassist.errors import DependencyError

DEPENDENCY: Final = "secrets"
MAX_AGE_SECONDS: Final = 300
"""A value read longer ago is read again before it is used."""
MIN_AGE_SECONDS: Final = 10
"""Whoever offers wrong values makes us read this often at most."""


class SecretVersions:
    """The versions of one secret that are accepted, kept in memory for a while."""

    def __init__(
        self, client: Any, arn: str, *, stages: Sequence[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """
        Args:
            client: of Secrets Manager.
            arn: the secret.
            stages: whose versions count, the current one first.
            clock: seconds.
        """
        self._client, self._arn, self._stages, self._clock = client, arn, tuple(stages), clock
        self._read: dict[str, tuple[float, str | None]] = {}

    def current(self) -> str:
        """The current value.

        Raises:
            DependencyError: it cannot be read.
        """
        return next(self.accepted())

    def accepted(self) -> Iterator[str]:
        """The values that count, the likeliest first, each once.

        Whoever finds none that fits and asks on gets what has changed since the values were read.

        Raises:
            DependencyError: a value cannot be read and is not known from before.
        """
        yielded: set[str] = set()
        for max_age in (MAX_AGE_SECONDS, MIN_AGE_SECONDS):
            for stage in self._stages:
                value = self._value(stage, max_age)
                if value is not None and value not in yielded:
                    yielded.add(value)
                    yield value

    def _value(self, stage: str, max_age: float) -> str | None:
        read_at, value = self._read.get(stage, (None, None))
        if read_at is not None and self._clock() - read_at <= max_age:
            return value
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._client.get_secret_value(SecretId=self._arn, VersionStage=stage)
            # A secret that holds bytes has no text.
            value = answer.get("SecretString")
            if value is None:
                raise DependencyError(DEPENDENCY, "SecretString")
        except ClientError as error:
            if (
                error.response.get("Error", {}).get("Code") == "ResourceNotFoundException"
                and stage != "AWSCURRENT"
            ):
                value = None
            elif read_at is None:
                raise translate(DEPENDENCY, error) or error from None
        except BotoCoreError as error:
            if read_at is None:
                raise translate(DEPENDENCY, error) or error from None
        self._read[stage] = (self._clock(), value)
        return value


class StoredSecret:
    """A secret as the function that rotates it sees it."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client, self._arn = client, arn

    def stages(self) -> Mapping[str, Collection[str]]:
        """The stages of each version by its id."""
        return self._call("describe_secret").get("VersionIdsToStages") or {}

    def value(self, version: str) -> str | None:
        """The version's value; ``None`` before it has one."""
        from botocore.exceptions import ClientError

        try:
            answer = self._client.get_secret_value(SecretId=self._arn, VersionId=version)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
                return None
            raise translate(DEPENDENCY, error) or error from None
        return str(answer["SecretString"])

    def propose(self, version: str, value: str) -> None:
        """Keep ``value`` as the pending version; with the same value again, nothing happens."""
        self._call(
            "put_secret_value", ClientRequestToken=version, SecretString=value, VersionStages=["AWSPENDING"]
        )

    def promote(self, version: str, *, instead_of: str | None) -> None:
        """Make the version the current one; the one before becomes the previous one by itself."""
        moved = {} if instead_of is None else {"RemoveFromVersionId": instead_of}
        self._call("update_secret_version_stage", VersionStage="AWSCURRENT", MoveToVersionId=version, **moved)

    def _call(self, operation: str, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self._client, operation)(SecretId=self._arn, **arguments)
        except (BotoCoreError, ClientError) as error:
            raise translate(DEPENDENCY, error) or error from None
