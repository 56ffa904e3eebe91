"""Does reranking help? ``python -m tools.twin.models.relevance`` measures it on ``evals/relevance.csv``.

The questions are written by hand, in other words than those the models learned from. A series is relevant when it meets
every condition of the row: facts of the catalogue decide, not a judge. Search is what the chat does: the genres a
question names are filtered, the nearest ten are candidates, three are kept.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mangaassist.catalogue.records import SeriesRecord
from mangaassist.catalogue.terms import genres_in
from mangaassist.retrieval.reranking import KEPT
from mangaassist.retrieval.retriever import CANDIDATES, ENOUGH_FILTERED
from services.models.small.embedding import Embedder
from services.models.small.reranker import Reranker
from tools.twin.models import corpus
from tools.twin.models.train import ROOT, ensure

RELEVANCE = ROOT / "evals" / "relevance.csv"


@dataclass(frozen=True, slots=True)
class Row:
    """A question and the places of the series that answer it."""

    question: str
    language: str
    answers: frozenset[int]


def rows() -> list[Row]:
    """The committed questions."""
    with RELEVANCE.open(encoding="utf-8", newline="") as file:
        return [
            Row(cells["question"], cells["language"], frozenset(_relevant(cells)))
            for cells in csv.DictReader(file)
        ]


def measure(folder: Path) -> dict[str, dict[str, float]]:
    """By language and overall: the share of the three that is relevant, and of firsts, before and after reranking."""
    embedder = Embedder(folder)
    reranker, texts = Reranker(folder, embedder), corpus.texts()
    documents = np.array([embedder.embed(text) for text in texts])
    seen: dict[str, list[tuple[float, float, float, float]]] = {"en": [], "ja": []}
    for row in rows():
        found = _search(row.question, (documents @ embedder.embed(row.question)).astype(np.float32))
        ranked = [found[place] for place, _ in reranker.scores(row.question, [texts[each] for each in found])]
        before, after = _kept(found, row), _kept(ranked, row)
        seen[row.language].append((before, after, found[0] in row.answers, ranked[0] in row.answers))
    seen["all"] = [*seen["en"], *seen["ja"]]
    names = ("kept_before", "kept_after", "first_before", "first_after")
    return {
        language: dict(zip(names, np.round(np.mean(found, axis=0), 3).tolist(), strict=True))
        for language, found in seen.items()
    }


def _search(question: str, closeness: NDArray[np.float32]) -> list[int]:
    order = np.argsort(-closeness, kind="stable").tolist()
    genres, catalogue = set(genres_in(question)), corpus.catalogue()
    inside = [place for place in order if not genres or genres & set(catalogue[place].genres)][:CANDIDATES]
    if len(inside) < ENOUGH_FILTERED:
        inside += [place for place in order if place not in inside]
    return inside[:CANDIDATES]


def _kept(found: Sequence[int], row: Row) -> float:
    """The share of the kept that is relevant; of fewer, where the catalogue has fewer."""
    return len(row.answers.intersection(found[:KEPT])) / min(KEPT, len(row.answers))


def _relevant(cells: dict[str, str]) -> list[int]:
    conditions: list[Callable[[SeriesRecord], bool]] = [
        lambda record: not cells["title"] or record.titles.en == cells["title"],
        lambda record: not cells["creator"] or cells["creator"] in {each.name for each in record.creators},
        lambda record: set(cells["genres"].split()) <= set(record.genres),
        lambda record: not cells["themes"] or cells["themes"] in record.themes,
        lambda record: not cells["demographic"] or cells["demographic"] in record.demographics,
    ]
    return [
        place for place, record in enumerate(corpus.catalogue()) if all(meets(record) for meets in conditions)
    ]


def main() -> int:
    """Print the measure."""
    parser = argparse.ArgumentParser(prog="python -m tools.twin.models.relevance", description=__doc__)
    parser.add_argument("--state", type=Path, default=ROOT / ".twin" / "models", help="where models are kept")
    print(json.dumps(measure(ensure(parser.parse_args().state)), indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
