"""The full check of an answer: six stages in order, each on the text the one before left (GRD-4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache

from mangaassist.guardrails.asins import AsinValidation
from mangaassist.guardrails.competitors import replace_competitors
from mangaassist.guardrails.pii import redact
from mangaassist.guardrails.prices import PriceAccuracy
from mangaassist.guardrails.stages import DATA, JudgementContext, Stage, StageResult, wording
from mangaassist.language import Language, normalized
from mangaassist.phrases import read_phrases
from mangaassist.ports import Intervention, Judgement, ListingTrust, ProductDirectory

StageObserver = Callable[[str, str, StageResult], None]
"""Told the stage's name, the text before it, and its result."""


class PersonalData:
    """Replaces personal data by placeholders."""

    name = "pii"

    def apply(self, text: str, context: JudgementContext) -> StageResult:
        """The redacted text."""
        redaction = redact(text)
        if not redaction.findings:
            return StageResult(text)
        types = ", ".join(sorted({finding.type for finding in redaction.findings}))
        intervention = Intervention(self.name, "redacted", f"Personal data was removed ({types}).")
        return StageResult(redaction.text, "redacted", (intervention,))


class CompetitorMention:
    """Replaces other stores' names."""

    name = "competitor"

    def apply(self, text: str, context: JudgementContext) -> StageResult:
        """The text with neutral wording in place of the names."""
        clean, spans = replace_competitors(text)
        if not spans:
            return StageResult(text)
        return StageResult(
            clean, "replaced", (Intervention(self.name, "replaced", "Another store was mentioned."),)
        )


class BlockedPhrases:
    """Replaces the whole answer when one of a data file's phrases is in it: ``toxicity`` and ``scope``.

    A first line of defence that knows its phrases and nothing else; a model-backed stage can stand behind it.
    """

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self._reason = reason
        self._phrases = read_phrases(DATA / f"{name}.json")

    def apply(self, text: str, context: JudgementContext) -> StageResult:
        """The text, or the stage's wording in its place."""
        plain = normalized(text)
        if not any(phrase.occurs_in(plain) for phrase in self._phrases):
            return StageResult(text)
        return StageResult(
            wording(self.name, context.language),
            "blocked",
            (Intervention(self.name, "blocked", self._reason),),
        )


@cache
def stages() -> tuple[Stage, ...]:
    """The six stages, in their order."""
    return (
        PersonalData(),
        PriceAccuracy(),
        BlockedPhrases("toxicity", "The answer was abusive."),
        CompetitorMention(),
        AsinValidation(),
        BlockedPhrases("scope", "The answer left the store's topics."),
    )


def judge(
    text: str,
    language: Language,
    allowed_asins: Sequence[str],
    directory: ProductDirectory | None,
    *,
    trust: ListingTrust | None = None,
    observe: StageObserver | None = None,
) -> Judgement:
    """The verdict on an answer; never fails because a service does."""
    context = JudgementContext(language, frozenset(asin.upper() for asin in allowed_asins), directory, trust)
    interventions: list[Intervention] = []
    outcomes: dict[str, str] = {}
    for name, before, result in _run(text, context):
        if observe is not None:
            observe(name, before, result)
        interventions += result.interventions
        outcomes[name] = result.outcome
        text = result.text
    return Judgement(text, tuple(interventions), outcomes)


def _run(text: str, context: JudgementContext) -> Iterator[tuple[str, str, StageResult]]:
    for stage in stages():
        result = stage.apply(text, context)
        yield stage.name, text, result
        text = result.text
