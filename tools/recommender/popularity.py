"""The list that stands in for the recommender when nobody answers: the catalogue's most read series, and each genre's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tools.recommender.titles import Titles

OVERALL = 200
BY_GENRE = 25
ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "layers/core/python/mangaassist/recommendations/data/popularity.json"


def popular(titles: Titles) -> dict[str, Any]:
    """First volumes by the community's rating count, most first; ids break ties."""
    order = sorted(range(len(titles)), key=lambda row: (-titles.readers[row], titles.series_ids[row]))
    kept = set(order[:OVERALL])
    for genre in sorted(frozenset[str]().union(*titles.genres)):
        kept.update([row for row in order if genre in titles.genres[row]][:BY_GENRE])
    return {
        "made_by": "python -m tools.recommender popularity",
        "titles": [
            {
                "asin": titles.volumes[row][0],
                "series_id": titles.series_ids[row],
                "genres": sorted(titles.genres[row]),
                "mature": bool(titles.mature[row]),
            }
            for row in order
            if row in kept
        ],
    }


def text(titles: Titles) -> str:
    """The file: one title a line, so that a change of the catalogue reads as one."""
    document = popular(titles)
    lines = ",\n".join("    " + json.dumps(each, ensure_ascii=False) for each in document["titles"])
    return f'{{\n  "made_by": {json.dumps(document["made_by"])},\n  "titles": [\n{lines}\n  ]\n}}\n'
