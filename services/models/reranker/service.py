"""A question and texts to an order, by a cross-encoder or, where none is deployed, by the small pair scorer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from services.models import transformer
from services.models.contract import MAXIMUM_BATCH, Ranking, ranking_document, read_rerank
from services.models.settings import Settings
from services.models.small.embedding import Embedder
from services.models.small.reranker import Reranker

WARM_UP = "Junji Ito / 伊藤潤二\nHorror ホラー"
SMALL = "stand-in:pair-logistic-regression"


@dataclass(frozen=True)
class RerankService:
    """``rank`` answers the place of every text with its score in [0, 1], best first."""

    backend: str
    rank: Callable[[str, Sequence[str]], Ranking]

    def warm_up(self) -> None:
        """What a turn sends (RET-2), and a full batch."""
        for size in (10, MAXIMUM_BATCH):
            self.rank("horror manga by Junji Ito", [WARM_UP] * size)

    def answer(self, body: bytes) -> Any:
        """The document for a request; raises ``Refusal``."""
        request = read_rerank(body)
        return ranking_document(request, self.rank(request.query, request.texts))


def load(settings: Settings) -> RerankService:
    """The best backend that the folder and the image allow.

    Raises:
        NoBackend: none does.
    """
    folder = settings.folder
    if settings.backend == "small" or (settings.backend == "auto" and (folder / "reranker.json").is_file()):
        return small(folder, Embedder(folder))
    model = transformer.load(folder, settings.backend)

    def rank(query: str, texts: Sequence[str]) -> Ranking:
        scores = 1 / (1 + np.exp(-model.logits([(query, text) for text in texts])[:, 0].astype(np.float64)))
        return [(int(place), float(scores[place])) for place in np.argsort(-scores, kind="stable")]

    return RerankService(model.backend, rank)


def small(folder: Path, embedder: Embedder) -> RerankService:
    """The small pair scorer in ``folder``, over ``embedder``."""
    return RerankService(SMALL, Reranker(folder, embedder).scores)
