"""Joins the guardrail function to the catalogue table and the pricing service."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from mangaassist.errors import DependencyTimeout
from mangaassist.settings import FunctionSettings, MissingSetting

if TYPE_CHECKING:
    from mangaassist.adapters.dynamodb_catalogue import DynamoDBProducts
    from mangaassist.store.facts import TrustSignals
    from mangaassist.store.ports import Pricing

LOOKUP_SECONDS = 1.0
"""An answer waits no longer than this for one silent lookup; then it is judged without (GRD-4)."""
RETRY_SECONDS = 0.3
"""Longest time spent pausing between attempts of one lookup."""


@dataclass(frozen=True, kw_only=True)
class TrustSettings(FunctionSettings):
    """Where the pricing service is; absent where none is deployed, and then listings are not judged."""

    partners_url: str | None = None
    partners_credential_secret: str | None = None
    """ARN of the secret that holds the bearer credential."""
    trust_budget_ms: int = 300
    """Longest wait for the signals of all products of an answer."""


@dataclass(frozen=True, kw_only=True)
class GuardrailSettings(TrustSettings):
    """``catalogue_table`` is the table that ingest writes."""

    catalogue_table: str


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


class PricedListings:
    """Asks the pricing service for the signals of all listings at once."""

    def __init__(self, settings: TrustSettings) -> None:
        self._settings = settings

    def signals(self, asins: Sequence[str]) -> Mapping[str, TrustSignals]:
        """What is known of the listings of ``asins``."""
        import asyncio

        asked = _pricing(self._settings).trust(asins, deadline_ms=self._settings.trust_budget_ms)
        return asyncio.run(asked)


def _pricing(settings: TrustSettings) -> Pricing:
    from mangaassist.adapters.partner_clients import partner_http
    from mangaassist.adapters.partner_pricing import HttpPricing

    if settings.partners_url is None:
        raise MissingSetting("PARTNERS_URL", "is not set")
    if settings.partners_credential_secret is None:
        raise MissingSetting("PARTNERS_CREDENTIAL_SECRET", "is not set, and PARTNERS_URL is")
    # One attempt: a second would not fit into the budget.
    return HttpPricing(partner_http(settings.partners_url, settings.partners_credential_secret, attempts=1))


def trust() -> PricedListings | None:
    """The listings' signals; ``None`` where no pricing service is configured."""
    settings = TrustSettings.load()
    return PricedListings(settings) if settings.partners_url else None
