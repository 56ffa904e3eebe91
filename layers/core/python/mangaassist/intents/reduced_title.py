"""Which title a question about promotions is about, where its wording says so ("is Vinland Saga on sale?").

A guess from a few ways to ask, for a search of the catalogue to confirm: what it does not find was no title.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from mangaassist.catalogue.terms import genres_in
from mangaassist.language import fold_width, strip_invisible

MAXIMUM_CHARACTERS: Final = 500
"""Of a question that is looked at; a longer one is no plain question about a title."""

_DATA = Path(__file__).parent / "data" / "reduced_title.json"
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class _Wording:
    patterns: tuple[re.Pattern[str], ...]
    """Each has a group ``title``."""
    around: re.Pattern[str]
    """Words beside a title that are not part of it."""
    no_title_en: frozenset[str]
    no_title_ja: re.Pattern[str]
    """Words that stand in a title's place and are none, as long as nothing else stands with them."""

    def is_title(self, words: str) -> bool:
        """Whether anything is left of ``words`` that could be one."""
        english = words.casefold().split()
        return not self.no_title_en.issuperset(english) and bool(self.no_title_ja.sub("", words))


def title_asked_about(question: str) -> str | None:
    """The words that may be a title, as the shopper wrote them; ``None`` for a question about no title in particular.

    A genre ("any deals on horror manga?") is no title, so one with a genre's name in it must stand in quotes.
    """
    text = _SPACES.sub(" ", fold_width(strip_invisible(question))).strip()
    if len(text) > MAXIMUM_CHARACTERS:
        return None
    wording = _wording()
    for pattern in wording.patterns:
        for match in pattern.finditer(text):
            title = wording.around.sub("", match["title"].strip(" 、,'")).strip()
            is_quoted = text[match.start()] in '「『"“'
            if wording.is_title(title) and (is_quoted or not genres_in(title)):
                return title
    return None


@cache
def _wording() -> _Wording:
    document: dict[str, Any] = json.loads(_DATA.read_text("utf-8"))
    no_title_ja: list[str] = document["no_title_ja"].split()
    longest_first = sorted(no_title_ja, key=len, reverse=True)
    return _Wording(
        patterns=tuple(re.compile(each, re.IGNORECASE) for each in document["patterns"]),
        around=re.compile(document["around"], re.IGNORECASE),
        no_title_en=frozenset(document["no_title_en"].split()),
        no_title_ja=re.compile("|".join(map(re.escape, longest_first))),
    )
