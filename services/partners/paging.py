"""Pages by position, not by number: what is added meanwhile neither repeats nor hides an entry.

A token holds where the next page starts and a digest that ties it to its list. It is opaque and not a secret: a forged one
could only start elsewhere in a list that its bearer may read anyway, so it is not signed, and it outlives a restart.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query

from services.partners.problems import Problem

DEFAULT_LIMIT = 20
HIGHEST_LIMIT = 100
LONGEST_TOKEN = 512
_DIGEST_BYTES = 9

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
        return Position(datetime.fromisoformat(at), key)
    except (ValueError, TypeError, UnicodeError, binascii.Error):
        raise BadPageToken from None


def _digest(of_list: Sequence[str], content: bytes) -> bytes:
    named = json.dumps(list(of_list)).encode()
    return hashlib.blake2b(content, key=hashlib.sha256(named).digest(), digest_size=_DIGEST_BYTES).digest()
