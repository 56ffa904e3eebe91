"""What the small models learn from: the catalogue's documents, and utterances with their intents.

Everything is committed data: ``tools/catalogue`` and ``data/utterances.csv`` (its README names sources and licences).
"""

from __future__ import annotations

import csv
import json
import random
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mangaassist.catalogue import documents, terms
from mangaassist.catalogue.records import SeriesRecord
from tools.catalogue import feed

DATA = Path(__file__).parent / "data"
OWN = "mangaassist"
"""Source of the utterances written for this store, sentence by sentence."""
COMBINED = "mangaassist-patterns"
"""Source of those that patterns combine."""
PATTERN_SAMPLE = 50
PATTERN_SEED = 11

_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Utterance:
    """One thing a shopper might say; its text may hold slots such as ``{title_ja}``."""

    text: str
    label: str
    source: str
    language: str

    @property
    def has_slots(self) -> bool:
        """Whether the text stands for many."""
        return _SLOT.search(self.text) is not None

    @property
    def without_slots(self) -> str:
        """What the shopper says around what they ask about."""
        return _SLOT.sub(" ", self.text)


@cache
def catalogue() -> tuple[SeriesRecord, ...]:
    """Every series of the feed."""
    return tuple(feed.series())


@cache
def texts() -> tuple[str, ...]:
    """The text that ingest embeds, series by series."""
    return tuple(documents.embedding_text(record) for record in catalogue())


def shopper_words(record: SeriesRecord) -> str:
    """What shoppers call the genres of a series; read beside its text in training, so that "scary" means Horror."""
    return "\n".join(" , ".join(_genre_words()[genre]) for genre in record.genres)


@cache
def _genre_words() -> dict[str, list[str]]:
    document = json.loads((Path(terms.__file__).parent / "data" / "terms.json").read_text("utf-8"))
    return {genre: [*term["words_en"], *term["words_ja"]] for genre, term in document["genres"].items()}


@cache
def utterances() -> tuple[Utterance, ...]:
    """The labelled utterances, slots unfilled."""
    with (DATA / "utterances.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            Utterance(cells["text"], cells["label"], cells["source"], cells["lang"])
            for cells in csv.DictReader(file)
        )


@cache
def patterns() -> tuple[Utterance, ...]:
    """A sample of the utterances that ``data/patterns.toml`` combines, the same every time."""
    document = tomllib.loads((DATA / "patterns.toml").read_text("utf-8"))
    draw = random.Random(PATTERN_SEED)  # noqa: S311 - a choice of examples, not a secret
    found: list[Utterance] = []
    for pattern in document["pattern"]:
        combined = [
            (first + pattern["glue"] + then).strip() for first in pattern["first"] for then in pattern["then"]
        ]
        chosen = draw.sample(combined, min(PATTERN_SAMPLE, len(combined)))
        found += [Utterance(text, pattern["label"], COMBINED, pattern["language"]) for text in chosen]
    return tuple(found)


class SlotFiller:
    """Fills the slots of utterances with what the catalogue holds, the same way every time."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a choice of examples, not a secret
        records = catalogue()
        creators = [creator for record in records for creator in record.creators]
        genres = sorted(terms.known("genres"))
        self._choices: dict[str, Sequence[str]] = {
            "title": [record.titles.en for record in records],
            "title_ja": [record.titles.ja for record in records if record.titles.ja],
            "creator": [creator.name for creator in creators],
            "creator_ja": [creator.name_ja for creator in creators if creator.name_ja],
            "genre": [terms.prose("genres", genre) for genre in genres],
            "genre_ja": [terms.japanese("genres", genre) for genre in genres],
        }

    def fill(self, text: str) -> str:
        """``text`` with every slot replaced by one of its values."""
        return _SLOT.sub(lambda slot: self._random.choice(self._choices[slot[1]]), text)
