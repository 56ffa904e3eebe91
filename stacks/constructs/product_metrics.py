"""The product's own metrics as CloudWatch knows them, for alarms and dashboards."""

from __future__ import annotations

from typing import Final
from zlib import crc32

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from mangaassist.metrics import ENVIRONMENT, NAMESPACE, Metric
from stacks.environments import EnvironmentSettings

ENOUGH: Final = 20
"""Under this many in a period, a share says nothing."""


class UnpublishedDimensions(ValueError):
    """Nothing is published under these dimensions, so nothing would ever be seen."""

    def __init__(self, metric: Metric, names: tuple[str, ...]) -> None:
        self.metric = metric
        self.names = names
        super().__init__(
            f"{metric.name} is published under {metric.dimensions}, not under {names}: see mangaassist.metrics"
        )


def product_metric(
    settings: EnvironmentSettings,
    metric: Metric,
    statistic: str,
    *,
    minutes: int = 1,
    label: str | None = None,
    **dimensions: str,
) -> cloudwatch.Metric:
    """One series of ``metric``: the environment's whole, or the part with these dimensions.

    Raises:
        UnpublishedDimensions: the catalogue has no such series.
    """
    for names in metric.dimensions:
        if set(names) == set(dimensions):
            break
    else:
        raise UnpublishedDimensions(metric, tuple(dimensions))
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=metric.name,
        dimensions_map={ENVIRONMENT: settings.name, **dimensions},
        statistic=statistic,
        period=Duration.minutes(minutes),
        label=label,
    )


def share(
    part: cloudwatch.IMetric, whole: cloudwatch.IMetric, *, minutes: int, label: str, enough: int = ENOUGH
) -> cloudwatch.MathExpression:
    """``part`` in percent of ``whole``, and 0 while there are too few to tell."""
    # Several shares may be drawn in one graph, where a name stands for one metric.
    mark = f"{crc32(label.encode()):08x}"
    return cloudwatch.MathExpression(
        expression=f"IF(whole{mark} >= {enough}, 100 * part{mark} / whole{mark}, 0)",
        using_metrics={f"part{mark}": part, f"whole{mark}": whole},
        period=Duration.minutes(minutes),
        label=label,
    )
