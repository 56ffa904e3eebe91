"""What an organisation brings to its deployments and no repository holds: accounts, names, certificates, addresses.

Read from ``deployment.toml`` beside ``app.py``, which is not tracked, or from the file that ``-c deployment=FILE`` names;
``deployment.example.toml`` shows its form. Without one every template renders all the same.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError

from stacks.environments import ENVIRONMENTS, Domains, EnvironmentSettings, Partners, Personalize, Settings

FILE: Final = Path(__file__).resolve().parents[1] / "deployment.toml"


class UnusableDeployment(ValueError):
    """The file cannot be used; the message says where and why."""


class CatalogueDeployment(Settings):
    """What ``stacks.environments.Catalogue`` leaves to the organisation."""

    image: str | None = None
    namespace: str | None = None
    certificate_arn: str | None = None


class Deployment(Settings):
    """One environment's section of the file."""

    account: str | None = Field(default=None, pattern=r"^\d{12}$")
    alert_email: str | None = None
    domains: Domains | None = None
    catalogue: CatalogueDeployment | None = None
    partners: Partners | None = None
    personalize: Personalize | None = None


def deployed(settings: EnvironmentSettings, file: str | Path | None = None) -> EnvironmentSettings:
    """``settings`` with what the file says about this environment, checked together once more.

    Args:
        settings: the environment as the repository knows it.
        file: must exist if given; else ``FILE`` counts if it is there.

    Raises:
        UnusableDeployment: the file is missing, malformed, or does not fit the environment.
    """
    path = Path(file) if file else FILE
    if not file and not path.is_file():
        return settings
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as problem:
        raise UnusableDeployment(f"{path}: {problem}") from None
    if unknown := sorted(set(document) - set(ENVIRONMENTS)):
        raise UnusableDeployment(f"{path}: no environment is called {', '.join(unknown)}")
    try:
        return _joined(settings, Deployment.model_validate(document.get(settings.name, {})))
    except ValidationError as problem:
        reasons = "; ".join(
            f"{'.'.join(map(str, error['loc'])) or settings.name}: {error['msg']}"
            for error in problem.errors()
        )
        raise UnusableDeployment(f"{path}: {reasons}") from None


def _joined(settings: EnvironmentSettings, found: Deployment) -> EnvironmentSettings:
    changes: dict[str, object] = {}
    if found.account is not None:
        changes["account"] = found.account
    if found.alert_email is not None:
        changes["alerting"] = {**settings.alerting.model_dump(), "email": found.alert_email}
    if found.domains is not None:
        if settings.edge is None:
            raise UnusableDeployment(f"{settings.name} has no edge that could serve {found.domains.page}")
        changes["edge"] = {**settings.edge.model_dump(), "domains": found.domains.model_dump()}
    if found.catalogue is not None:
        if settings.catalogue is None:
            raise UnusableDeployment(f"{settings.name} runs no catalogue service: leave out its catalogue")
        changes["catalogue"] = {**settings.catalogue.model_dump(), **found.catalogue.model_dump()}
    for name in ("partners", "personalize"):
        if (given := getattr(found, name)) is not None:
            changes[name] = given.model_dump()
    kept = {name: getattr(settings, name) for name in EnvironmentSettings.model_fields}
    return EnvironmentSettings.model_validate(kept | changes)
