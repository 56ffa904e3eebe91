"""How well the embeddings find: questions made from the catalogue, and which series the nearest ten should hold."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mangaassist.catalogue import terms
from tools.twin.models import corpus

NEAREST = 10
COMMON_GENRE = 20
"""Genres with fewer series are left out: ten of ten could not be right by more than chance."""

TITLE = {
    "en": (
        "How many volumes does {} have?",
        "Is {} finished?",
        "Recommend manga like {}",
        "{}",
        "who wrote {}",
    ),
    "ja": ("{}は全何巻ですか", "{}の作者は誰？", "{}みたいな漫画のおすすめ", "{}", "{}は完結していますか"),
}
CREATOR = {
    "en": ("manga by {}", "What else did {} write?", "Recommend something like {}"),
    "ja": ("{}の漫画", "{}みたいな漫画のおすすめ", "{}の作品はありますか"),
}
GENRE = {
    "en": ("Recommend {} manga", "I want to read something with {}"),
    "ja": ("{}漫画のおすすめは？", "{}が読みたい"),
}


@dataclass(frozen=True, slots=True)
class Probe:
    """A question of one kind, and the places of the series that answer it."""

    kind: str
    question: str
    answers: frozenset[int]


def probes(seed: int, *, titles: int = 200, creators: int = 120) -> list[Probe]:
    """Questions by title, creator and genre in both languages, the same for the same seed."""
    return list(_probes(random.Random(seed), titles, creators))  # noqa: S311 - a sample, not a secret


def _probes(draw: random.Random, titles: int, creators: int) -> Iterator[Probe]:
    records = corpus.catalogue()
    for place in draw.sample(range(len(records)), titles):
        record, only = records[place], frozenset({place})
        yield Probe("title-en", draw.choice(TITLE["en"]).format(record.titles.en), only)
        yield Probe("title-romaji", draw.choice(TITLE["en"]).format(record.titles.romaji), only)
        if record.titles.ja:
            yield Probe("title-ja", draw.choice(TITLE["ja"]).format(record.titles.ja), only)
        if len(record.titles.en) > 8:
            slip = draw.randrange(1, len(record.titles.en) - 1)
            misspelt = record.titles.en[:slip] + record.titles.en[slip + 1 :]
            yield Probe("title-misspelt", draw.choice(TITLE["en"]).format(misspelt), only)
    by_creator: dict[tuple[str, str | None], set[int]] = defaultdict(set)
    by_genre: dict[str, set[int]] = defaultdict(set)
    for place, record in enumerate(records):
        for creator in record.creators:
            by_creator[creator.name, creator.name_ja].add(place)
        for genre in record.genres:
            by_genre[genre].add(place)
    for name, name_ja in draw.sample(sorted(by_creator, key=str), creators):
        works = frozenset(by_creator[name, name_ja])
        yield Probe("creator-en", draw.choice(CREATOR["en"]).format(name), works)
        if name_ja:
            yield Probe("creator-ja", draw.choice(CREATOR["ja"]).format(name_ja), works)
    for genre, found in sorted(by_genre.items()):
        if len(found) >= COMMON_GENRE:
            works = frozenset(found)
            yield from (
                Probe("genre-en", shape.format(terms.prose("genres", genre)), works) for shape in GENRE["en"]
            )
            yield from (
                Probe("genre-ja", shape.format(terms.japanese("genres", genre)), works)
                for shape in GENRE["ja"]
            )


def recall(
    embed: Callable[[str], NDArray[np.float32]],
    documents: NDArray[np.float32],
    asked: Sequence[Probe],
) -> dict[str, float]:
    """By kind of question: the share of the answers (of ten, if there are more) among the nearest ten."""
    hits: dict[str, list[float]] = defaultdict(list)
    for probe in asked:
        nearest = np.argpartition(-(documents @ embed(probe.question)), NEAREST)[:NEAREST]
        hits[probe.kind].append(_share(nearest.tolist(), probe.answers))
    return {kind: round(float(np.mean(shares)), 3) for kind, shares in sorted(hits.items())}


def _share(nearest: Collection[int], answers: frozenset[int]) -> float:
    return len(answers.intersection(nearest)) / min(NEAREST, len(answers))
