"""Measures a model through its own service, so that what is judged is what will answer."""

from __future__ import annotations

import csv
import json
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from services.models import intent, reranker
from services.models.contract import MAXIMUM_BATCH
from services.models.settings import Settings
from services.models.training.metrics import Guess, intent_metrics, reranker_metrics

ARTEFACT = "model.tar.gz"
HELD_OUT = "held_out.csv"
REPORT = "evaluation.json"


class NoExamples(Exception):
    """The held-out table has no rows."""


def evaluate(task: str, model: Path, examples: Path, report: Path) -> None:
    """Write ``evaluation.json``: ``{"backend": …, "examples": n, "metrics": {…}}``."""
    with tempfile.TemporaryDirectory() as workshop:
        settings = Settings(_unpacked(model, Path(workshop)), "", 0, "auto", 1)
        with (examples / HELD_OUT).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        if not rows:
            raise NoExamples(str(examples / HELD_OUT))
        if task == "intent":
            backend, metrics = _intent(intent.load(settings), rows)
        else:
            backend, metrics = _reranker(reranker.load(settings), rows)
    document = {"backend": backend, "examples": len(rows), "metrics": metrics}
    report.mkdir(parents=True, exist_ok=True)
    (report / REPORT).write_text(json.dumps(document, indent=2) + "\n")


def _unpacked(model: Path, workshop: Path) -> Path:
    if not (model / ARTEFACT).is_file():
        return model
    with tarfile.open(model / ARTEFACT) as archive:
        archive.extractall(workshop, filter="data")
    return workshop


def _intent(service: intent.IntentService, rows: Sequence[dict[str, str]]) -> tuple[str, dict[str, float]]:
    guesses: list[Guess] = []
    for start in range(0, len(rows), MAXIMUM_BATCH):
        batch = rows[start : start + MAXIMUM_BATCH]
        for row, scores in zip(batch, service.classify([row["text"] for row in batch]), strict=True):
            guesses.append(Guess(*scores[0], row["label"]))
    return service.backend, intent_metrics(guesses)


def _reranker(
    service: reranker.RerankService, rows: Sequence[dict[str, str]]
) -> tuple[str, dict[str, float]]:
    questions: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        questions.setdefault(row["query"], []).append(row)
    ranked = [
        [
            texts[place]["relevant"] == "1"
            for place, _ in service.rank(query, [each["text"] for each in texts])
        ]
        for query, texts in questions.items()
    ]
    return service.backend, reranker_metrics(ranked)
