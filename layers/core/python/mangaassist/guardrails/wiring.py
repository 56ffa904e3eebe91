"""Joins the guardrail function to the catalogue table."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from mangaassist.errors import DependencyTimeout
from mangaassist.settings import FunctionSettings

if TYPE_CHECKING:
    from mangaassist.adapters.dynamodb_catalogue import DynamoDBProducts

LOOKUP_SECONDS = 1.0
"""An answer waits no longer than this for one silent lookup; then it is judged without (GRD-4)."""
RETRY_SECONDS = 0.3
"""Longest time spent pausing between attempts of one lookup."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailSettings(FunctionSettings):
    """``catalogue_table`` is the table that ingest writes; the partner that knows listings may be absent."""

    catalogue_table: str
    partners_url: str | None = None
    partners_credential_secret: str | None = None


@dataclass(slots=True)
class Patience:
    """A ``sleep`` that gives up once its budget is spent."""

    budget_seconds: float

    def __call__(self, seconds: float) -> None:
        """Pause.

        Raises:
            DependencyTimeout: the pause would go over the budget.
        """
        if seconds > self.budget_seconds:
            raise DependencyTimeout("catalogue", "retries")
        self.budget_seconds -= seconds
        time.sleep(seconds)


class CatalogueDirectory:
    """Asks the catalogue table, and builds what that takes only when there is something to ask."""

    def known(self, asins: Sequence[str]) -> set[str]:
        """Those of ``asins`` the store knows."""
        return _products(GuardrailSettings.load().catalogue_table).known(asins)


def _products(table: str) -> DynamoDBProducts:
    from mangaassist.adapters.clients import client
    from mangaassist.adapters.dynamodb_catalogue import DynamoDBProducts

    dynamodb = client("dynamodb", read_timeout_seconds=LOOKUP_SECONDS, attempts=1)
    return DynamoDBProducts(dynamodb, table, sleep=Patience(RETRY_SECONDS))


@cache
def directory() -> CatalogueDirectory:
    """The product directory of this execution environment."""
    return CatalogueDirectory()
