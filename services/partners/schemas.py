"""What several routers say in the same words: ids, amounts, times, and parameters of that kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Depends, Path, Query, Request
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, WithJsonSchema

from services.partners.database.sessions import Database
from services.partners.money import CURRENCY, PRICE_PATTERN, decimal_text

ASIN_PATTERN = r"^[A-Z0-9]{10}$"
ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
MOST_ASINS = 100
EXAMPLE_ASIN = "B0C62K7GJL"
EXAMPLE_TIME = "2026-11-02T09:30:00Z"

Asin = Annotated[str, Field(pattern=ASIN_PATTERN, examples=[EXAMPLE_ASIN])]
Identifier = Annotated[str, Field(pattern=ID_PATTERN)]
Instant = Annotated[AwareDatetime, Field(examples=[EXAMPLE_TIME])]
"""Always UTC here, so it is written with a ``Z``."""

AsinPath = Annotated[str, Path(pattern=ASIN_PATTERN, examples=[EXAMPLE_ASIN])]
CustomerPath = Annotated[str, Path(pattern=ID_PATTERN, examples=["customer-0001"])]
OrderPath = Annotated[str, Path(pattern=ID_PATTERN, examples=["order-0001-01"])]
AsinsQuery = Annotated[
    list[Asin],
    Query(
        min_length=1,
        max_length=MOST_ASINS,
        description="Repeat the parameter for several; a repeated ASIN is answered once.",
        examples=[[EXAMPLE_ASIN]],
    ),
]

_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})"
)


def _instant(text: str) -> datetime:
    try:
        if not _TIME.fullmatch(text):
            raise ValueError(text)
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("a time is written like 2026-11-02T09:30:00Z (a + must be sent as %2B)") from None


InstantText = Annotated[
    str,
    AfterValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": [EXAMPLE_TIME]}),
]
"""A time as a parameter; a ``datetime`` once validated."""


class Answer(BaseModel):
    """What a route says."""

    model_config = ConfigDict(frozen=True)


class Money(Answer):
    """Decimal text, because an amount is never a float."""

    amount: str = Field(pattern=r"^(?:0|[1-9][0-9]*)\.[0-9]{2}$", examples=["9.99"])
    currency: Literal["USD"] = CURRENCY

    @classmethod
    def of(cls, cents: int) -> Money:
        """From whole cents."""
        return cls(amount=decimal_text(cents))


class Price(BaseModel):
    """An amount as a request states it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: str = Field(pattern=PRICE_PATTERN, examples=["7.99"], description="0.01 to 99999.99")
    currency: Literal["USD"] = CURRENCY


def whole_number(value: object) -> object:
    """For a field's validator before it. Not strict, which would refuse 3.0, an integer to JSON Schema.

    Raises:
        ValueError: a truth or a text is no number.
    """
    if isinstance(value, bool | str):
        raise ValueError("must be a whole number")
    return value


def optional_money(cents: int | None) -> Money | None:
    """From whole cents, where there are any."""
    return None if cents is None else Money.of(cents)


def each_once(asins: Sequence[str]) -> list[str]:
    """Without repeats, in the order asked."""
    return list(dict.fromkeys(asins))


Clock = Callable[[], datetime]
"""Now, in UTC."""


async def _database(request: Request) -> Database:
    return request.app.state.database


async def _now(request: Request) -> datetime:
    clock: Clock = request.app.state.clock
    # Whole seconds: the answers have no finer ones, and what is written must read back the same.
    return clock().astimezone(UTC).replace(microsecond=0)


Store = Annotated[Database, Depends(_database)]
Now = Annotated[datetime, Depends(_now)]
