"""Finding an environment's resources: through the outputs of its stacks, on the twin and on AWS alike."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from typing import Any, Self

from stacks.environments import ENVIRONMENTS, EnvironmentSettings, environment_named
from tools.mangactl.failures import BadArgument, Unavailable
from tools.twin.deployment import emulator_client
from tools.twin.supervisor import Twin

LOCAL = "local"
TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Environment:
    """One deployment; ``twin`` is set where it is the local one."""

    settings: EnvironmentSettings
    twin: Twin | None = None

    @classmethod
    def named(cls, name: str) -> Self:
        """The environment ``name``; ``local`` is the twin, whichever environment's templates it holds.

        Raises:
            BadArgument: there is none of that name.
            Unavailable: it is the local one and the twin is down.
        """
        settings = ENVIRONMENTS.get(name)
        if settings is None:
            raise BadArgument(f"unknown environment {name!r}: use one of {', '.join(ENVIRONMENTS)}")
        if name != LOCAL:
            return cls(settings)
        twin = running_twin()
        held = twin.layout.held
        return cls(environment_named(held.environment, held.profile), twin)

    @property
    def name(self) -> str:
        """As in the stack names."""
        return self.settings.name

    @property
    def title(self) -> str:
        """As a person is told of it."""
        return self.name if self.twin is None or self.name == LOCAL else f"{self.name} on the twin"

    def client(self, service: str) -> Any:
        """An SDK client for ``service`` there."""
        if self.twin is not None:
            return emulator_client(self.twin.layout, service)
        import boto3
        from botocore.config import Config

        config = Config(connect_timeout=TIMEOUT_SECONDS, read_timeout=TIMEOUT_SECONDS)
        # A session of its own: boto3's shared one keeps the credentials somebody else in the process found.
        create: Any = boto3.Session(region_name=self.settings.region).client
        return create(service, config=config)

    def outputs(self, concern: str) -> dict[str, str]:
        """Outputs of the stack ``concern``.

        Raises:
            Unavailable: the stack is not there.
        """
        from botocore.exceptions import ClientError

        stack = f"MangaAssist-{self.name}-{concern}"
        try:
            found = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ValidationError":
                raise
            remedy = (
                "run `make up`"
                if self.twin
                else f"deploy it (cdk deploy -c environment={self.name}) or check the account you are signed in to"
            )
            raise Unavailable(
                f"the stack {stack} is not deployed in {self.settings.region}: {remedy}"
            ) from None
        return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}

    def chat_addresses(self) -> tuple[str, str]:
        """Where shoppers connect, and where ``/v1`` is."""
        if self.twin is not None:
            urls = self.twin.urls()
            if not urls.websocket:
                raise Unavailable("nothing is deployed on the twin yet: run `make up`")
            return urls.websocket, urls.api
        # Through the edge: the APIs refuse whoever comes to them directly.
        outputs = self.outputs("Web")
        return outputs["ChatUrl"], outputs["PageUrl"]

    def keep(self) -> None:
        """Make what was changed survive a kill of the twin; on AWS it does anyway."""
        if self.twin is not None:
            self.twin.save()

    def actor(self) -> str:
        """Who is at the keyboard, as far as the environment can tell."""
        person = getpass.getuser()
        if self.twin is not None:
            return person
        return f"{self.client('sts').get_caller_identity()['Arn']} ({person})"


def running_twin() -> Twin:
    """The twin, if its functions run; whatever else is broken shows in what it answers.

    Raises:
        Unavailable: it does not.
    """
    twin = Twin.from_environment()
    if not twin.is_usable():
        raise Unavailable("the twin is not running: start it with `make up`")
    return twin
