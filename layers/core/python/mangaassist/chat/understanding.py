"""What the shopper wants: sure rules first, then the classifier, then an honest default."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mangaassist.chat.stopwatch import Stopwatch
from mangaassist.errors import DependencyError
from mangaassist.intents import rules
from mangaassist.intents.intents import Intent
from mangaassist.ports import IntentClassifier

MINIMUM_CONFIDENCE = 0.5
"""Under this the classifier's label is not believed and the question counts as out of scope (INT-1)."""
DEFAULT_INTENT = Intent.PRODUCT_QUESTION
"""Without a classifier a question is looked up in the catalogue, which can do no harm."""


@dataclass(frozen=True, slots=True)
class Understood:
    """An intent, where it came from, and how sure that source is."""

    intent: Intent
    source: Literal["rules", "classifier", "default"]
    confidence: float


@dataclass(frozen=True, slots=True)
class Understanding:
    """Both stages. ``classifier`` is ``None`` where no endpoint is deployed."""

    classifier: IntentClassifier | None
    on_fallback: Callable[[str], None]
    """Told the reason of every question that stage 2 should have read and could not (INT-4)."""

    def by_rules(self, text: str, stopwatch: Stopwatch) -> Understood | None:
        """Stage 1; ``None`` unless it is sure."""
        with stopwatch.stage("understanding"):
            match = rules.match(text)
        return None if match is None else Understood(match.intent, "rules", 1.0)

    async def by_classifier(self, text: str, stopwatch: Stopwatch) -> tuple[Understood, list[str]]:
        """Stage 2, with the parts that were degraded on the way."""
        if self.classifier is None:
            return Understood(DEFAULT_INTENT, "default", 0.0), []
        try:
            with stopwatch.stage("understanding"):
                score = await self.classifier.classify(text)
            intent = Intent(score.intent)
        except DependencyError as error:
            self.on_fallback(error.reason)
            return Understood(DEFAULT_INTENT, "default", 0.0), [error.dependency]
        except ValueError:
            self.on_fallback("unknown label")
            return Understood(DEFAULT_INTENT, "default", 0.0), ["intent-classifier"]
        if score.confidence < MINIMUM_CONFIDENCE:
            intent = Intent.OUT_OF_SCOPE
        return Understood(intent, "classifier", score.confidence), []
