"""What the twin tells a person when it cannot go on."""

from __future__ import annotations


class TwinError(Exception):
    """One line that says what is wrong and what to do about it."""
