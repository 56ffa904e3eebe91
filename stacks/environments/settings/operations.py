"""What operators see and keep: alarms, dashboards, logs, the audit."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stacks.environments.settings.base import Settings

LogRetentionDays = Literal[1, 7, 14, 30, 60, 90, 180, 365]
"""Of the steps CloudWatch Logs offers, those in use."""


class Alerting(Settings):
    """Who hears of an alarm, and where its runbook is read."""

    email: str | None = Field(default=None, pattern=r"^[^@\s]+@[^@\s]+$")
    """Subscribed to every severity when set; pager integrations subscribe to the topics by themselves."""
    runbook_base: str = "docs/runbooks"
    """Prefix of the runbook links in alarm descriptions: a path of the repository, or its address on the web."""
    monthly_budget_usd: int | None = Field(default=None, gt=0)


class Observability(Settings):
    """Dashboards, and alarms on everything that AWS and the product report."""

    anomaly_detection: bool = False
    """Alarms on what is unusual. They learn from two weeks of real traffic, which only a shop that is open has."""


class LogArchive(Settings):
    """Logs in a bucket, after their hot days in CloudWatch (SEC-7)."""

    years: int = Field(default=7, ge=1)


class Audit(Settings):
    """CloudTrail and Config rules, for an account that this environment has for itself."""

    archive_years: int = Field(default=7, ge=1)
