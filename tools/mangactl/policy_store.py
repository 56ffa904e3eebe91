"""The model policy's versions and deployments in AppConfig.

A *version* is a document, numbered by AppConfig and never changed. A *deployment* puts one version in force; at most
one runs at a time per environment. The policy in force is that of the newest completed deployment.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, Self

from tools.mangactl.failures import CommandFailure, Conflict, Unavailable

Strategy = Literal["instant", "gradual"]

RUNNING: Final = ("VALIDATING", "DEPLOYING", "BAKING", "ROLLING_BACK")
STOPPABLE: Final = ("DEPLOYING", "BAKING")
GRACE_SECONDS: Final = 60.0
"""Added to a strategy's own minutes before a deployment counts as stuck."""
POLL_SECONDS: Final = 0.5
MAX_DESCRIPTION: Final = 1_024
PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class ChangeNote:
    """Who changed what, when and why; stored as the description of a version and of its deployment."""

    change: str
    reason: str = ""
    actor: str = ""
    at: str = ""

    @classmethod
    def now(cls, change: str, reason: str, actor: str) -> Self:
        """A note of this moment."""
        return cls(change, reason, actor, datetime.now(UTC).isoformat(timespec="seconds"))

    @classmethod
    def read(cls, description: str) -> Self:
        """The note in a description; one that somebody wrote by hand counts as the change."""
        try:
            return cls(**json.loads(description))
        except (ValueError, TypeError):
            return cls(description)

    def __str__(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Deployment:
    """One attempt to put a version in force."""

    number: int
    version: int
    state: str
    percentage: float
    started_at: datetime | None

    @property
    def is_running(self) -> bool:
        """Whether it stands in the way of another."""
        return self.state in RUNNING


@dataclass(frozen=True, slots=True)
class Place:
    """Ids of the profile and of what it is deployed with."""

    application: str
    environment: str
    profile: str
    strategies: Mapping[Strategy, str]

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, str]) -> Self:
        """Read the outputs of the ModelPolicy stack."""
        return cls(
            application=outputs["PolicyApplicationId"],
            environment=outputs["PolicyEnvironmentId"],
            profile=outputs["PolicyProfileId"],
            strategies={"instant": outputs["InstantStrategyId"], "gradual": outputs["GradualStrategyId"]},
        )


