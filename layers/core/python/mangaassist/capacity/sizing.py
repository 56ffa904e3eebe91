"""What one unit of each resource carries (``data/sizing.json``). Standard library only: the stacks read it too."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

SIZING_FILE: Final = Path(__file__).parent / "data" / "sizing.json"


@dataclass(frozen=True, slots=True)
class Sizing:
    """Shoppers at the same moment per unit, by resource, and the sizes OpenSearch sells."""

    concurrency_per_unit: dict[str, float]
    search_ocu_steps: tuple[int, ...]


@cache
def sizing() -> Sizing:
    """The committed figures."""
    document = json.loads(SIZING_FILE.read_text(encoding="utf-8"))
    return Sizing(dict(document["concurrency_per_unit"]), tuple(document["search_ocu_steps"]))
