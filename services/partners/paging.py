"""Pages by position, not by number: what is added meanwhile neither repeats nor hides an entry.

A token holds where the next page starts and a digest that ties it to its list. It is opaque and not a secret: a forged one
could only start elsewhere in a list that its bearer may read anyway, so it is not signed, and it outlives a restart.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from fastapi import Query
from sqlalchemy import Select, and_, or_
from sqlalchemy.orm import InstrumentedAttribute

from services.partners.problems import Problem

DEFAULT_LIMIT = 20
HIGHEST_LIMIT = 100
LONGEST_TOKEN = 512
_DIGEST_BYTES = 9
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Ids and revisions."""

Entry = TypeVar("Entry")

LimitQuery = Annotated[int, Query(ge=1, le=HIGHEST_LIMIT, description="Entries of a page, at most.")]
PageTokenQuery = Annotated[
    str,
    Query(
        max_length=LONGEST_TOKEN,
        description="`next_page_token` of the page before; empty for the first page.",
    ),
]


class BadPageToken(Problem):
    """Not given out, or for another list."""

    def __init__(self) -> None:
        super().__init__(
            400,
            "this page token was not given out for this list: send next_page_token as it was, or none",
            kind="bad-page-token",
        )


@dataclass(frozen=True)
class Position:
    """The last entry of a page: its time and what tells entries of one time apart."""

    at: datetime
    key: str


def encode(of_list: Sequence[str], position: Position) -> str:
    """The token for what follows ``position`` in the list that ``of_list`` names."""
    content = json.dumps(
        [position.at.astimezone(UTC).isoformat(), position.key], separators=(",", ":")
    ).encode()
    return base64.urlsafe_b64encode(_digest(of_list, content) + content).rstrip(b"=").decode("ascii")


def decode(of_list: Sequence[str], token: str) -> Position | None:
    """Where the page starts; None for the first.

    Raises:
        BadPageToken: anything but a token of this list.
    """
    if not token:
        return None
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        raw = base64.b64decode(padded, altchars=b"-_", validate=True)
        digest, content = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
        if digest != _digest(of_list, content):
            raise BadPageToken
        at, key = json.loads(content)
        if not _KEY.fullmatch(key):
            # Forged: it could hold what no database takes, such as half a surrogate pair.
            raise BadPageToken
        return Position(datetime.fromisoformat(at).astimezone(UTC), key)
    except (ValueError, TypeError, OverflowError, binascii.Error):
        raise BadPageToken from None


def newest_first(
    statement: Select[Entry],
    at: InstrumentedAttribute[datetime],
    key: InstrumentedAttribute[str],
    position: Position | None,
    limit: int,
) -> Select[Entry]:
    """The entries after ``position``, and one more than ``limit``, which says that there is a next page."""
    if position is not None:
        statement = statement.where(or_(at < position.at, and_(at == position.at, key < position.key)))
    return statement.order_by(at.desc(), key.desc()).limit(limit + 1)


def next_page_token(
    of_list: Sequence[str], found: Sequence[Entry], limit: int, last: Callable[[Entry], Position]
) -> str:
    """The token of the page after the first ``limit`` of ``found``; empty when they are all."""
    return encode(of_list, last(found[limit - 1])) if len(found) > limit else ""


def _digest(of_list: Sequence[str], content: bytes) -> bytes:
    named = json.dumps(list(of_list)).encode()
    return hashlib.blake2b(content, key=hashlib.sha256(named).digest(), digest_size=_DIGEST_BYTES).digest()