class PolicyStore:
    """Reads and changes the policy at ``place``; ``on_progress`` is told what happens meanwhile."""

    def __init__(
        self,
        appconfig: Any,
        place: Place,
        *,
        on_progress: Callable[[str], object] = lambda line: None,
        pause: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._appconfig = appconfig
        self._place = place
        self._tell = on_progress
        self._pause = pause
        self._clock = clock

    # --- seeing -------------------------------------------------------------------------------------

    def deployments(self) -> list[Deployment]:
        """The latest ones, newest first."""
        items = self._appconfig.list_deployments(**self._environment, MaxResults=PAGE)["Items"]
        return sorted(map(_deployment, items), key=lambda deployment: -deployment.number)

    def in_force(self) -> Deployment:
        """The deployment whose version handlers follow.

        Raises:
            Unavailable: nothing was ever deployed.
        """
        for deployment in self.deployments():
            if deployment.state == "COMPLETE":
                return deployment
        raise Unavailable(
            "no model policy was ever deployed here: deploy the ModelPolicy stack, which seeds one"
        )

    def running(self) -> Deployment | None:
        """The deployment that is under way."""
        return next((deployment for deployment in self.deployments() if deployment.is_running), None)

    def document(self, version: int) -> str:
        """The text of a version.

        Raises:
            Unavailable: there is no such version.
        """
        try:
            answer = self._appconfig.get_hosted_configuration_version(**self._profile, VersionNumber=version)
        except self._appconfig.exceptions.ResourceNotFoundException:
            raise Unavailable(f"there is no version {version}: see `mangactl policy history`") from None
        return answer["Content"].read().decode("utf-8")

    def note(self, deployment: int) -> ChangeNote:
        """Why a deployment was made."""
        answer = self._appconfig.get_deployment(**self._environment, DeploymentNumber=deployment)
        return ChangeNote.read(answer.get("Description") or "")

    def latest_version(self) -> int:
        """The highest version number, deployed or not."""
        pages = self._appconfig.get_paginator("list_hosted_configuration_versions").paginate(**self._profile)
        return max((item["VersionNumber"] for page in pages for item in page["Items"]), default=0)

    # --- changing -----------------------------------------------------------------------------------

    def write(self, document: str, note: ChangeNote, *, after: int) -> int:
        """Store a new version; refused with a conflict unless ``after`` is still the latest one."""
        created = self._appconfig.create_hosted_configuration_version(
            **self._profile,
            Content=document.encode(),
            ContentType="application/json",
            Description=str(note)[:MAX_DESCRIPTION],
            LatestVersionNumber=after,
        )
        return int(created["VersionNumber"])

    def deploy(self, version: int, note: ChangeNote, strategy: Strategy) -> Deployment:
        """Put ``version`` in force and wait until it is; an instant one first stops whatever runs.

        Raises:
            CommandFailure: it was rolled back, or takes longer than its strategy says.
        """
        if strategy == "instant" and (running := self.running()):
            self.stop(running)
        started = self._appconfig.start_deployment(
            **self._environment,
            ConfigurationProfileId=self._place.profile,
            ConfigurationVersion=str(version),
            DeploymentStrategyId=self._place.strategies[strategy],
            Description=str(note)[:MAX_DESCRIPTION],
        )
        self._tell(f"deployment {started['DeploymentNumber']} of version {version} started")
        return self._wait(started["DeploymentNumber"], "COMPLETE")

    def require_idle(self) -> None:
        """Refuse to go on while a deployment runs.

        Raises:
            Conflict: one does.
        """
        if running := self.running():
            raise Conflict(
                f"deployment {running.number} is {running.state}: wait for it, or flip without --gradual to stop it"
            )

    def stop(self, deployment: Deployment) -> Deployment:
        """Stop a running deployment; AppConfig goes back to the version before it."""
        self._tell(
            f"stopping deployment {deployment.number} ({deployment.state} version {deployment.version})"
        )
        if deployment.state in STOPPABLE:
            self._appconfig.stop_deployment(**self._environment, DeploymentNumber=deployment.number)
        return self._wait(deployment.number, "ROLLED_BACK")

    def _wait(self, number: int, wanted: str) -> Deployment:
        began = self._clock()
        told = ""
        while True:
            answer = self._appconfig.get_deployment(**self._environment, DeploymentNumber=number)
            deployment = _deployment(answer)
            if deployment.state == wanted:
                return deployment
            if not deployment.is_running:
                raise CommandFailure(
                    f"deployment {number} ended {deployment.state}: {_last_event(answer)}; see `mangactl policy show`"
                )
            minutes = answer.get("DeploymentDurationInMinutes", 0) + answer.get("FinalBakeTimeInMinutes", 0)
            if self._clock() - began > minutes * 60 + GRACE_SECONDS:
                raise CommandFailure(
                    f"deployment {number} is still {deployment.state}; see `mangactl policy show`, "
                    f"undo it with `mangactl policy rollback`"
                )
            line = f"deployment {number} {deployment.state} {deployment.percentage:.0f}%"
            if line != told:
                self._tell(told := line)
            self._pause(POLL_SECONDS)

    @property
    def _environment(self) -> dict[str, str]:
        return {"ApplicationId": self._place.application, "EnvironmentId": self._place.environment}

    @property
    def _profile(self) -> dict[str, str]:
        return {"ApplicationId": self._place.application, "ConfigurationProfileId": self._place.profile}


def _deployment(item: Mapping[str, Any]) -> Deployment:
    return Deployment(
        number=int(item["DeploymentNumber"]),
        version=int(item["ConfigurationVersion"]),
        state=item["State"],
        percentage=float(item.get("PercentageComplete") or 0),
        started_at=item.get("StartedAt"),
    )


def _last_event(answer: Mapping[str, Any]) -> str:
    """AppConfig lists the newest event first."""
    events = answer.get("EventLog") or [{}]
    return events[0].get("Description") or "no reason given"
