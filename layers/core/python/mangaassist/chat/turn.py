"""The story of one turn: from a question to a judged, grounded answer.

Admission, groundwork (intent, retrieval and suggestions at once), plan, context, generation, judgement, closing. The
story does no I/O of its own: it asks ports and yields events. Leaving the iterator early, as when the client is gone,
closes the model's stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mangaassist.chat import cards
from mangaassist.chat.events import (
    StoryEvent,
    TextCorrected,
    TextDelta,
    TurnCompleted,
    TurnFailed,
    TurnUnderstood,
)
from mangaassist.chat.groundwork import Ground, Groundwork, Question
from mangaassist.chat.promotions import PromotionAnswers, Told
from mangaassist.chat.replies import failure
from mangaassist.chat.shelf import Shelf, Shelves
from mangaassist.chat.stopwatch import Stopwatch
from mangaassist.errors import DependencyError, ModelUnavailable
from mangaassist.guardrails.admission import admit
from mangaassist.guardrails.inline import InlineGuard
from mangaassist.intents.intents import Intent
from mangaassist.intents.plan import Plan, plan_for, reply_text
from mangaassist.language import detect_language
from mangaassist.ports import (
    AnswerJudge,
    Chunk,
    Judgement,
    LanguageModel,
    ModelRequest,
    PolicySource,
    ProvisionedModels,
    StreamEnd,
    TextChunk,
)
from mangaassist.protocol import (
    ActionButton,
    CorrectionReason,
    ErrorCode,
    Locale,
    ResponseMetadata,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from mangaassist.generation.policy import TierChoice
    from mangaassist.generation.prompt import Prompt

ANSWER_TASK = "answer_synthesis"


@dataclass(slots=True)
class _Answer:
    """What generation leaves behind for the closing."""

    text: str = ""
    choice: TierChoice | None = None
    end: StreamEnd | None = None
    guarded: bool = False
    degraded: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class TurnStory:
    """The ports a turn asks. One story serves many turns."""

    groundwork: Groundwork
    shelves: Shelves
    promotions: PromotionAnswers
    policies: PolicySource
    model: LanguageModel
    judge: AnswerJudge
    on_fallback: Callable[[str, str, str], None]
    """Told ``(fallback_from, fallback_to, reason)`` of every model fallback (GEN-4)."""
    provisioned: ProvisionedModels
    on_overflow: Callable[[str, str], None]
    """Told ``(tier, reason)`` whenever bought capacity did not take a call and on demand did (GEN-9)."""

    async def tell(self, question: Question, stopwatch: Stopwatch) -> AsyncGenerator[StoryEvent]:
        """The turn's events; the last one is ``TurnCompleted`` or ``TurnFailed``."""
        with stopwatch.stage("admission"):
            admission = admit(question.text)
            language = detect_language(admission.text, question.hints.locale)
        if admission.refused:
            yield TurnFailed(ErrorCode.MESSAGE_REFUSED, _refusal(language), retryable=False)
            return
        ground = await self.groundwork.lay(question, admission.text, stopwatch)
        understood, candidates = ground.understood, ground.candidates
        yield TurnUnderstood(understood.intent.value)
        plan = plan_for(understood.intent)
        answer = _Answer(degraded=[*ground.degraded], guarded=bool(admission.findings))
        prompt: Prompt | None = None
        shelf = Shelf()
        told = Told()
        policy_version: str | None = None
        if plan.task is None:
            told = await self._told(plan, admission.text, language, stopwatch)
            answer.text = told.text
            answer.degraded += told.degraded
            stopwatch.mark("first_token")
            yield TextDelta(answer.text)
        else:
            prompt, chain, policy_version, shelf = await self._context(
                question, admission.text, language, ground, stopwatch
            )
            answer.degraded = [*ground.degraded_beside(shelf), *shelf.missing]
            try:
                async with aclosing(self._generate(prompt, chain, answer, stopwatch)) as deltas:
                    async for delta in deltas:
                        yield delta
            except DependencyError as error:
                yield failure(error)
                return
        judgement = Judgement(text=answer.text)
        judged: Literal["full", "unavailable", "template"] = "template"
        if prompt is not None:
            judgement, judged = await self._judge(question, answer, candidates, language, stopwatch)
        if judgement.text != answer.text:
            yield TextCorrected(
                judgement.text,
                tuple(
                    CorrectionReason(stage=each.stage, reason=each.reason) for each in judgement.interventions
                ),
            )
        shown = judgement.text
        asked_for_ideas = understood.intent is Intent.RECOMMENDATION
        yield TurnCompleted(
            answer=shown,
            intent=understood.intent.value,
            cards=cards.cards(shown, candidates, shelf, fill=asked_for_ideas) if prompt else told.cards,
            buttons=_buttons(language, understood.intent),
            citations=cards.citations(shown, candidates) if prompt else (),
            metadata=ResponseMetadata(
                request_id=question.request_id,
                intent=understood.intent.value,
                intent_source=understood.source,
                intent_confidence=round(understood.confidence, 3),
                language=language,
                model_tier=answer.choice.tier if answer.choice else None,
                model_id=answer.choice.model_id if answer.choice else None,
                answered_by=answer.end.answered_by if answer.end else None,
                policy_version=policy_version,
                prompt_template=prompt.template if prompt else None,
                guardrail_action=_action(judgement, judged, answer.guarded),
                retrieval_mode=("vector" if ground.chunks else "fallback") if plan.retrieval else "none",
                recommended_by=ground.recommended_by,
                degraded=list(dict.fromkeys(answer.degraded)),
                usage=Usage(
                    input_tokens=answer.end.input_tokens if answer.end else 0,
                    output_tokens=answer.end.output_tokens if answer.end else 0,
                ),
                timings_ms=stopwatch.timings_ms(),
            ),
            chunks=len(ground.chunks),
            index_version=ground.chunks[0].index if ground.chunks else None,
        )

    async def _told(self, plan: Plan, text: str, language: Locale, stopwatch: Stopwatch) -> Told:
        """What is said without a model: a prepared text, or a template with what a service says now (INT-5)."""
        reply = reply_text(plan.reply, language)
        if plan.service is None:
            return Told(reply)
        return await self.promotions.of(text, language, stopwatch, otherwise=reply)

    async def _context(
        self,
        question: Question,
        text: str,
        language: Locale,
        ground: Ground,
        stopwatch: Stopwatch,
    ) -> tuple[Prompt, tuple[TierChoice, ...], str, Shelf]:
        """What the model is asked, which models may answer, and the facts for the cards; all are sought at once."""
        from mangaassist.generation.prompt import build_prompt
        from mangaassist.generation.provisioned import with_provisioned

        asins = [asin for chunk in ground.candidates if (asin := cards.asin_of(chunk))]
        with stopwatch.stage("context"):
            policy, active, shelf = await asyncio.gather(
                self.policies.current(),
                self.provisioned.active(),
                self.shelves.of(asins, stopwatch),
            )
            prompt = build_prompt(
                question=text,
                language=language,
                chunks=ground.candidates,
                history=ground.history,
                hints=question.hints,
                constraints=(*ground.constraints, *shelf.constraints),
            )
        return prompt, with_provisioned(policy.chain(ANSWER_TASK), active), self.policies.version, shelf

    async def _generate(
        self, prompt: Prompt, chain: Sequence[TierChoice], answer: _Answer, stopwatch: Stopwatch
    ) -> AsyncGenerator[TextDelta]:
        """Stream from the first model of the chain that starts; the next ones stand behind it until then.

        Raises:
            ModelUnavailable: every model failed before its first word, or one broke off midway.
        """
        for position, choice in enumerate(chain):
            guard = InlineGuard()
            request = ModelRequest(
                model_id=choice.target,
                system=prompt.system,
                messages=prompt.messages,
                max_tokens=choice.max_tokens,
                timeout_ms=min(choice.timeout_ms, stopwatch.remaining_ms("generation")),
                parameters=choice.parameters,
            )
            answer.choice = choice
            stopwatch.mark("generation_started")
            try:
                with stopwatch.stage("generation"):
                    async with aclosing(self.model.stream(request)) as events:
                        async for event in events:
                            stopwatch.remaining_ms("generation")
                            if isinstance(event, StreamEnd):
                                answer.end = event
                            elif text := self._guarded(guard, event, answer):
                                stopwatch.mark("first_token")
                                yield TextDelta(text)
                    if rest := guard.flush():
                        answer.text += rest
                        stopwatch.mark("first_token")
                        yield TextDelta(rest)
                if not answer.text.strip():
                    raise DependencyError("model", "empty answer")
                answer.guarded = answer.guarded or guard.intervened
                return
            except DependencyError as error:
                following = chain[position + 1] if position + 1 < len(chain) else None
                if answer.text or following is None:
                    raise ModelUnavailable(error.dependency, error.reason) from error
                if choice.provisioned_arn is not None:
                    # The same model answers on demand: nothing is worse for the shopper.
                    self.on_overflow(choice.tier, error.reason)
                    continue
                self.on_fallback(choice.tier, following.tier, error.reason)
                answer.degraded.append(f"model:{choice.tier}")

    @staticmethod
    def _guarded(guard: InlineGuard, event: TextChunk, answer: _Answer) -> str:
        text = guard.feed(event.text)
        answer.text += text
        return text

    async def _judge(
        self,
        question: Question,
        answer: _Answer,
        chunks: Sequence[Chunk],
        language: Locale,
        stopwatch: Stopwatch,
    ) -> tuple[Judgement, Literal["full", "unavailable"]]:
        """The full pipeline's verdict; without it the inline guard's text stands and the metadata says so."""
        asins = [asin for chunk in chunks if (asin := cards.asin_of(chunk))]
        try:
            with stopwatch.stage("judgement"):
                async with asyncio.timeout(stopwatch.remaining_ms("judgement") / 1000):
                    verdict = await self.judge.judge(
                        answer.text, language=language, allowed_asins=asins, request_id=question.request_id
                    )
        except (DependencyError, TimeoutError):
            answer.degraded.append("guardrail")
            return Judgement(text=answer.text), "unavailable"
        answer.degraded += [
            f"guardrail:{stage}" for stage, outcome in verdict.stages.items() if outcome == "unavailable"
        ]
        return verdict, "full"


def _action(
    judgement: Judgement, judged: str, guarded: bool
) -> Literal["none", "redacted", "corrected", "blocked", "unavailable"]:
    if any(each.action == "blocked" for each in judgement.interventions):
        return "blocked"
    if any(each.action != "flagged" for each in judgement.interventions):
        return "corrected"
    if judged == "unavailable":
        return "unavailable"
    return "redacted" if guarded else "none"


def _refusal(language: Locale) -> str:
    return reply_text("refused", language)


def _buttons(language: Locale, intent: Intent) -> tuple[ActionButton, ...]:
    """Next steps worth offering after this kind of answer."""
    if intent is not Intent.RECOMMENDATION:
        return ()
    label = reply_text("more_like_this", language)
    return (ActionButton(label=label, kind="message", text=label),)
