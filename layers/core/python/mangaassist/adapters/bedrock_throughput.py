"""Provisioned throughput as Bedrock's control plane sells it, and what CloudWatch says of its use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from mangaassist.adapters.errors import translate
from mangaassist.capacity.ports import Provisioned

TOKEN_METRICS = ("InputTokenCount", "OutputTokenCount")


class BedrockThroughput:
    """``client`` is a bedrock client (the control plane, not the runtime)."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def create(
        self,
        *,
        name: str,
        model_id: str,
        units: int,
        commitment: str | None,
        token: str,
        tags: Mapping[str, str],
    ) -> str:
        """Buy; without a commitment the field is left out, which is what "by the hour" looks like."""
        arguments: dict[str, Any] = {
            "clientRequestToken": token,
            "provisionedModelName": name,
            "modelId": model_id,
            "modelUnits": units,
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        }
        if commitment is not None:
            arguments["commitmentDuration"] = commitment
        return str(_call(self._client.create_provisioned_model_throughput, arguments)["provisionedModelArn"])

    def get(self, arn: str) -> Provisioned | None:
        """What the service knows of it; ``None`` when it knows nothing.

        Looked up in the list: asking for the one is allowed by its tags, and what is gone has none, so that the answer
        would be "denied" and not "gone".
        """
        return next((each for each in self.named("") if each.arn == arn), None)

    def named(self, prefix: str) -> list[Provisioned]:
        """Everything whose name starts with ``prefix``, over all pages."""
        found: list[Provisioned] = []
        arguments: dict[str, Any] = {"maxResults": 100} | ({"nameContains": prefix} if prefix else {})
        while True:
            page = _call(self._client.list_provisioned_model_throughputs, arguments)
            found += [_provisioned(each) for each in page.get("provisionedModelSummaries", [])]
            if not page.get("nextToken"):
                return [each for each in found if each.name.startswith(prefix)]
            arguments["nextToken"] = page["nextToken"]

    def delete(self, arn: str) -> None:
        """Give back; what is gone already is no error."""
        _call(
            self._client.delete_provisioned_model_throughput,
            {"provisionedModelId": arn},
            missing_is_none=True,
        )


class CloudWatchTokens:
    """Tokens that went through a provisioned model; ``client`` is a cloudwatch client."""

    def __init__(self, client: Any, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._client = client
        self._clock = clock

    def tokens(self, arn: str, *, hours: int) -> float | None:
        """The sum over the last ``hours``; Bedrock names a provisioned model by its ARN in ``ModelId``."""
        end = self._clock()
        total: float | None = None
        for metric in TOKEN_METRICS:
            answer = _call(
                self._client.get_metric_statistics,
                {
                    "Namespace": "AWS/Bedrock",
                    "MetricName": metric,
                    "Dimensions": [{"Name": "ModelId", "Value": arn}],
                    "StartTime": end - timedelta(hours=hours),
                    "EndTime": end,
                    "Period": 3_600,
                    "Statistics": ["Sum"],
                },
                dependency="cloudwatch",
            )
            for point in answer.get("Datapoints", []):
                total = (total or 0.0) + float(point["Sum"])
        return total


def _call(
    operation: Any,
    arguments: Mapping[str, Any],
    *,
    missing_is_none: bool = False,
    dependency: str = "bedrock",
) -> Any:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return operation(**arguments)
    except ClientError as error:
        if missing_is_none and error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
            return None
        raise translate(dependency, error) or error from error
    except BotoCoreError as error:
        raise translate(dependency, error) or error from error


def _provisioned(found: Mapping[str, Any]) -> Provisioned:
    until = cast("datetime | None", found.get("commitmentExpirationTime"))
    return Provisioned(
        arn=str(found["provisionedModelArn"]),
        name=str(found["provisionedModelName"]),
        status=str(found["status"]),
        units=int(found.get("modelUnits", 0)),
        model_arn=str(found.get("modelArn", "")),
        committed_until=until.isoformat() if until else None,
    )
