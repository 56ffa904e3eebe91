"""Shapes that the partners' answers share, and how an answer becomes one: strict in what is read, blind to the rest."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import quote

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mangaassist.errors import DependencyError
from mangaassist.store.facts import Amount

PROBLEMS_TOLD: Final = 3
"""Of a wrong answer's problems so many are named; the first few tell what changed."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Wire(BaseModel):
    """Fields that are not read may come and go; those that are must have their type."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, allow_inf_nan=False)


W = TypeVar("W", bound=Wire)

Asin = Annotated[str, Field(pattern=r"^[A-Z0-9]{10}$")]


def _exists(text: str) -> str:
    """The form alone admits the 31st of February.

    Raises:
        ValueError: there is no such moment.
    """
    datetime.fromisoformat(text)
    return text


# In patterns [0-9], because \d is a digit of any script.
Instant = Annotated[
    str,
    Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z$"),
    AfterValidator(_exists),
]
"""ISO 8601 in UTC, a moment that exists."""
Count = Annotated[int, Field(ge=0)]


class Money(Wire):
    """``{"amount": "9.99", "currency": "USD"}``."""

    amount: Annotated[str, Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,4})?$")]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]

    def fact(self) -> Amount:
        """As the domain knows it."""
        return Amount(self.amount, self.currency)


def or_unknown(known: Collection[str]) -> BeforeValidator:
    """For a closed vocabulary: a word that is not in ``known`` yet is ``"unknown"``, while no word at all is an error."""

    def closed(value: Any) -> Any:
        return "unknown" if isinstance(value, str) and value not in known else value

    return BeforeValidator(closed)


def read(dependency: str, wire: type[W], body: bytes) -> W:
    """``body`` in the shape of ``wire``.

    Raises:
        DependencyError: it has another; the reason names fields and rules, never content.
    """
    try:
        return wire.model_validate_json(body)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        raise DependencyError(dependency, _told(problems)) from None


def _told(problems: list[Any]) -> str:
    told = [f"{'.'.join(map(str, each['loc'])) or 'answer'}: {each['type']}" for each in problems]
    more = len(told) - PROBLEMS_TOLD
    return "; ".join(told[:PROBLEMS_TOLD]) + (f"; and {more} more" if more > 0 else "")


def is_id(*values: str) -> bool:
    """Whether each could be an id of the store's; what could not is unknown without asking."""
    return all(_ID.fullmatch(value) for value in values)


def path_of(template: str, **ids: str) -> str:
    """``template`` with each id as one segment of the path."""
    return template.format(**{name: quote(value, safe="") for name, value in ids.items()})


def belongs(dependency: str, field: str, *, expected: str, actual: str) -> None:
    """Make sure that an answer about somebody is about the one who was asked for.

    Raises:
        DependencyError: it is about another, and must not be shown.
    """
    if actual != expected:
        raise DependencyError(dependency, f"{field}: not the one asked for")
