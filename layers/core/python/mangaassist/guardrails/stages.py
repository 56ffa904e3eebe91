"""What a stage of the full pipeline is, and the wording stages put in place of what they take out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, Protocol

from mangaassist.language import Language
from mangaassist.ports import Intervention, ListingTrust, ProductDirectory

DATA = Path(__file__).parent / "data"

Outcome = Literal["passed", "redacted", "replaced", "removed", "blocked", "unavailable", "not_enforced"]
"""``unavailable``: enforced without a service it needs. ``not_enforced``: nothing looked at the text, and we say so."""


@dataclass(frozen=True, slots=True)
class JudgementContext:
    """What stages may know beside the text.

    ``directory`` is ``None`` where no catalogue can be asked, ``trust`` where no pricing service is deployed.
    """

    language: Language
    allowed_asins: frozenset[str]
    directory: ProductDirectory | None
    trust: ListingTrust | None = None


@dataclass(frozen=True, slots=True)
class StageResult:
    """The text after a stage, what the stage did, and why."""

    text: str
    outcome: Outcome = "passed"
    interventions: tuple[Intervention, ...] = ()


class Stage(Protocol):
    """One check of an answer: pure, except for what ``context``'s services look up."""

    @property
    def name(self) -> str: ...

    def apply(self, text: str, context: JudgementContext) -> StageResult: ...


@cache
def _wording() -> dict[str, dict[Language, str]]:
    return json.loads((DATA / "wording.json").read_text("utf-8"))


def wording(key: str, language: Language) -> str:
    """A neutral text of ``data/wording.json``."""
    return _wording()[key][language]


def cut_out(text: str, pieces: Sequence[tuple[int, int]]) -> str:
    """``text`` without ``pieces``, and without the stray space or comma each would leave behind."""
    kept: list[str] = []
    position = 0
    for start, end in pieces:
        before = "".join((*kept, text[position:start]))
        if text[end : end + 1] in ("", *".,;:!?)]。、！？）」") and before.endswith((" ", "\u3000")):
            before = before.rstrip(" \u3000")
        if not before.strip() or before.endswith((" ", "\n", "(", "（", "「")):
            end += len(text[end:]) - len(text[end:].lstrip(" \u3000"))
        if before.endswith((",", "、")) and text[end : end + 1] in tuple(".,;:!?。、"):
            before = before[:-1]
        kept, position = [before], end
    return "".join((*kept, text[position:]))
