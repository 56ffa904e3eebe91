"""ASIN validation: an answer names only products that exist, are for sale and have a trustworthy listing (GRD-7)."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass

from mangaassist.errors import DependencyError
from mangaassist.guardrails.checks import isbn_10
from mangaassist.guardrails.stages import JudgementContext, StageResult, wording
from mangaassist.guardrails.trust import suspicion, thresholds
from mangaassist.language import fold_width
from mangaassist.ports import Intervention

_TOKEN = re.compile(
    # A label makes any ten characters a claimed ASIN; without one it takes the store's form or a printed book's ISBN-10.
    r"(?P<label>\basins?\b ?[:#は]? ?|/(?:dp|gp/product)/)(?P<named>[a-z0-9]{10})(?![a-z0-9])"
    r"|(?<![a-z0-9\-])(?P<asin>b0[a-z0-9]{8})(?![a-z0-9])"
    r"|(?<![a-z0-9\-.])(?P<isbn>[0-9]{9}[0-9x])(?![a-z0-9\-])",
    re.IGNORECASE | re.ASCII,
)
_OPENERS, _CLOSERS = "([（【", ")]）】"


def asin_mentions(text: str) -> list[tuple[int, int, str]]:
    """Every ASIN-shaped token: where it is (label included) and the ASIN in capitals."""
    found: list[tuple[int, int, str]] = []
    for match in _TOKEN.finditer(fold_width(text)):
        asin = (match["named"] or match["asin"] or match["isbn"]).upper()
        if match["isbn"] and not isbn_10(asin):
            continue
        found.append((match.start(), match.end(), asin))
    return found


@dataclass(frozen=True, slots=True)
class _Finding:
    """ASINs that must go; ``answered`` is false where the service that knows could not be asked."""

    asins: Set[str] = frozenset()
    answered: bool = True


class AsinValidation:
    """Takes out every ASIN that the store does not know, does not sell or should not recommend.

    The directory is asked once, for all that was not retrieved; the listings once, for all that is left.
    """

    name = "asin"

    def apply(self, text: str, context: JudgementContext) -> StageResult:
        """The text with those products named neutrally.

        A directory that fails or is absent knows nothing: then what was not retrieved is removed and the outcome is
        ``unavailable``, because a wrong product is worse than a missing one. Signals that cannot be had condemn
        nothing, but the outcome is ``unavailable`` then, too.
        """
        mentions = asin_mentions(text)
        mentioned = {asin for _, _, asin in mentions}
        unknown = _unknown(mentioned - context.allowed_asins, context)
        distrusted = _distrusted(mentioned - unknown.asins, context)
        interventions = [
            Intervention(self.name, "removed", reason)
            for finding, reason in (
                (unknown, "A product in the text is not one the store could confirm."),
                (distrusted, "A product in the text is not for sale, or its listing could not be trusted."),
            )
            if finding.asins
        ]
        pieces = [piece for piece in mentions if piece[2] in unknown.asins | distrusted.asins]
        answered = unknown.answered and distrusted.answered
        outcome = "unavailable" if not answered else "removed" if pieces else "passed"
        places = [(start, end) for start, end, _ in pieces]
        return StageResult(_without(text, places, context), outcome, tuple(interventions))


def _unknown(doubtful: Set[str], context: JudgementContext) -> _Finding:
    if not doubtful:
        return _Finding()
    if context.directory is None:
        return _Finding(doubtful, answered=False)
    try:
        return _Finding(doubtful - context.directory.known(sorted(doubtful)))
    except DependencyError:
        return _Finding(doubtful, answered=False)


def _distrusted(asins: Set[str], context: JudgementContext) -> _Finding:
    if not asins or context.trust is None:
        return _Finding()
    try:
        signals = context.trust.signals(sorted(asins))
    except DependencyError:
        return _Finding(answered=False)
    limits = thresholds()
    return _Finding(
        {asin for asin in asins if asin not in signals or suspicion(signals[asin], limits) is not None}
    )


def _without(text: str, pieces: list[tuple[int, int]], context: JudgementContext) -> str:
    out: list[str] = []
    position = 0
    for start, end in pieces:
        if text[start - 1 : start] in tuple(_OPENERS) and text[end : end + 1] in tuple(_CLOSERS):
            out.append(text[position : start - 1].rstrip(" "))
            end += 1
        else:
            out += (text[position:start], wording("unknown_product", context.language))
        position = end
    return "".join((*out, text[position:]))
