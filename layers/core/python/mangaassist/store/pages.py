"""Where the shop shows what it sells."""

from __future__ import annotations


def series_page(store_url: str, series_id: str) -> str:
    """The page of a series; ``store_url`` has no slash at its end."""
    return f"{store_url}/manga/{series_id}"
