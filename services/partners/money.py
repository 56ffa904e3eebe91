"""Amounts: whole cents inside, decimal text outside, never a float."""

from __future__ import annotations

import re

CURRENCY = "USD"
PRICE_PATTERN = r"^(?:0\.(?:0[1-9]|[1-9][0-9])|[1-9][0-9]{0,4}\.[0-9]{2})$"
"""0.01 to 99999.99, as the feed has prices; an offer for nothing is a mistake."""
_PRICE = re.compile(PRICE_PATTERN.removesuffix("$"))


def cents(amount: str) -> int:
    """``"9.99"`` as 999.

    Raises:
        ValueError: it is no price from 0.01 to 99999.99 with two decimals.
    """
    if not _PRICE.fullmatch(amount):
        raise ValueError("an amount is written like 7.99: from 0.01 to 99999.99, with two decimals")
    return int(amount.replace(".", ""))


def decimal_text(cents: int) -> str:
    """999 as ``"9.99"``."""
    whole, part = divmod(cents, 100)
    return f"{whole}.{part:02d}"
