"""Texts to intents, by a fine-tuned transformer or, where none is deployed, by the small classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from services.models import transformer
from services.models.contract import MAXIMUM_BATCH, Scores, intents_document, read_intents
from services.models.settings import Settings
from services.models.small.intents import IntentModel

WARM_UP = ("where is my order", "ホラー漫画のおすすめは？")
SMALL = "stand-in:lexical-logistic-regression"


@dataclass(frozen=True)
class IntentService:
    """``classify`` answers every label with its probability, likeliest first, for each text."""

    backend: str
    classify: Callable[[Sequence[str]], Sequence[Scores]]

    def warm_up(self) -> None:
        """One text, and a full batch."""
        self.classify(WARM_UP[:1])
        self.classify(WARM_UP * (MAXIMUM_BATCH // len(WARM_UP)))

    def answer(self, body: bytes) -> Any:
        """The document for a request; raises ``Refusal``."""
        request = read_intents(body)
        return intents_document(request, self.classify(request.texts))


def load(settings: Settings) -> IntentService:
    """The best backend that the folder and the image allow.

    Raises:
        NoBackend: none does.
    """
    folder = settings.folder
    if settings.backend == "small" or (settings.backend == "auto" and (folder / "intents.npz").is_file()):
        return small(folder)
    model = transformer.load(folder, settings.backend)

    def classify(texts: Sequence[str]) -> Sequence[Scores]:
        logits = model.logits([(text, None) for text in texts])
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares = odds / odds.sum(axis=1, keepdims=True)
        return [[(model.labels[place], float(row[place])) for place in np.argsort(-row)] for row in shares]

    return IntentService(model.backend, classify)


def small(folder: Path) -> IntentService:
    """The small classifier in ``folder``."""
    model = IntentModel(folder)
    return IntentService(SMALL, lambda texts: [model.scores(text) for text in texts])
