"""Custom resource: writes and deploys the first model policy of an environment, and never another.

Operators own the document afterwards, so an update or a delete of the stack touches nothing, and a create over a
profile that has a document deploys that one only if none ever was.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from mangaassist.adapters.clients import client
from mangaassist.adapters.custom_resource import Event, answer
from mangaassist.generation.policy import POLICY_FILE, parse_policy
from mangaassist.observability import logger, observed
from mangaassist.tracing import PathType

DEPLOYMENT_SECONDS: Final = 40.0
POLL_SECONDS: Final = 1.0


class SeedNotDeployed(RuntimeError):
    """The deployment of the first policy ended, or stayed, in ``state``."""

    def __init__(self, state: str) -> None:
        self.state = state
        super().__init__(
            f"the first model policy is {state}; look at the AppConfig deployment and deploy again"
        )


@observed(PathType.ASYNC_BACKGROUND)
def handler(event: dict[str, Any], context: Any) -> None:
    """CloudFormation's create, update or delete."""
    answer(event, context, lambda request: act(request, client("appconfig")))


def act(event: Event, appconfig: Any, *, pause: Callable[[float], object] = time.sleep) -> str:
    """Seed on create; returns the profile's id, which is this resource's too."""
    properties = event["ResourceProperties"]
    if event["RequestType"] == "Create":
        _seed(properties, appconfig, pause)
    return str(properties["ConfigurationProfileId"])


def _seed(properties: dict[str, str], appconfig: Any, pause: Callable[[float], object]) -> None:
    application = {"ApplicationId": properties["ApplicationId"]}
    profile = {**application, "ConfigurationProfileId": properties["ConfigurationProfileId"]}
    place = {**application, "EnvironmentId": properties["EnvironmentId"]}
    if appconfig.list_deployments(**place, MaxResults=1)["Items"]:
        logger().info("model policy left alone", reason="a policy was deployed before")
        return
    versions = appconfig.list_hosted_configuration_versions(**profile, MaxResults=1)["Items"]
    version = (
        versions[0]["VersionNumber"] if versions else _write(profile, properties.get("Policy"), appconfig)
    )
    deployment = appconfig.start_deployment(
        **place,
        ConfigurationProfileId=properties["ConfigurationProfileId"],
        ConfigurationVersion=str(version),
        DeploymentStrategyId=properties["DeploymentStrategyId"],
        Description="first model policy",
    )
    deadline = time.monotonic() + DEPLOYMENT_SECONDS
    while deployment["State"] != "COMPLETE":
        if deployment["State"] in ("ROLLING_BACK", "ROLLED_BACK") or time.monotonic() > deadline:
            raise SeedNotDeployed(deployment["State"])
        pause(POLL_SECONDS)
        deployment = appconfig.get_deployment(**place, DeploymentNumber=deployment["DeploymentNumber"])
    logger().info("model policy seeded", version_number=version)


def _write(profile: dict[str, str], document: str | None, appconfig: Any) -> int:
    text = document or POLICY_FILE.read_text(encoding="utf-8")
    parse_policy(text)
    created = appconfig.create_hosted_configuration_version(
        **profile,
        Content=text.encode(),
        ContentType="application/json",
        Description="built-in policy, seeded by the first deploy",
    )
    return int(created["VersionNumber"])
