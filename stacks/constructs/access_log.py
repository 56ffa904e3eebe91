"""One JSON line per request for the two APIs: which route, how it ended, how long it took; never a header or a body."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import jsii
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk.aws_apigateway import AccessLogFormat
from constructs import Construct

from stacks.constructs.log_group import log_group
from stacks.environments import EnvironmentSettings

COMMON_FIELDS: Final = (
    "requestId",
    "extendedRequestId",
    "requestTime",
    "routeKey",
    "status",
    "integrationLatency",
    "integrationErrorMessage",
    "error.message",
)


@jsii.implements(apigatewayv2.IAccessLogSettings)
class AccessLog:
    """Access log settings of a stage, with a log group of its own."""

    def __init__(
        self, scope: Construct, *, settings: EnvironmentSettings, name: str, fields: Sequence[str] = ()
    ) -> None:
        """
        Args:
            scope: the API construct.
            settings: the environment.
            name: last part of the log group's name.
            fields: ``$context`` variables beyond the common ones.
        """
        self._group = log_group(scope, "AccessLogs", settings=settings, name=name)
        self._line = json.dumps({field: f"$context.{field}" for field in (*COMMON_FIELDS, *fields)})

    @property
    def destination(self) -> apigatewayv2.IAccessLogDestination:
        return apigatewayv2.LogGroupLogDestination(self._group)

    @property
    def format(self) -> AccessLogFormat:
        return AccessLogFormat.custom(self._line)
