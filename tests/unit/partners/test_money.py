"""Amounts: exact to the cent in both directions, and nothing but amounts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.partners.money import cents, decimal_text


@given(some.integers(1, 9_999_999))
def test_what_is_written_reads_back(amount: int) -> None:
    assert cents(decimal_text(amount)) == amount


@pytest.mark.parametrize(
    "text",
    ["", "0.00", "9.9", "9", "-1.00", "09.99", "1e3", "9.999", "100000.00", "٣.99", "9.99\n", " 9.99", "NaN"],
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"like 7\.99"):
        cents(text)
