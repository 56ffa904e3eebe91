"""Rotating a secret in the four steps of Secrets Manager, each of which may come twice.

The new value is made and kept as pending, installed where it is sent from, proven there, and only then made current. Who
checks a value accepts the previous one as well, so nobody is signed out and nothing has to happen at one instant.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from mangaassist.errors import RotationRefused

CURRENT = "AWSCURRENT"
PREVIOUS = "AWSPREVIOUS"
PENDING = "AWSPENDING"
RANDOM_BYTES = 48


class RotatingSecret(Protocol):
    """One secret and its versions."""

    def stages(self) -> Mapping[str, Collection[str]]:
        """The stages of each version by its id."""
        ...

    def value(self, version: str) -> str | None:
        """The version's value; ``None`` before it has one."""
        ...

    def propose(self, version: str, value: str) -> None:
        """Keep ``value`` as the pending version."""
        ...

    def promote(self, version: str, *, instead_of: str | None) -> None:
        """Make the version the current one."""
        ...


def _nothing(value: str) -> None:
    pass


def rotate(
    step: str,
    version: str,
    secret: RotatingSecret,
    *,
    install: Callable[[str], None] = _nothing,
    prove: Callable[[str], None] = _nothing,
) -> None:
    """Take one step of rotating ``secret`` to ``version``.

    Args:
        step: as Secrets Manager names it.
        version: id of the version that becomes current.
        secret: the secret.
        install: puts the new value where it is sent from.
        prove: raises unless the new value works.

    Raises:
        RotationRefused: the step is unknown, or the version is not up for rotation.
        DependencyError: a service failed; Secrets Manager tries again.
    """
    stages = secret.stages()
    if CURRENT in stages.get(version, ()):
        return
    if PENDING not in stages.get(version, ()):
        raise RotationRefused(step, "the version is not pending")
    if step == "createSecret":
        if secret.value(version) is None:
            secret.propose(version, secrets.token_urlsafe(RANDOM_BYTES))
        return
    value = secret.value(version)
    if value is None:
        raise RotationRefused(step, "the pending version has no value")
    match step:
        case "setSecret":
            install(value)
        case "testSecret":
            prove(value)
        case "finishSecret":
            current = next((name for name, marks in stages.items() if CURRENT in marks), None)
            secret.promote(version, instead_of=current)
        case _:
            raise RotationRefused(step, "unknown step")
