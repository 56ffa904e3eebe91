"""Stage 1 of understanding: phrases that leave no doubt (INT-2).

A message is decided only when the phrases of exactly one intent occur in it and nothing speaks against that intent.
Whatever is less clear than that is left to the classifier: a wrong sure answer costs more than a second opinion. The
phrases are data, one file per language.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mangaassist.intents.intents import Intent
from mangaassist.language import normalized
from mangaassist.phrases import Phrase, read_phrases

MAXIMUM_CHARACTERS = 300
"""A longer text says more than one thing; it also bounds the time a pattern can take."""
LANGUAGES = ("en", "ja", "zh", "ko")

_DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """The intent, and the id of the first rule that saw it."""

    intent: Intent
    rule: str


@dataclass(frozen=True, slots=True)
class RuleSet:
    """``sure`` phrases decide for an intent; ``against`` phrases keep the rules from deciding for some."""

    sure: tuple[Phrase, ...]
    against: tuple[Phrase, ...]

    def match(self, text: str) -> RuleMatch | None:
        """The intent of a normalized text, or ``None`` when no intent is the only one possible."""
        found: RuleMatch | None = None
        for phrase in self.sure:
            if found is not None and phrase.kind == found.intent:
                continue
            if phrase.occurs_in(text):
                if found is not None:
                    return None
                found = RuleMatch(Intent(phrase.kind), phrase.id)
        if found is None:
            return None
        if any(found.intent in phrase.kind.split() and phrase.occurs_in(text) for phrase in self.against):
            return None
        return found


@cache
def rule_set(languages: tuple[str, ...]) -> RuleSet:
    """The rules of these languages, read on first use."""
    files = [_DATA / f"{language}.json" for language in languages]
    return RuleSet(
        sure=tuple(phrase for file in files for phrase in read_phrases(file, key="sure", kind="intent")),
        against=tuple(
            phrase for file in files for phrase in read_phrases(file, key="against", kind="intents")
        ),
    )


def match(text: str) -> RuleMatch | None:
    """The intent when the rules are sure and agree; ``None`` otherwise."""
    if len(text) > MAXIMUM_CHARACTERS:
        return None
    subject = normalized(text)
    return rule_set(LANGUAGES[:1] if subject.isascii() else LANGUAGES).match(subject)
