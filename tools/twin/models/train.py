"""Train the small models from committed data: ``python -m tools.twin.models.train``.

The same code, data and library versions give the same models, so the result is kept in a folder named by their digest.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.models.small.embedding import (
    DIMENSIONS,
    LATENT,
    NAME_COUNT,
    UNKNOWN_WEIGHT,
    Embedder,
    quantize,
    shorten,
)
from services.models.small.features import features, names
from services.models.small.intents import BUCKETS, bucketed
from services.models.small.reranker import READINGS, Reading, Reranker, compare, read

ROOT = Path(__file__).resolve().parents[3]
INPUTS = (
    "tools/twin/models/train.py",
    "services/models/small/features.py",
    "services/models/small/embedding.py",
    "services/models/small/intents.py",
    "services/models/small/reranker.py",
    "tools/twin/models/corpus.py",
    "tools/twin/models/evaluation.py",
    "tools/twin/models/data",
    "tools/catalogue",
    "tools/recommender",
    "services/partners/world",
    "layers/core/python/mangaassist/catalogue/documents.py",
    "layers/core/python/mangaassist/catalogue/terms.py",
    "layers/core/python/mangaassist/catalogue/data",
)
"""What the models depend on, files or folders."""
INPUT_SUFFIXES = (".py", ".csv", ".toml", ".json")
SEED = 20261120
REPORT = "report.json"

SINGULAR_VALUE_POWER = 1.0
"""Latent directions weigh as much as they explain; by measurement (README.md)."""
MINIMUM_DOCUMENTS = 2
"""A feature of a single document has no company to learn its meaning from; the lexical half still sees it."""
FILLINGS = 4
"""Copies of an utterance with slots, each filled otherwise."""
OWN_WEIGHT = 2.0
"""Of an utterance written for this store, against one borrowed from another field."""
INVERSE_REGULARIZATION = 60.0
FOLDS = 5
CANDIDATES = 10
"""What search hands to the reranker (RET-2)."""


class TrainingError(Exception):
    """One line that says why there are no models and what to do."""


def ensure(state: Path) -> Path:
    """The folder of the trained models, trained now if need be.

    Training runs in a process of its own, so that its libraries never weigh on the caller.

    Raises:
        TrainingError: with the last line of the training's output.
    """
    folder = state / fingerprint()
    if not (folder / REPORT).is_file():
        command = [sys.executable, "-m", "tools.twin.models.train", "--unmeasured", "--state", str(state)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            words = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
            raise TrainingError(f"training the small models failed: {words}; run {' '.join(command[1:3])}")
    return folder


def fingerprint() -> str:
    """A digest of everything the trained models depend on."""
    digest = hashlib.sha256()
    for name in ("numpy", "scikit-learn"):
        digest.update(f"{name} {version(name)}\n".encode())
    for path in _files(ROOT / name for name in INPUTS):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def train(state: Path, *, is_measured: bool = True) -> dict[str, Any]:
    """Train everything into ``state``; the report says how long it took and, if measured, how good it is."""
    state.mkdir(parents=True, exist_ok=True)
    folder = state / fingerprint()
    workshop = Path(tempfile.mkdtemp(prefix="training-", dir=state))
    try:
        began = time.perf_counter()
        _train_embedding(workshop)
        _train_intents(workshop)
        _train_reranker(workshop)
        _train_recommender(workshop)
        report: dict[str, Any] = {"training_seconds": round(time.perf_counter() - began, 1)}
        if is_measured:
            report |= measure(workshop)
        (workshop / REPORT).write_text(json.dumps(report, indent=2) + "\n")
        _replace(folder, workshop)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return report


def _replace(folder: Path, workshop: Path) -> None:
    """Put the finished models into their place, and remove those of older code and data."""
    for other in folder.parent.iterdir():
        if (other / REPORT).is_file() and other != workshop:
            shutil.rmtree(other, ignore_errors=True)
    try:
        os.replace(workshop, folder)
    except OSError:
        # Another process has just finished the same training; its result is as good.
        if not (folder / REPORT).is_file():
            raise


def measure(folder: Path) -> dict[str, Any]:
    """How good the models in ``folder`` are, on questions and folds that training did not see."""
    return {
        "recall_at_10": _measure_embedding(Embedder(folder)),
        "intents": _measure_intents(),
        "reranker": _measure_reranker(folder),
    }


# --- embeddings -----------------------------------------------------------------------------------


def _train_embedding(folder: Path) -> None:
    from scipy import sparse
    from sklearn.decomposition import TruncatedSVD

    from tools.twin.models import corpus

    found = [
        {
            **features(corpus.shopper_words(record)),
            **dict.fromkeys(names(text), NAME_COUNT),
            **features(text),
        }
        for text, record in zip(corpus.texts(), corpus.catalogue(), strict=True)
    ]
    frequency = Counter(key for counts in found for key in counts)
    asking = _asking_words()
    keys = np.array(sorted(frequency.keys() | asking.keys()), np.uint32)
    seen = np.array([frequency[key] for key in keys.tolist()])
    rarity = np.where(seen > 0, np.log((len(found) + 1) / (seen + 0.5)), UNKNOWN_WEIGHT)
    weights = (rarity / [1 + asking.get(key, 0.0) for key in keys.tolist()]).astype(np.float32)
    learned = [key for key in keys.tolist() if frequency[key] >= MINIMUM_DOCUMENTS]
    column = {key: place for place, key in enumerate(learned)}
    weight = dict(zip(keys.tolist(), weights.tolist(), strict=True))

    rows, columns, values = [], [], []
    for row, counts in enumerate(found):
        line = {column[k]: float(np.log1p(v)) * weight[k] for k, v in counts.items() if k in column}
        length = sum(value * value for value in line.values()) ** 0.5 or 1.0
        rows += [row] * len(line)
        columns += line.keys()
        values += [value / length for value in line.values()]
    table = sparse.csr_matrix((values, (rows, columns)), (len(found), len(learned)), dtype=np.float32)
    analysis = TruncatedSVD(LATENT, n_iter=2, random_state=SEED).fit(table)
    strength = (analysis.singular_values_ / analysis.singular_values_[0]) ** SINGULAR_VALUE_POWER
    latent = np.asarray(analysis.components_).T * strength

    np.save(folder / "keys.npy", keys)
    np.save(folder / "weights.npy", weights)
    np.save(folder / "rows.npy", np.array([column.get(key, -1) for key in keys.tolist()], np.int32))
    steps, scale = quantize(latent)
    np.save(folder / "latent.npy", steps)
    np.save(folder / "scale.npy", scale)


def _asking_words() -> dict[int, float]:
    """How much a feature belongs to asking rather than to what is asked about ("want", "volumes", ください).

    It does if utterances of many intents share it, or if it stands around a slot.
    """
    from tools.twin.models import corpus

    catalogue_names = set().union(*map(names, corpus.texts()))
    intents: dict[int, Counter[str]] = defaultdict(Counter)
    around: Counter[int] = Counter()
    for utterance in corpus.utterances():
        found = features(utterance.without_slots).keys() | (names(utterance.without_slots) & catalogue_names)
        for key in found:
            intents[key][utterance.label] += 1
        if utterance.has_slots:
            around.update(found)
    shared = {key: sum(count > 1 for count in labels.values()) for key, labels in intents.items()}
    degrees = {key: max(0, shared[key] - 2) ** 2 / 2 + around[key] / 2 for key in intents}
    return {key: degree for key, degree in degrees.items() if degree > 0}


def _measure_embedding(embedder: Embedder) -> dict[str, dict[str, float]]:
    from tools.twin.models import corpus, evaluation

    asked = evaluation.probes(SEED)
    documents = [embedder.embed(text) for text in corpus.texts()]
    return {
        str(size): evaluation.recall(
            lambda text, size=size: embedder.embed(text, dimensions=size),
            np.array([shorten(document, size) for document in documents]),
            asked,
        )
        for size in DIMENSIONS
    }


# --- intents --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Lines:
    """The utterances, slots filled, as columns; copies of one utterance share its number."""

    counts: Any
    labels: NDArray[np.str_]
    numbers: NDArray[np.int64]
    is_first: NDArray[np.bool_]
    is_own: NDArray[np.bool_]
    is_combined: NDArray[np.bool_]
    languages: NDArray[np.str_]

    @property
    def weights(self) -> NDArray[np.float64]:
        return np.where(self.is_own, OWN_WEIGHT, 1.0)


def _lines() -> _Lines:
    from tools.twin.models import corpus

    filler = corpus.SlotFiller(SEED)
    lines = [
        (utterance, number, copy)
        for number, utterance in enumerate((*corpus.utterances(), *corpus.patterns()))
        for copy in range(FILLINGS if utterance.has_slots and utterance.source != corpus.COMBINED else 1)
    ]
    return _Lines(
        counts=_table([filler.fill(utterance.text) for utterance, *_ in lines], _titles()),
        labels=np.array([utterance.label for utterance, *_ in lines]),
        numbers=np.array([number for _, number, _ in lines]),
        is_first=np.array([copy == 0 for *_, copy in lines]),
        is_own=np.array([utterance.source == corpus.OWN for utterance, *_ in lines]),
        is_combined=np.array([utterance.source == corpus.COMBINED for utterance, *_ in lines]),
        languages=np.array([utterance.language for utterance, *_ in lines]),
    )


def _train_intents(folder: Path) -> None:
    lines = _lines()
    rarity, model = _fit_intents(lines.counts, lines.labels, lines.weights)
    np.savez(
        folder / "intents.npz",
        labels=model.classes_,
        idf=rarity.astype(np.float32),
        weights=np.ascontiguousarray(model.coef_.T, np.float32),
        bias=model.intercept_.astype(np.float32),
        titles=np.array(sorted(_titles()), np.int64),
    )


def _measure_intents() -> dict[str, Any]:
    """Cross-validated: every utterance is judged by a model that saw neither it nor a copy of it."""
    from sklearn.model_selection import StratifiedGroupKFold

    lines = _lines()
    guessed = np.empty(len(lines.labels), lines.labels.dtype)
    sure = np.zeros(len(lines.labels))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED)
    for known, unseen in folds.split(lines.counts, lines.labels, lines.numbers):
        rarity, model = _fit_intents(lines.counts[known], lines.labels[known], lines.weights[known])
        shares = model.predict_proba(_scaled(lines.counts[unseen], rarity))
        guessed[unseen], sure[unseen] = model.classes_[shares.argmax(axis=1)], shares.max(axis=1)
    # Patterns judge nothing: one combination is too much like the next.
    right, judged = guessed == lines.labels, lines.is_first & ~lines.is_combined
    own = judged & lines.is_own
    return {
        "utterances": int(judged.sum()),
        "accuracy": _mean(right[judged]),
        **{f"accuracy_own_{lang}": _mean(right[own & (lines.languages == lang)]) for lang in ("en", "ja")},
        "recall_by_label": {
            str(label): _mean(right[judged & (lines.labels == label)]) for label in np.unique(lines.labels)
        },
        "wrong_and_confident": _mean((~right & (sure >= 0.5))[judged]),
        "right_and_confident": _mean((right & (sure >= 0.5))[judged]),
    }


def _fit_intents(counts: Any, labels: Any, weights: Any) -> tuple[NDArray[np.float64], Any]:
    from sklearn.linear_model import LogisticRegression

    seen = np.asarray((counts > 0).sum(axis=0)).ravel()
    rarity = np.log((counts.shape[0] + 1) / (seen + 1))
    model = LogisticRegression(C=INVERSE_REGULARIZATION, max_iter=300, class_weight="balanced")
    return rarity, model.fit(_scaled(counts, rarity), labels, sample_weight=weights)


def _titles() -> frozenset[int]:
    """Titles and names of the catalogue, except those that are ordinary words of utterances."""
    from tools.twin.models import corpus

    ordinary = set().union(*(names(utterance.without_slots) for utterance in corpus.utterances()))
    return frozenset(set().union(*map(names, corpus.texts())) - ordinary)


def _table(lines: Sequence[str], titles: frozenset[int]) -> Any:
    from scipy import sparse

    rows, columns, values = [], [], []
    for row, text in enumerate(lines):
        buckets, counts = bucketed(text, titles)
        rows += [row] * len(buckets)
        columns += buckets.tolist()
        values += counts.tolist()
    return sparse.csr_matrix((values, (rows, columns)), (len(lines), BUCKETS))


def _scaled(counts: Any, rarity: NDArray[np.float64]) -> Any:
    from scipy import sparse
    from sklearn.preprocessing import normalize

    return normalize(counts @ sparse.diags(rarity))


# --- recommender ----------------------------------------------------------------------------------


def _train_recommender(folder: Path) -> None:
    """``python -m tools.recommender evaluate`` measures it: that takes longer than all of this."""
    from tools.recommender import world
    from tools.recommender.titles import Titles
    from tools.recommender.training import train as train_recommender
    from tools.twin.models import corpus

    records = corpus.catalogue()
    train_recommender(Titles.of(records), world.build(records).interactions).save(folder)


# --- reranker -------------------------------------------------------------------------------------


def _train_reranker(folder: Path) -> None:
    """Learn from the catalogue itself: the series a question is about against those that are merely near."""
    from sklearn.linear_model import LogisticRegression

    from tools.twin.models import corpus, evaluation

    embedder = Embedder(folder)
    documents = [read(embedder, text) for text in corpus.texts()]
    readings, answers = [], []
    for probe in evaluation.probes(SEED + 1, titles=120, creators=60):
        asked = read(embedder, probe.question)
        for place in _nearest(documents, asked):
            readings.append(compare(asked, documents[place]))
            answers.append(place in probe.answers)
    model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(np.array(readings), answers)
    weights, bias = model.coef_[0], float(model.intercept_[0])
    trained = {"readings": READINGS, "weights": [round(float(w), 5) for w in weights], "bias": round(bias, 5)}
    (folder / "reranker.json").write_text(json.dumps(trained, indent=2) + "\n")


def _measure_reranker(folder: Path) -> dict[str, Any]:
    """How often the first of ten is right, before and after reranking, on other questions than those learned from."""
    from tools.twin.models import corpus, evaluation

    embedder, texts = Embedder(folder), corpus.texts()
    reranker = Reranker(folder, embedder)
    documents = [read(embedder, text) for text in texts]
    before, after = [], []
    for probe in evaluation.probes(SEED + 2, titles=60, creators=30):
        places = _nearest(documents, read(embedder, probe.question))
        best, _ = reranker.scores(probe.question, [texts[place] for place in places])[0]
        before.append(places[0] in probe.answers)
        after.append(places[best] in probe.answers)
    return {"first_is_right_before": _mean(before), "first_is_right_after": _mean(after)}


def _nearest(documents: Sequence[Reading], asked: Reading) -> list[int]:
    """The ten documents nearest to a question, nearest first."""
    closeness = [float(document.vector @ asked.vector) for document in documents]
    return np.argsort(closeness)[::-1][:CANDIDATES].tolist()


def _mean(hits: Any) -> float:
    return round(float(np.mean(hits)), 3)


def _files(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(
                file for file in path.rglob("*") if file.is_file() and file.suffix in INPUT_SUFFIXES
            )
        else:
            yield path


def main() -> int:
    """Train if need be, and print the report."""
    parser = argparse.ArgumentParser(prog="python -m tools.twin.models.train", description=__doc__)
    parser.add_argument("--state", type=Path, default=ROOT / ".twin" / "models", help="where models are kept")
    parser.add_argument("--unmeasured", action="store_true", help="do not measure how good the models are")
    parser.add_argument("--force", action="store_true", help="train even if nothing changed")
    arguments = parser.parse_args()
    report = arguments.state / fingerprint() / REPORT
    is_trained = report.is_file() and not arguments.force
    if not is_trained:
        train(arguments.state, is_measured=not arguments.unmeasured)
    elif not arguments.unmeasured and "recall_at_10" not in report.read_text():
        measured = {**json.loads(report.read_text()), **measure(report.parent)}
        report.write_text(json.dumps(measured, indent=2) + "\n")
    print(report.read_text(), end="")
    print(f"models: {report.parent}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
