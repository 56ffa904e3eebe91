"""Short descriptions in English and Japanese, composed from the facts of a series and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from mangaassist.catalogue import terms
from tools.catalogue.offers import seeded
from tools.catalogue.source import load_toml

Language = Literal["en", "ja"]

AWARD = "Award Winning"
"""A distinction among the source's genres; it gets a sentence of its own."""
MAXIMUM_NAMES = 3


@dataclass(frozen=True, slots=True)
class Facts:
    """What a description may say. ``volume_count`` is ``None`` unless the source states it."""

    series_id: str
    title: str
    title_ja: str
    creators: tuple[str, ...]
    creators_ja: tuple[str, ...]
    type: str
    status: str
    year: int
    genres: tuple[str, ...]
    themes: tuple[str, ...]
    demographics: tuple[str, ...]
    volume_count: int | None
    magazine: str | None
    magazine_ja: str | None
    publisher: str | None
    publisher_ja: str | None


def describe(facts: Facts, language: Language) -> str:
    """The description of a series in one language."""
    speak = _Speaker(facts, language)
    sentences = (speak.opening(), speak.award(), speak.themes(), speak.began(), speak.status())
    return (" " if language == "en" else "").join(sentence for sentence in sentences if sentence)


class _Speaker:
    def __init__(self, facts: Facts, language: Language) -> None:
        self._facts = facts
        self._language: Language = language
        self._phrases = _phrases()[language]

    def opening(self) -> str:
        facts = self._facts
        genres = tuple(genre for genre in facts.genres if genre != AWARD)
        kind = self._kind()
        article = "an" if kind[0] in "aeiou" else "a"
        return self._say(
            "opening",
            "with_genres" if genres else "without_genres",
            title=self._pick(facts.title, facts.title_ja),
            creators=self._names(self._pick(facts.creators, facts.creators_ja)),
            kind=kind,
            article=article,
            Article=article.capitalize(),
            genres=self._list([self._term("genres", genre) for genre in genres]),
        )

    def award(self) -> str:
        return self._say("award", "all") if AWARD in self._facts.genres else ""

    def themes(self) -> str:
        if not self._facts.themes:
            return ""
        themes = self._list([self._term("themes", theme) for theme in self._facts.themes])
        return self._say("themes", "all", themes=themes, Themes=themes[0].upper() + themes[1:])

    def began(self) -> str:
        facts = self._facts
        magazine = self._pick(facts.magazine, facts.magazine_ja or facts.magazine)
        publisher = self._pick(facts.publisher, facts.publisher_ja or facts.publisher)
        known = "magazine_and_publisher" if magazine and publisher else "magazine" if magazine else "neither"
        return self._say("began", known, magazine=magazine, publisher=publisher, year=facts.year)

    def status(self) -> str:
        facts, choice = self._facts, self._facts.status
        if choice == "finished" and facts.volume_count is not None:
            choice = "finished_one" if facts.volume_count == 1 else "finished_many"
        return self._say("status", choice, count=facts.volume_count)

    def _say(self, sentence: str, choice: str, **slots: object) -> str:
        variants: Sequence[str] = self._phrases[sentence][choice]
        variant = variants[seeded(f"{self._facts.series_id}/{self._language}/{sentence}") % len(variants)]
        return variant.format_map(slots)

    def _kind(self) -> str:
        demographics = [self._term("demographics", one) for one in self._facts.demographics]
        kind = self._term("types", self._facts.type)
        if self._language == "en":
            return " ".join([" and ".join(demographics), kind]).strip()
        return "・".join(demographics) + kind

    def _names(self, names: tuple[str, ...]) -> str:
        if len(names) > MAXIMUM_NAMES:
            names = (*names[:MAXIMUM_NAMES], self._phrases["others"])
        return self._list(names)

    def _list(self, words: Sequence[str]) -> str:
        if self._language == "ja":
            return self._phrases["and"].join(words)
        if len(words) < 2:
            return "".join(words)
        return f"{', '.join(words[:-1])} {self._phrases['and']} {words[-1]}"

    def _term(self, kind: terms.Kind, term: str) -> str:
        return terms.prose(kind, term) if self._language == "en" else terms.japanese(kind, term)

    def _pick(self, english: Any, japanese: Any) -> Any:
        return english if self._language == "en" else japanese


@cache
def _phrases() -> Mapping[Language, Mapping[str, Any]]:
    return load_toml("phrases.toml")  # pyright: ignore[reportReturnType]
