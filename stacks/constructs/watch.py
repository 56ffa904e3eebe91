"""Alarms on what AWS reports about its resources, each in the stack of the resource it watches.

Called once all stacks stand, so that a function which is added tomorrow is watched without anybody thinking of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb

from stacks.constructs.alarm import Severity, alarm
from stacks.constructs.http_api import HttpApi
from stacks.constructs.product_metrics import share
from stacks.constructs.python_function import PythonFunction
from stacks.constructs.websocket_api import WebSocketApi
from stacks.environments import EnvironmentSettings

SLOW_SHARE: Final = 0.8
"""Of a function's time-out: past it, the next slow dependency ends it."""
REPLICA_MINUTES: Final = 5
"""Replicas are seconds behind; the RPO is an hour (IAC-4), and mending takes a part of it."""
OPERATIONS: Final = (
    dynamodb.Operation.GET_ITEM,
    dynamodb.Operation.PUT_ITEM,
    dynamodb.Operation.UPDATE_ITEM,
    dynamodb.Operation.DELETE_ITEM,
    dynamodb.Operation.QUERY,
    dynamodb.Operation.BATCH_GET_ITEM,
    dynamodb.Operation.BATCH_WRITE_ITEM,
)


def watch_function(
    function: PythonFunction, *, settings: EnvironmentSettings, errors: bool = True
) -> dict[str, cloudwatch.Alarm]:
    """Alarms on errors (unless they are somebody else's), throttles and slowness, by these names."""
    made: dict[str, cloudwatch.Alarm] = {}
    if errors:
        made["errors"] = alarm(
            function,
            "ErrorsAlarm",
            settings=settings,
            what=f"The {function.folder} function ends in errors",
            runbook="function-errors",
            severity=Severity.TICKET,
            metric=function.alias.metric_errors(period=Duration.minutes(1)),
            threshold=3,
            evaluation_periods=5,
            datapoints_to_alarm=3,
        )
    made["throttles"] = alarm(
        function,
        "ThrottlesAlarm",
        settings=settings,
        what=f"Lambda refuses to run the {function.folder} function: too many at once",
        runbook="function-throttled",
        severity=Severity.TICKET,
        metric=function.alias.metric_throttles(period=Duration.minutes(1)),
        threshold=0,
        evaluation_periods=3,
        datapoints_to_alarm=2,
    )
    made["duration"] = alarm(
        function,
        "DurationAlarm",
        settings=settings,
        what=f"The {function.folder} function comes close to its time-out",
        runbook="function-slow",
        severity=Severity.TICKET,
        metric=function.alias.metric_duration(period=Duration.minutes(5), statistic="p99"),
        threshold=SLOW_SHARE * 1_000 * function.timeout_seconds,
        evaluation_periods=3,
        datapoints_to_alarm=2,
        ignore_few_samples=True,
    )
    return made


def watch_table(
    table: dynamodb.ITableV2, *, settings: EnvironmentSettings, what: str
) -> list[cloudwatch.Alarm]:
    """Alarms on throttled calls, on errors inside DynamoDB, and on replicas that fall behind."""
    scope = Stack.of(table)
    name = table.node.id
    throttled = cloudwatch.MathExpression(
        expression="reads + writes",
        using_metrics={
            "reads": table.metric("ReadThrottleEvents", statistic="Sum"),
            "writes": table.metric("WriteThrottleEvents", statistic="Sum"),
        },
        period=Duration.minutes(1),
        label="throttled calls",
    )
    replicas = [
        alarm(
            scope,
            f"{name}Replica{''.join(part.capitalize() for part in region.split('-'))}Alarm",
            settings=settings,
            what=f"The copy of the table of {what} in {region} is over {REPLICA_MINUTES} minutes behind: that much would be "
            "lost with this region",
            runbook="table-replica-behind",
            severity=Severity.TICKET,
            # Nothing written, nothing reported; a region that cannot be reached reports growing latency.
            metric=table.metric(
                "ReplicationLatency",
                dimensions_map={"TableName": table.table_name, "ReceivingRegion": region},
                statistic="Average",
                period=Duration.minutes(5),
            ),
            threshold=REPLICA_MINUTES * 60_000,
            evaluation_periods=3,
            datapoints_to_alarm=2,
        )
        for region in settings.replica_regions
    ]
    return [
        *replicas,
        alarm(
            scope,
            f"{name}ThrottledAlarm",
            settings=settings,
            what=f"DynamoDB throttles calls to the table of {what}",
            runbook="table-throttled",
            severity=Severity.TICKET,
            metric=throttled,
            threshold=0,
            evaluation_periods=5,
            datapoints_to_alarm=3,
        ),
        alarm(
            scope,
            f"{name}SystemErrorsAlarm",
            settings=settings,
            what=f"DynamoDB fails on the table of {what}",
            runbook="table-errors",
            severity=Severity.TICKET,
            metric=table.metric_system_errors_for_operations(
                operations=list(OPERATIONS), period=Duration.minutes(1)
            ),
            threshold=5,
            evaluation_periods=3,
            datapoints_to_alarm=2,
        ),
    ]


