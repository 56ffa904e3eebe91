"""Names of other stores, replaced by neutral wording."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from mangaassist.guardrails.detectors import Detector, Scanner, Span
from mangaassist.language import fold_width

TYPE = "COMPETITOR"


@cache
def competitor_detectors() -> tuple[Detector, ...]:
    """One detector per script: Latin names end at word borders, Japanese ones do not."""
    document: dict[str, Any] = json.loads(
        (Path(__file__).parent / "data" / "competitors.json").read_text("utf-8")
    )
    return (
        _detector("en", document, r"(?<![A-Za-z0-9])(?:{names})(?![A-Za-z0-9])"),
        _detector("ja", document, "(?:{names})"),
    )


@cache
def _scanner() -> Scanner:
    return Scanner(competitor_detectors())


def replace_competitors(text: str) -> tuple[str, list[Span]]:
    """``text`` with other stores' names replaced, and where they were."""
    return _scanner().replace(text)


def _detector(language: str, document: dict[str, Any], frame: str) -> Detector:
    names = [fold_width(name) for name in document[language]]
    # Longest first, so that "Right Stuf Anime" is not left as "another store Anime".
    alternatives = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return Detector(
        id=f"competitor_{language}",
        type=TYPE,
        replacement=document["replacements"][language],
        pattern=frame.replace("{names}", alternatives),
        literals=tuple(names),
        ignore_case=True,
    )
