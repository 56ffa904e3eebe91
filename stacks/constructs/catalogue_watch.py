"""Alarms on the catalogue service: whether tasks answer, how well, and whether there are enough of them."""

from __future__ import annotations

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from constructs import Construct

from mangaassist import metrics
from stacks.constructs.alarm import Severity, alarm
from stacks.constructs.product_metrics import product_metric, share
from stacks.environments import EnvironmentSettings
from stacks.raised import catalogue_cluster, catalogue_service

ERRORS_PERCENT: Final = 5
LATENCY_P99_MS: Final = 100
"""What a turn can spare for one call of several (``capacity/latency_budget.json``)."""
FULL_PERCENT: Final = 85
STALE_SECONDS: Final = 300
"""A change is read within a second or two; after this long something is wrong."""
MINUTE: Final = Duration.minutes(1)


class CatalogueWatch(Construct):
    """Made in two steps: a deployment is rolled back by alarms that are there before the service is."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: EnvironmentSettings,
        targets: elbv2.NetworkTargetGroup,
    ) -> None:
        super().__init__(scope, id)
        self._settings, self._targets = settings, targets
        self.errors = alarm(
            self,
            "ErrorsAlarm",
            settings=settings,
            what=f"Over {ERRORS_PERCENT}% of the calls of the catalogue service end in errors of its own",
            runbook="catalogue-errors",
            severity=Severity.TICKET,
            metric=self._error_share(minutes=1),
            threshold=ERRORS_PERCENT,
            evaluation_periods=5,
            datapoints_to_alarm=3,
        )
        self.latency = alarm(
            self,
            "LatencyAlarm",
            settings=settings,
            what=f"One in a hundred calls of the catalogue service takes over {LATENCY_P99_MS} ms",
            runbook="catalogue-slow",
            severity=Severity.TICKET,
            metric=product_metric(settings, metrics.CATALOGUE_LATENCY_MS, "p99"),
            threshold=LATENCY_P99_MS,
            evaluation_periods=5,
            datapoints_to_alarm=3,
            ignore_few_samples=True,
        )
        self.unhealthy = alarm(
            self,
            "UnhealthyAlarm",
            settings=settings,
            what="A task of the catalogue service does not answer its load balancer",
            runbook="catalogue-down",
            severity=Severity.TICKET,
            metric=targets.metrics.un_healthy_host_count(statistic="Maximum", period=MINUTE),
            threshold=0,
            evaluation_periods=5,
            datapoints_to_alarm=3,
        )

    @property
    def rollback_alarms(self) -> tuple[cloudwatch.Alarm, ...]:
        """Those that a new version must not set off."""
        return self.errors, self.latency, self.unhealthy

    def watch_tasks(self, service: ecs.FargateService) -> None:
        """Alarms that mean something once there are tasks."""
        healthy = self._targets.metrics.healthy_host_count(statistic="Maximum", period=MINUTE)
        for made in (
            alarm(
                self,
                "NoTaskAlarm",
                settings=self._settings,
                what="No task of the catalogue service answers; cards lack what only it knows",
                runbook="catalogue-down",
                severity=Severity.PAGE,
                metric=healthy,
                threshold=1,
                comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
                evaluation_periods=3,
                missing_data=cloudwatch.TreatMissingData.BREACHING,
            ),
            alarm(
                self,
                "MissingTasksAlarm",
                settings=self._settings,
                what="Fewer tasks of the catalogue service run than should, for ten minutes",
                runbook="catalogue-down",
                severity=Severity.TICKET,
                metric=cloudwatch.MathExpression(
                    expression="wanted - running",
                    using_metrics={
                        "wanted": self._counted("DesiredTaskCount"),
                        "running": self._counted("RunningTaskCount"),
                    },
                    period=MINUTE,
                    label="tasks missing",
                ),
                threshold=0,
                evaluation_periods=10,
            ),
            alarm(
                self,
                "StaleAlarm",
                settings=self._settings,
                what=f"A task of the catalogue service has not seen changes for {STALE_SECONDS // 60} minutes",
                runbook="catalogue-stale",
                severity=Severity.TICKET,
                metric=product_metric(self._settings, metrics.CATALOGUE_CHANGE_LOG_AGE_SECONDS, "Maximum"),
                threshold=STALE_SECONDS,
                evaluation_periods=5,
                datapoints_to_alarm=3,
            ),
            *(
                alarm(
                    self,
                    id,
                    settings=self._settings,
                    what=f"Tasks of the catalogue service use over {FULL_PERCENT}% of their {what}",
                    runbook="catalogue-slow",
                    severity=Severity.TICKET,
                    metric=self._used(name),
                    threshold=FULL_PERCENT,
                    evaluation_periods=10,
                    datapoints_to_alarm=8,
                )
                for id, what, name in (
                    ("CpuAlarm", "CPU although scaling had time to add some", "CPUUtilization"),
                    ("MemoryAlarm", "memory", "MemoryUtilization"),
                )
            ),
        ):
            # While the first task starts there is nothing to miss.
            made.node.add_dependency(service)

    def graphs(self) -> dict[str, list[cloudwatch.IMetric]]:
        """What a dashboard shows, by title."""
        return {
            "Catalogue: calls": [
                product_metric(self._settings, metrics.CATALOGUE_REQUESTS, "Sum", minutes=5, label="calls"),
                product_metric(self._settings, metrics.CATALOGUE_ERRORS, "Sum", minutes=5, label="errors"),
                product_metric(
                    self._settings, metrics.CATALOGUE_STALE_ANSWERS, "Sum", minutes=5, label="stale"
                ),
            ],
            "Catalogue: ms": [
                product_metric(
                    self._settings, metrics.CATALOGUE_LATENCY_MS, statistic, minutes=5, label=statistic
                )
                for statistic in ("p50", "p95", "p99")
            ],
            "Catalogue: tasks": [
                self._counted("DesiredTaskCount"),
                self._counted("RunningTaskCount"),
                self._targets.metrics.healthy_host_count(statistic="Maximum", period=MINUTE),
            ],
            "Catalogue: series and watches": [
                product_metric(
                    self._settings, metrics.CATALOGUE_SERIES_LOADED, "Minimum", minutes=5, label="series"
                ),
                product_metric(self._settings, metrics.CATALOGUE_WATCHERS, "Sum", minutes=5, label="watches"),
            ],
            "Catalogue: CPU and memory, %": [self._used("CPUUtilization"), self._used("MemoryUtilization")],
        }

    def _error_share(self, *, minutes: int) -> cloudwatch.MathExpression:
        return share(
            product_metric(self._settings, metrics.CATALOGUE_ERRORS, "Sum", minutes=minutes),
            product_metric(self._settings, metrics.CATALOGUE_REQUESTS, "Sum", minutes=minutes),
            minutes=minutes,
            label="catalogue calls failed, %",
        )

    def _counted(self, name: str) -> cloudwatch.Metric:
        return self._of_service("ECS/ContainerInsights", name)

    def _used(self, name: str) -> cloudwatch.Metric:
        return self._of_service("AWS/ECS", name)

    def _of_service(self, namespace: str, name: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=namespace,
            metric_name=name,
            dimensions_map={
                "ClusterName": catalogue_cluster(self._settings),
                "ServiceName": catalogue_service(self._settings),
            },
            statistic="Average",
            period=MINUTE,
        )
