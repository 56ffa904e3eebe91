"""ASIN validation: an answer names only products that were retrieved for it or that the store knows (GRD-7, first part)."""

from __future__ import annotations

import re

from mangaassist.errors import DependencyError
from mangaassist.guardrails.checks import isbn_10
from mangaassist.guardrails.stages import JudgementContext, StageResult, wording
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


class AsinValidation:
    """Takes out every ASIN that is neither allowed nor known; asks the directory once, for all unknown ones."""

    name = "asin"

    def apply(self, text: str, context: JudgementContext) -> StageResult:
        """The text with unknown products named neutrally.

        A directory that fails or is absent knows nothing: then what was not retrieved is removed and the outcome is
        ``unavailable``, because a wrong product is worse than a missing one.
        """
        mentions = asin_mentions(text)
        doubtful = sorted({asin for _, _, asin in mentions} - context.allowed_asins)
        if not doubtful:
            return StageResult(text)
        unanswered = context.directory is None
        known: set[str] = set()
        if context.directory is not None:
            try:
                known = context.directory.known(doubtful)
            except DependencyError:
                unanswered = True
        unknown = set(doubtful) - known
        pieces = [(start, end) for start, end, asin in mentions if asin in unknown]
        reason = "A product in the text is not one the store could confirm."
        interventions = (Intervention(self.name, "removed", reason),) if pieces else ()
        outcome = "unavailable" if unanswered else "removed" if pieces else "passed"
        return StageResult(_without(text, pieces, context), outcome, interventions)


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
