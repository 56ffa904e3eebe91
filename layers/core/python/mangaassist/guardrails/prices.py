"""Price accuracy without a pricing service: no amount stays, and the shopper is sent where prices are true (GRD-6)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from mangaassist.guardrails.stages import DATA, JudgementContext, StageResult, cut_out, wording
from mangaassist.language import fold_width
from mangaassist.phrases import expand
from mangaassist.ports import Intervention

_NEAR = re.compile(r"[0-9$€£¥円半割]|half", re.IGNORECASE)
_SENTENCE = re.compile(r"[^.!?。！？\n]*(?:\.(?=[0-9])[^.!?。！？\n]*)*[.!?。！？\n]*\s*")
_WORD = re.compile(r"[a-z']+|[0-9]+|[ぁ-ゖ]+|[ァ-ヺー]+|[一-龥々]+")
_SENTENCE_END = (".", "!", "?", "。", "！", "？", "」", "』", ")", "）")


@dataclass(frozen=True, slots=True)
class _Prices:
    mentions: re.Pattern[str]
    fillers: frozenset[str]


@cache
def _prices() -> _Prices:
    document: dict[str, Any] = json.loads((DATA / "prices.json").read_text("utf-8"))
    kinds: list[str] = []
    for row in document["mentions"]:
        pattern: str = row["pattern"]
        while (wider := expand(pattern, document["words"])) != pattern:
            pattern = wider
        kinds.append(f"(?:{pattern})")
    # One pattern for all kinds: the data's order decides between those that begin together.
    return _Prices(re.compile("|".join(kinds), re.IGNORECASE), frozenset(document["fillers"].split()))


def price_mentions(text: str) -> list[tuple[int, int]]:
    """Where ``text`` names an amount of money or a discount."""
    folded = fold_width(text)
    if not _NEAR.search(folded):
        return []
    return [match.span() for match in _prices().mentions.finditer(folded)]


class PriceAccuracy:
    """Removes every price mention: without a pricing service none can be known to be right."""

    name = "price_accuracy"

    def apply(self, text: str, context: JudgementContext) -> StageResult:
        """The text without prices, and with the note that says where they are."""
        mentions = price_mentions(text)
        if not mentions:
            return StageResult(text)
        note = wording("price_note", context.language)
        rest = cut_out(text, _whole_sentences(text, mentions)).rstrip()
        if note not in rest:
            ended = not rest or rest.endswith(_SENTENCE_END)
            gap = "\n" if not ended else " " if rest and context.language == "en" else ""
            rest = f"{rest}{gap}{note}"
        reason = "Prices in the text could not be confirmed."
        return StageResult(rest, "removed", (Intervention(self.name, "removed", reason),))


def _whole_sentences(text: str, mentions: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """``mentions``, widened to the sentence where nothing of substance would be left of it."""
    pieces: list[tuple[int, int]] = []
    for sentence in _SENTENCE.finditer(text):
        inside = [piece for piece in mentions if sentence.start() <= piece[0] < sentence.end()]
        if not inside:
            continue
        rest, position = "", sentence.start()
        for start, end in inside:
            rest, position = f"{rest}{text[position:start]} ", end
        rest += text[position : max(position, sentence.end())]
        bare = _prices().fillers.issuperset(_WORD.findall(fold_width(rest).lower()))
        pieces += [(sentence.start(), max(position, sentence.end()))] if bare else inside
    return pieces
