"""The rules of a diverse list hold for whatever is proposed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangaassist.recommendations.diversity import MOST_OF_A_SERIES, WINDOW, diversified
from mangaassist.recommendations.facts import Candidate, Proposal

CANDIDATES = st.lists(
    st.tuples(
        st.sampled_from("ABCDE"), st.lists(st.sampled_from(["Horror", "Romance", "Drama"]), unique=True)
    ),
    max_size=40,
).map(lambda drawn: [candidate(place, *each) for place, each in enumerate(drawn)])


def candidate(place: int, series: str, genres: list[str]) -> Candidate:
    return Candidate(Proposal(f"B0{place:08d}", "personalize", "for_you"), series, tuple(genres))


def series_of(chosen: tuple[Candidate, ...]) -> str:
    return "".join(each.series_id for each in chosen)


@pytest.mark.req("CAT-4")
@given(CANDIDATES, st.integers(1, 30))
def test_no_ten_neighbours_hold_more_than_three_of_a_series(candidates: list[Candidate], limit: int) -> None:
    chosen = series_of(diversified(candidates, limit))
    for start in range(len(chosen)):
        window = chosen[start : start + WINDOW]
        assert max(map(window.count, window)) <= MOST_OF_A_SERIES


@given(CANDIDATES, st.integers(1, 30))
def test_nothing_is_invented_or_repeated_and_a_short_list_had_no_choice(
    candidates: list[Candidate], limit: int
) -> None:
    chosen = diversified(candidates, limit)
    assert len(set(chosen)) == len(chosen) <= limit
    assert set(chosen) <= set(candidates)
    if len(chosen) < limit:
        window = series_of(chosen)[-(WINDOW - 1) :]
        assert all(window.count(each.series_id) == MOST_OF_A_SERIES for each in set(candidates) - set(chosen))


@given(CANDIDATES, st.integers(1, 30))
def test_the_best_stays_first_and_the_choice_is_the_same_again(
    candidates: list[Candidate], limit: int
) -> None:
    chosen = diversified(candidates, limit)
    assert chosen[:1] == tuple(candidates[:1])
    assert diversified(list(candidates), limit) == chosen


def test_after_two_of_a_genre_another_one_overtakes() -> None:
    candidates = [candidate(place, str(place), ["Horror"]) for place in range(4)]
    candidates.append(candidate(4, "x", ["Romance"]))
    assert series_of(diversified(candidates, 5)) == "01x23"


def test_the_genre_that_was_asked_for_does_not_tire() -> None:
    candidates = [candidate(place, str(place), ["Horror"]) for place in range(4)]
    candidates.append(candidate(4, "x", ["Horror", "Romance"]))
    assert series_of(diversified(candidates, 5, asked_for=["Horror"])) == "0123x"


def test_relevance_is_overtaken_by_few_places_only() -> None:
    candidates = [candidate(place, str(place), ["Horror"]) for place in range(8)]
    candidates.append(candidate(8, "x", ["Romance"]))
    assert series_of(diversified(candidates, 5)) == "0123x"
