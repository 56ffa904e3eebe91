"""How good the trained models are: floors a little under what was measured (tools/twin/models/README.md)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from services.models.small.embedding import Embedder, shorten
from services.models.small.intents import IntentModel
from services.models.small.reranker import Reranker
from tools.twin.models import corpus, evaluation
from tools.twin.models.train import fingerprint

SEED = 7
"""Other questions than those the weights were tuned on."""
FLOORS = {
    1024: {
        "title-en": 0.97, "title-ja": 0.95, "title-romaji": 0.97, "title-misspelt": 0.9,
        "creator-en": 0.95, "creator-ja": 0.95, "genre-en": 0.9, "genre-ja": 0.85,
    },
    256: {"title-en": 0.9, "title-ja": 0.85, "creator-en": 0.85, "creator-ja": 0.8, "genre-en": 0.9},
}  # fmt: skip


@pytest.fixture(scope="module")
def embedder(models_folder: Path) -> Embedder:
    return Embedder(models_folder)


@pytest.mark.parametrize("dimensions", [1024, 256])
def test_questions_in_both_languages_find_their_series(embedder: Embedder, dimensions: int) -> None:
    documents = np.array([shorten(embedder.embed(text), dimensions) for text in corpus.texts()])
    found = evaluation.recall(
        lambda text: embedder.embed(text, dimensions=dimensions), documents, evaluation.probes(SEED)
    )
    for kind, floor in FLOORS[dimensions].items():
        assert found[kind] >= floor, f"{kind} at {dimensions} dimensions: {found}"


def test_a_shoppers_word_for_a_genre_finds_it(embedder: Embedder) -> None:
    documents = np.array([embedder.embed(text) for text in corpus.texts()])
    for question, genre in (("scary stories", "Horror"), ("怖い漫画", "Horror"), ("a whodunit", "Mystery")):
        nearest = np.argsort(-(documents @ embedder.embed(question)))[:10]
        hits = sum(genre in corpus.catalogue()[place].genres for place in nearest)
        assert hits >= 7, f"{question}: {hits} of 10 are {genre}"


def test_a_series_nobody_trained_on_is_found_by_its_name(embedder: Embedder) -> None:
    new = "Zorbulon Fields / ゾルブロン平原\nQuentin Vrax / 九条ヴラクス\nHorror ホラー\nSeinen 青年"
    documents = np.array([embedder.embed(text) for text in (*corpus.texts(), new)])
    for question in ("Who wrote Zorbulon Fields?", "ゾルブロン平原は全何巻？", "manga by Quentin Vrax"):
        nearest = np.argsort(-(documents @ embedder.embed(question)))[:10]
        assert len(documents) - 1 in nearest, question


def test_reranking_finds_the_named_series_among_its_neighbours(
    models_folder: Path, embedder: Embedder
) -> None:
    texts = corpus.texts()
    documents = np.array([embedder.embed(text) for text in texts])
    reranker = Reranker(models_folder, embedder)
    asked = [
        probe for probe in evaluation.probes(SEED, titles=80, creators=1) if probe.kind.startswith("title")
    ]
    right = []
    for probe in asked:
        nearest = np.argsort(documents @ embedder.embed(probe.question))[-10:].tolist()  # the best comes last
        best, score = reranker.scores(probe.question, [texts[place] for place in nearest])[0]
        right.append(nearest[best] in probe.answers and score > 0.5)
    assert np.mean(right) >= 0.93


def test_the_classifier_knows_what_it_learned(models_folder: Path) -> None:
    model = IntentModel(models_folder)
    filler = corpus.SlotFiller(SEED)
    own = [utterance for utterance in corpus.utterances() if utterance.source == corpus.OWN]
    right = [model.scores(filler.fill(utterance.text))[0][0] == utterance.label for utterance in own]
    assert len({utterance.label for utterance in own}) == 9
    assert np.mean(right) >= 0.95


def test_borrowed_utterances_have_a_licence() -> None:
    stated = (corpus.DATA / "README.md").read_text("utf-8")
    sources = {u.source.split("/")[0] for u in (*corpus.utterances(), *corpus.patterns())}
    assert "tanaka" not in sources
    for source in sources:
        assert f"| {source} |" in stated, f"{source} is missing from data/README.md"


def test_each_intent_has_own_utterances_in_both_languages() -> None:
    for language in ("en", "ja"):
        own = [u for u in corpus.utterances() if u.source == corpus.OWN and u.language == language]
        for label in {utterance.label for utterance in corpus.utterances()}:
            assert sum(utterance.label == label for utterance in own) >= 25, f"{label} in {language}"


def test_the_models_are_kept_under_the_digest_of_what_made_them(models_folder: Path) -> None:
    assert models_folder.name == fingerprint()
