"""Tokens that were cut, edited or swapped are told from those that were given out."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalogue.tokens import (
    BadToken,
    Place,
    Position,
    page_token,
    read_page_token,
    read_resume_token,
    resume_token,
)

QUERY = ("title", "うずまき", False)
PLACE = Place(0, -10, -400, "MG00032", 1)
PLACES = st.builds(
    Place, st.integers(0, 2), st.integers(), st.integers(), st.text(max_size=40), st.integers(0)
)


@given(PLACES, st.text(max_size=300))
def test_a_page_token_comes_back_as_the_place_it_stands_for(place: Place, term: str) -> None:
    query = ("title", term, True)
    assert read_page_token(page_token(place, query), query) == place


@pytest.mark.parametrize(
    "other", [("creator", "うずまき", False), ("title", "うずまk", False), ("title", "うずまき", True)]
)
def test_a_page_token_of_another_query_is_bad(other: tuple[str, str, bool]) -> None:
    with pytest.raises(BadToken):
        read_page_token(page_token(PLACE, QUERY), other)


@given(st.integers(0), st.integers(1, 255))
def test_an_edited_token_is_bad(place: int, change: int) -> None:
    token = page_token(PLACE, QUERY)
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    raw[place % len(raw)] ^= change
    with pytest.raises(BadToken):
        read_page_token(base64.urlsafe_b64encode(raw).decode().rstrip("="), QUERY)


@given(
    st.text(max_size=600) | st.binary(max_size=300).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
)
def test_anything_else_is_bad(token: str) -> None:
    with pytest.raises(BadToken):
        read_page_token(token, QUERY)
    with pytest.raises(BadToken):
        read_resume_token(token)


@given(st.text(max_size=40), st.integers(0, 10**15))
def test_a_resume_token_comes_back_and_is_no_page_token(log: str, sequence: int) -> None:
    token = resume_token(Position(log, sequence))
    assert read_resume_token(token) == Position(log, sequence)
    with pytest.raises(BadToken):
        read_page_token(token, QUERY)
