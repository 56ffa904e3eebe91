"""The environments by their names."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from stacks.environments.dev import DEV
from stacks.environments.local import LOCAL
from stacks.environments.prod import PROD
from stacks.environments.profiles import lean
from stacks.environments.settings.environment import PROFILES, EnvironmentSettings
from stacks.environments.staging import STAGING

ENVIRONMENTS: Final[Mapping[str, EnvironmentSettings]] = MappingProxyType(
    {settings.name: settings for settings in (LOCAL, DEV, STAGING, PROD)}
)


class UnknownEnvironment(ValueError):
    """No environment has this name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"unknown environment {name!r}: choose one of {', '.join(ENVIRONMENTS)} (-c environment=NAME)"
        )


class UnknownProfile(ValueError):
    """No profile has this name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"unknown profile {name!r}: choose one of {', '.join(PROFILES)} (-c profile=NAME)")


def environment_named(name: str, profile: str = "standard") -> EnvironmentSettings:
    """The settings of environment ``name``.

    Raises:
        UnknownEnvironment: there is none of that name.
        UnknownProfile: ``profile`` is neither ``standard`` nor ``lean``.
    """
    if name not in ENVIRONMENTS:
        raise UnknownEnvironment(name)
    if profile not in PROFILES:
        raise UnknownProfile(profile)
    return lean(ENVIRONMENTS[name]) if profile == "lean" else ENVIRONMENTS[name]