def watch_websocket(api: WebSocketApi, *, settings: EnvironmentSettings) -> dict[str, cloudwatch.Alarm]:
    """Alarms on frames that our side failed, ``errors`` and the many, ``broken``, and on those of clients."""

    def metric(name: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace="AWS/ApiGateway",
            metric_name=name,
            dimensions_map={"ApiId": api.api.api_id, "Stage": api.stage.stage_name},
            statistic="Sum",
            period=Duration.minutes(5),
        )

    ours = cloudwatch.MathExpression(
        expression="integration + execution",
        using_metrics={"integration": metric("IntegrationError"), "execution": metric("ExecutionError")},
        period=Duration.minutes(5),
    )
    failed = share(ours, metric("MessageCount"), minutes=5, label="frames failed on our side, %")
    return {
        "errors": _shares(
            api,
            "ServerErrorsAlarm",
            settings,
            failed,
            2,
            "of the frames shoppers send fail on our side",
            "api-errors",
        ),
        "broken": _shares(
            api,
            "BrokenAlarm",
            settings,
            failed,
            50,
            "of the frames shoppers send fail on our side",
            "chat-down",
        ),
        "clients": _shares(
            api,
            "ClientErrorsAlarm",
            settings,
            share(metric("ClientError"), metric("MessageCount"), minutes=5, label="frames refused, %"),
            20,
            "of what clients send is refused by the gateway: a broken client, or an attack",
            "api-client-errors",
        ),
    }


def watch_http(api: HttpApi, *, settings: EnvironmentSettings) -> dict[str, cloudwatch.Alarm]:
    """Alarms on the shares of 5xx and 4xx."""

    def metric(name: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace="AWS/ApiGateway",
            metric_name=name,
            dimensions_map={"ApiId": api.api.api_id, "Stage": api.stage.stage_name},
            statistic="Sum",
            period=Duration.minutes(5),
        )

    return {
        "errors": _shares(
            api,
            "ServerErrorsAlarm",
            settings,
            share(metric("5xx"), metric("Count"), minutes=5, label="5xx, %"),
            2,
            "of the requests to the HTTP API end in 5xx",
            "api-errors",
        ),
        "clients": _shares(
            api,
            "ClientErrorsAlarm",
            settings,
            share(metric("4xx"), metric("Count"), minutes=5, label="4xx, %"),
            50,
            "of the requests to the HTTP API end in 4xx: a broken client, or an attack",
            "api-client-errors",
        ),
    }


def watch_search(
    scope: Stack, *, settings: EnvironmentSettings, collection_id: str, collection_name: str
) -> list[cloudwatch.Alarm]:
    """Alarms on failing requests and on capacity at its limit."""
    errors = cloudwatch.Metric(
        namespace="AWS/AOSS",
        metric_name="SearchRequestErrors",
        dimensions_map={
            "ClientId": scope.account,
            "CollectionId": collection_id,
            "CollectionName": collection_name,
        },
        statistic="Sum",
        period=Duration.minutes(1),
    )
    made = [
        alarm(
            scope,
            "RequestErrorsAlarm",
            settings=settings,
            what="OpenSearch fails on searches",
            runbook="search-errors",
            severity=Severity.TICKET,
            metric=errors,
            threshold=5,
            evaluation_periods=3,
            datapoints_to_alarm=2,
        )
    ]
    for purpose in ("Search", "Indexing"):
        made.append(
            alarm(
                scope,
                f"{purpose}CapacityAlarm",
                settings=settings,
                what=f"OpenSearch uses over 80% of the {purpose.lower()} capacity it may have",
                runbook="search-at-its-limit",
                severity=Severity.TICKET,
                # By query, because the dimensions differ between collections by themselves and those in groups.
                metric=over_all("AWS/AOSS", f"{purpose}OCU", "MAX", minutes=5),
                threshold=0.8 * settings.search.max_ocu,
                comparison=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
                evaluation_periods=6,
                datapoints_to_alarm=4,
            )
        )
    return made


def watch_models(scope: Stack, *, settings: EnvironmentSettings) -> list[cloudwatch.Alarm]:
    """Alarms on Bedrock: throttles and errors, over whichever models operators have chosen."""
    found: Sequence[tuple[str, str, str, str, float]] = (
        (
            "ModelThrottlesAlarm",
            "InvocationThrottles",
            "Bedrock throttles our calls of models",
            "model-throttled",
            10,
        ),
        (
            "ModelErrorsAlarm",
            "InvocationServerErrors",
            "Bedrock fails on our calls of models",
            "model-slow-or-down",
            5,
        ),
        (
            "ModelClientErrorsAlarm",
            "InvocationClientErrors",
            "Bedrock refuses our calls: a retired model, a missing permission or a parameter it does not know",
            "model-refused",
            5,
        ),
    )
    return [
        alarm(
            scope,
            id,
            settings=settings,
            what=what,
            runbook=runbook,
            severity=Severity.TICKET,
            metric=over_all("AWS/Bedrock", name, "SUM", minutes=1),
            threshold=threshold,
            evaluation_periods=5,
            datapoints_to_alarm=3,
        )
        for id, name, what, runbook, threshold in found
    ]


def over_all(namespace: str, name: str, statistic: str, *, minutes: int) -> cloudwatch.MathExpression:
    """A metric over all of its dimensions, in this account and region, by a Metrics Insights query."""
    return cloudwatch.MathExpression(
        expression=" ".join(("SELECT", f"{statistic}({name})", "FROM", f'"{namespace}"')),
        using_metrics={},
        period=Duration.minutes(minutes),
        label=name,
    )


def _shares(
    scope: WebSocketApi | HttpApi,
    id: str,
    settings: EnvironmentSettings,
    metric: cloudwatch.IMetric,
    percent: float,
    what: str,
    runbook: str,
) -> cloudwatch.Alarm:
    return alarm(
        scope,
        id,
        settings=settings,
        what=f"Over {percent}% {what}",
        runbook=runbook,
        severity=Severity.TICKET,
        metric=metric,
        threshold=percent,
        evaluation_periods=3,
        datapoints_to_alarm=2,
    )
