"""What an alarm on the product's own metrics watches, and how that becomes one in CloudWatch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from mangaassist.metrics import Metric
from stacks.constructs.alarm import Severity, alarm
from stacks.constructs.product_metrics import product_metric, share
from stacks.environments import EnvironmentSettings


@dataclass(frozen=True, kw_only=True)
class Series:
    """One series of a metric."""

    metric: Metric
    dimensions: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class Watch:
    """One alarm. ``of`` makes it a share in percent of another metric, ``plus`` adds series to the first."""

    id: str
    series: Series
    statistic: str
    what: str
    runbook: str
    limit: float
    """The last value that is still well."""
    below: bool = False
    of: Metric | None = None
    plus: tuple[Series, ...] = ()
    minutes: int = 1
    periods: int = 5
    breaching: int = 3

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Everything it watches."""
        return (
            self.series.metric,
            *(series.metric for series in self.plus),
            *((self.of,) if self.of else ()),
        )

    @property
    def is_possible(self) -> bool:
        """Whether all of it is emitted: an alarm on silence would look like health."""
        return all(metric.is_emitted for metric in self.metrics)


def product_alarm(scope: Construct, watch: Watch, *, settings: EnvironmentSettings) -> cloudwatch.Alarm:
    """The alarm that ``watch`` describes; it tells the ticket topic."""
    return alarm(
        scope,
        watch.id,
        settings=settings,
        what=watch.what,
        runbook=watch.runbook,
        severity=Severity.TICKET,
        metric=_watched(watch, settings),
        threshold=watch.limit,
        comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
        if watch.below
        else cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        evaluation_periods=watch.periods,
        datapoints_to_alarm=watch.breaching,
        ignore_few_samples=watch.statistic.startswith("p") and watch.of is None,
    )


def _watched(watch: Watch, settings: EnvironmentSettings) -> cloudwatch.IMetric:
    def of(series: Series) -> cloudwatch.Metric:
        return product_metric(
            settings, series.metric, watch.statistic, minutes=watch.minutes, **series.dimensions
        )

    if watch.of is not None:
        return share(
            of(watch.series),
            of(Series(metric=watch.of)),
            minutes=watch.minutes,
            label=watch.what,
        )
    if watch.plus:
        parts = {f"part{number}": of(series) for number, series in enumerate((watch.series, *watch.plus))}
        return cloudwatch.MathExpression(
            # A series that was never published has no values, which add up to nothing.
            expression=" + ".join(f"FILL({name}, 0)" for name in parts),
            using_metrics=dict(parts),
            period=Duration.minutes(watch.minutes),
            label=watch.what,
        )
    return of(watch.series)
