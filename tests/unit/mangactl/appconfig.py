"""An AppConfig in memory behind the real SDK's shapes: requests are checked against botocore's model."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError, ParamValidationError
from botocore.validate import ParamValidator


class FakeAppConfig:
    """One application, environment and profile.

    ``states`` is the queue of states that the next deployments show, one per look; without any, a deployment is
    complete at once.
    """

    def __init__(self) -> None:
        self.versions: dict[int, dict[str, Any]] = {}
        self.deployments: dict[int, dict[str, Any]] = {}
        self.states: deque[str] = deque()
        self.calls: list[str] = []
        self._client = boto3.client(
            "appconfig", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        self.exceptions = self._client.exceptions

    def __getattr__(self, operation: str) -> Any:
        def call(**arguments: Any) -> Any:
            self._check(operation, arguments)
            self.calls.append(operation)
            return getattr(self, f"_{operation}")(**arguments)

        return call

    def get_paginator(self, operation: str) -> Any:
        fake = self

        class Pages:
            def paginate(self, **arguments: Any) -> Iterator[dict[str, Any]]:
                yield getattr(fake, operation)(**arguments)

        return Pages()

    def deploy(self, document: str, *, state: str = "COMPLETE", description: str = "") -> int:
        """A version and its deployment, as if made by somebody else."""
        version = self._create_hosted_configuration_version(
            Content=document.encode(), Description=description
        )
        number = self._start_deployment(
            ConfigurationVersion=str(version["VersionNumber"]), Description=description
        )["DeploymentNumber"]
        self.deployments[number]["State"] = state
        return number

    @property
    def changes(self) -> list[str]:
        """The calls that changed something."""
        return [call for call in self.calls if not call.startswith(("get_", "list_"))]

    def _check(self, operation: str, arguments: dict[str, Any]) -> None:
        name = self._client.meta.method_to_api_mapping[operation]
        shape = self._client.meta.service_model.operation_model(name).input_shape
        report = ParamValidator().validate(arguments, shape)
        if report.has_errors():
            raise ParamValidationError(report=report.generate_report())

    def _create_hosted_configuration_version(
        self, *, Content: bytes, LatestVersionNumber: int | None = None, Description: str = "", **_: Any
    ) -> dict[str, Any]:
        latest = max(self.versions, default=0)
        if LatestVersionNumber is not None and LatestVersionNumber != latest:
            raise _refusal("ConflictException", "The latest version is not what you say.", "CreateHosted")
        self.versions[latest + 1] = {"Content": Content, "Description": Description}
        return {"VersionNumber": latest + 1}

    def _get_hosted_configuration_version(self, *, VersionNumber: int, **_: Any) -> dict[str, Any]:
        if VersionNumber not in self.versions:
            raise self.exceptions.ResourceNotFoundException(
                {"Error": {"Code": "ResourceNotFoundException", "Message": "no such version"}}, "GetHosted"
            )
        return {"Content": io.BytesIO(self.versions[VersionNumber]["Content"])}

    def _list_hosted_configuration_versions(self, **_: Any) -> dict[str, Any]:
        return {"Items": [{"VersionNumber": number} for number in sorted(self.versions, reverse=True)]}

    def _start_deployment(
        self, *, ConfigurationVersion: str, Description: str = "", **_: Any
    ) -> dict[str, Any]:
        if any(each["State"] in ("DEPLOYING", "BAKING") for each in self.deployments.values()):
            raise _refusal("ConflictException", "A deployment is running.", "StartDeployment")
        number = max(self.deployments, default=0) + 1
        self.deployments[number] = {
            "DeploymentNumber": number,
            "ConfigurationVersion": ConfigurationVersion,
            "State": self.states.popleft() if self.states else "COMPLETE",
            "PercentageComplete": 0.0,
            "StartedAt": datetime(2026, 11, 21, tzinfo=UTC),
            "Description": Description,
            "DeploymentDurationInMinutes": 0,
            "FinalBakeTimeInMinutes": 0,
            "EventLog": [{"Description": "an alarm went off"}],
        }
        return dict(self.deployments[number])

    def _get_deployment(self, *, DeploymentNumber: int, **_: Any) -> dict[str, Any]:
        deployment = self.deployments[DeploymentNumber]
        if deployment["State"] in ("DEPLOYING", "BAKING", "ROLLING_BACK") and self.states:
            deployment["State"] = self.states.popleft()
        return dict(deployment)

    def _list_deployments(self, **_: Any) -> dict[str, Any]:
        return {
            "Items": [dict(self.deployments[number]) for number in sorted(self.deployments, reverse=True)]
        }

    def _stop_deployment(self, *, DeploymentNumber: int, **_: Any) -> dict[str, Any]:
        self.deployments[DeploymentNumber]["State"] = "ROLLED_BACK"
        return {}


def _refusal(code: str, message: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)
