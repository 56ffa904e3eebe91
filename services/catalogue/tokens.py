"""Opaque tokens: where a page ended, and up to which change a watcher has seen.

They are validated, not signed: what they grant is public, every task behind the load balancer must understand those of
every other, and a secret to share would be one more to rotate. A checksum over token and query tells a token that was
cut, edited or sent with another query.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

VERSION: Final = 1
CHECKSUM_BYTES: Final = 8
LONGEST: Final = 512


class BadToken(Exception):
    """The token is not one of ours, or belongs to another query."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a product stands in its answer: match, standing, series, volume. Pages go on after a place, not a number,
    so what is added or removed meanwhile neither repeats nor hides anything else."""

    match: int
    ratings: int
    rating: int
    series_id: str
    volume: int


@dataclass(frozen=True, slots=True)
class Position:
    """How far a change log was read: ``log`` is its identity, ``sequence`` its last entry that was dealt with."""

    log: str
    sequence: int


def page_token(place: Place, query: Sequence[object]) -> str:
    """The token for what follows ``place`` in the answer to ``query``."""
    return _sealed(
        [VERSION, place.match, place.ratings, place.rating, place.series_id, place.volume], ["page", *query]
    )


def read_page_token(token: str, query: Sequence[object]) -> Place:
    """The place a token stands for.

    Raises:
        BadToken: it is not one that ``query`` was answered with.
    """
    match _opened(token, ["page", *query]):
        case [1, int(matched), int(ratings), int(rating), str(series_id), int(volume)]:
            return Place(matched, ratings, rating, series_id, volume)
        case _:
            raise BadToken


def resume_token(position: Position) -> str:
    """The token for what follows ``position``."""
    return _sealed([VERSION, position.log, position.sequence], ["resume"])


def read_resume_token(token: str) -> Position:
    """The position a token stands for.

    Raises:
        BadToken: it is none.
    """
    match _opened(token, ["resume"]):
        case [1, str(log), int(sequence)] if sequence >= 0:
            return Position(log, sequence)
        case _:
            raise BadToken


def _sealed(content: Sequence[object], purpose: Sequence[object]) -> str:
    payload = _json(content)
    return base64.urlsafe_b64encode(_checksum(payload, purpose) + payload).rstrip(b"=").decode()


def _opened(token: str, purpose: Sequence[object]) -> list[Any]:
    if len(token) > LONGEST or not token.isascii():
        raise BadToken
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise BadToken from None
    checksum, payload = raw[:CHECKSUM_BYTES], raw[CHECKSUM_BYTES:]
    if checksum != _checksum(payload, purpose):
        raise BadToken
    try:
        content = json.loads(payload)
    except ValueError:
        raise BadToken from None
    return cast("list[Any]", content) if isinstance(content, list) else []


def _checksum(payload: bytes, purpose: Sequence[object]) -> bytes:
    return hashlib.blake2b(_json(purpose) + b"\0" + payload, digest_size=CHECKSUM_BYTES).digest()


def _json(content: Sequence[object]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
