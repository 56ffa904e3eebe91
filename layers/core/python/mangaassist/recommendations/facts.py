"""What a turn wishes for and what it is recommended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from mangaassist.store.facts import Offer, Product, Profile

MOST_OF_A_SERIES: Final = 3
"""In any ten neighbours (CAT-4)."""
Source = Literal["personalize", "popularity"]
"""Who proposed it. What the fallback proposed is never passed off as personal."""
Reason = Literal["similar", "for_you", "popular"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is known about who asks, and for what."""

    shopper: str | None = None
    """The customer's id, or an anonymous session's; ``None`` where recommendations must not depend on who asks."""
    like: tuple[str, ...] = ()
    """ASINs that the shopper names or looks at, the most important first."""
    genres: tuple[str, ...] = ()
    """In the catalogue's terms; only titles of at least one of them are recommended."""
    without: frozenset[str] = frozenset()
    """ASINs not to recommend: owned, or shown before."""
    profile: Profile | None = None
    """Without one nothing mature is recommended."""
    other_series: bool = False
    """Whether to leave out every title of the series that ``like`` and ``without`` belong to, not only those ASINs."""
    popular: bool = False
    """What most people read is wished for: nobody's taste is asked about."""
    most_of_a_series: int = MOST_OF_A_SERIES
    """1 where every title stands for its series."""
    limit: int = 10


@dataclass(frozen=True, slots=True)
class Proposal:
    """An ASIN before anything is known about it; ``seed`` is what it is similar to."""

    asin: str
    source: Source
    reason: Reason
    seed: str | None = None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One title to show. ``rank`` counts from 1; facts are ``None`` where their service did not answer."""

    asin: str
    rank: int
    source: Source
    reason: Reason
    seed: str | None = None
    product: Product | None = None
    offer: Offer | None = None


@dataclass(frozen=True, slots=True)
class Recommended:
    """Best first. ``degraded`` names the parts that did not answer, in the words of the turn's metadata."""

    items: tuple[Recommendation, ...] = ()
    degraded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A proposal that may be shown, with what diversity looks at."""

    proposal: Proposal
    series_id: str
    genres: tuple[str, ...] = field(default=())
    product: Product | None = None
    offer: Offer | None = None
