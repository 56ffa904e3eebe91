"""Not ten volumes of one series: a pure, deterministic choice among candidates in their order."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mangaassist.recommendations.facts import MOST_OF_A_SERIES, Candidate

WINDOW = 10
"""Neighbours of which only so many may be of one series."""
LOOKAHEAD = 5
"""A title of another kind may overtake so many others, no more: relevance comes first."""
SAME_GENRE_RUN = 2
"""After so many titles that share a genre, one without it is looked for."""


def diversified(
    candidates: Sequence[Candidate],
    limit: int,
    *,
    asked_for: Collection[str] = (),
    most_of_a_series: int = MOST_OF_A_SERIES,
) -> tuple[Candidate, ...]:
    """At most ``limit`` of the candidates.

    The series rule always holds, though it make the list shorter. Genres spread as far as ``LOOKAHEAD`` allows; those
    that were asked for do not count, since all titles are to have them.
    """
    left, chosen = list(candidates), list[Candidate]()
    while left and len(chosen) < limit:
        eligible = [each for each in left if _has_room(each.series_id, chosen, most_of_a_series)]
        if not eligible:
            break
        tiring = _run(chosen) - set(asked_for)
        best = next((each for each in eligible[:LOOKAHEAD] if tiring.isdisjoint(each.genres)), eligible[0])
        chosen.append(best)
        left.remove(best)
    return tuple(chosen)


def _has_room(series_id: str, chosen: Sequence[Candidate], most: int) -> bool:
    window = chosen[-(WINDOW - 1) :]
    return sum(each.series_id == series_id for each in window) < most


def _run(chosen: Sequence[Candidate]) -> frozenset[str]:
    """Genres that all of the last titles share."""
    shared = [frozenset(each.genres) for each in chosen[-SAME_GENRE_RUN:]]
    return frozenset[str]() if len(shared) < SAME_GENRE_RUN else shared[0].intersection(*shared[1:])
