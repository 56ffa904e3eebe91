"""Dated prices and the planned workload, read from their files."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

DATA = Path(__file__).parent / "data"
HOURS_PER_MONTH = 730
Share = Annotated[float, Field(ge=0, le=1)]


class UnknownPrice(KeyError):
    """The price list has no ``name``."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"no price for {name}: add it to tools/cost/data/prices.json with its source")


class CostData(BaseModel):
    """Closed and immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Price(CostData):
    """One price: what for, where it was read and how sure we are."""

    usd: Annotated[float, Field(gt=0)]
    unit: str
    source: Annotated[str, Field(min_length=5)]
    confidence: Literal["confirmed", "likely", "could not confirm"]


class PriceList(CostData):
    """Every price, and the day they were looked up."""

    as_of: date
    region: str
    currency: Literal["USD"]
    note: str
    prices: dict[str, Price]

    def usd(self, name: str) -> float:
        """The price of one unit, or of one of the million that its unit names."""
        price = self.prices.get(name)
        if price is None:
            raise UnknownPrice(name)
        return price.usd / (1_000_000 if price.unit.startswith("1M ") else 1)

    def unconfirmed(self) -> tuple[str, ...]:
        """Names of the prices that nobody could confirm."""
        return tuple(name for name, each in self.prices.items() if each.confidence == "could not confirm")


class Background(CostData):
    """Model calls that no shopper waits for: summaries, preferences."""

    model: str
    calls_per_message: float
    prompt_tokens: int
    answer_tokens: int


class Workload(CostData):
    """What a message is made of, on average."""

    as_of: date
    note: str
    messages_per_month: Annotated[int, Field(gt=0)]
    answered_by: dict[Literal["strong", "economy", "template"], Share]
    models: dict[Literal["strong", "economy"], str]
    prompt_tokens: int
    cached_prompt_tokens: int
    answer_tokens: int
    background: Background
    embedded_tokens: int
    retrieval_share: Share
    message_seconds: float
    guardrail_seconds: float
    guardrail_memory_mb: int
    posts_per_message: int
    coalesced_posts_per_message: int
    connection_minutes_per_message: float
    writes_per_message: float
    reads_per_message: float
    log_kb_per_message: float
    egress_kb_per_message: float
    messages_per_conversation: float
    resolved_share: Annotated[float, Field(gt=0, le=1)]
    human_contact_usd: Annotated[float, Field(gt=0)]
    output_quota_multiplier: int
    reconnect_storm_minutes: int
    published_message_usd: tuple[float, float]

    @model_validator(mode="after")
    def _shares_add_up(self) -> Workload:
        if abs(sum(self.answered_by.values()) - 1) > 1e-9:
            raise ValueError("answered_by does not add up to 1")
        return self


class Quota(CostData):
    """A limit of the service before anybody asked for more."""

    name: str
    default: int
    unit: str
    scope: str


class QuotaList(CostData):
    """The quotas that a plan is held against."""

    as_of: date
    source: str
    quotas: tuple[Quota, ...]

    def named(self, name: str) -> Quota:
        """The quota of this name."""
        return next(each for each in self.quotas if each.name == name)


@cache
def prices() -> PriceList:
    """The committed price list."""
    return PriceList.model_validate_json((DATA / "prices.json").read_bytes())


@cache
def workload() -> Workload:
    """The committed workload."""
    return Workload.model_validate_json((DATA / "workload.json").read_bytes())


@cache
def quotas() -> QuotaList:
    """The committed quotas."""
    return QuotaList.model_validate_json((DATA / "quotas.json").read_bytes())
