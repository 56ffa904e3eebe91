"""Stage 1 of understanding: rules that answer only when they are sure (INT-2).

The rules are data (``data/rules.json``). A text that fires rules of two intents is not sure, and neither is a long one:
both go to the classifier.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mangaassist.intents.intents import Intent
from mangaassist.language import normalized

MAXIMUM_CHARACTERS = 300
"""A longer text says more than one thing; it also bounds the time a pattern can take."""

_DATA = Path(__file__).parent / "data" / "rules.json"


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """The intent, and the id of the first rule that saw it."""

    intent: Intent
    rule: str


def match(text: str) -> RuleMatch | None:
    """The intent when the rules are sure and agree; ``None`` otherwise."""
    if len(text) > MAXIMUM_CHARACTERS:
        return None
    subject = normalized(text)
    found: RuleMatch | None = None
    for intent, pattern in _patterns():
        fired = pattern.search(subject)
        if fired is None:
            continue
        if found is not None:
            return None
        found = RuleMatch(intent, str(fired.lastgroup))
    return found


@cache
def _patterns() -> tuple[tuple[Intent, re.Pattern[str]], ...]:
    """One pattern per intent: its rules as named alternatives, compiled on first use."""
    document: dict[str, dict[str, str]] = json.loads(_DATA.read_text("utf-8"))
    return tuple(
        (Intent(intent), re.compile("|".join(f"(?P<{rule}>{regex})" for rule, regex in rules.items())))
        for intent, rules in document.items()
    )
