"""The numbers and words of the world, from ``data``; and chance that is the same everywhere."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

FOLDER = Path(__file__).resolve().parent / "data"


@cache
def rules(name: str) -> dict[str, Any]:
    """One data file, read once."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))


def world_rules(table: str) -> dict[str, Any]:
    """One table of ``world.toml``."""
    found: dict[str, Any] = rules("world")[table]
    return found


def chance(about: str) -> Random:
    """Numbers that depend on nothing but ``about``; Python seeds by a text's bytes, not by its ``hash()``."""
    return Random(about)  # noqa: S311 - a made-up world, not a secret


def between(numbers: Random, bounds: list[int]) -> int:
    """A whole number of a ``[lowest, highest]`` rule."""
    return numbers.randint(bounds[0], bounds[1])


def some_time_of_day(numbers: Random) -> timedelta:
    """Into a day, to the second."""
    return timedelta(seconds=numbers.randrange(24 * 60 * 60))
