"""What a turn tells its surroundings, before it is stamped and sent as frames.

The turn does not know response ids, sequence numbers or protocol versions; ``delivery`` adds them at the border.
"""

from __future__ import annotations

from dataclasses import dataclass

from mangaassist.protocol import (
    ActionButton,
    Citation,
    CorrectionReason,
    ErrorCode,
    ProductCard,
    ResponseMetadata,
)


@dataclass(frozen=True, slots=True)
class TurnUnderstood:
    """What the question was taken to be. For the record only: the client reads it in the end."""

    intent: str


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class TextCorrected:
    """The whole answer reads differently after judgement."""

    text: str
    reasons: tuple[CorrectionReason, ...]


@dataclass(frozen=True, slots=True)
class TurnCompleted:
    """The answer is whole. ``answer`` is the final text, ``intent`` what it was taken to be."""

    answer: str
    intent: str
    cards: tuple[ProductCard, ...]
    buttons: tuple[ActionButton, ...]
    citations: tuple[Citation, ...]
    metadata: ResponseMetadata
    chunks: int = 0
    """How many chunks the answer was given."""
    index_version: str | None = None
    """The index they came from."""


@dataclass(frozen=True, slots=True)
class TurnFailed:
    """The answer broke off or was refused; always the last event."""

    code: ErrorCode
    message: str
    retryable: bool


TurnEvent = TextDelta | TextCorrected | TurnCompleted | TurnFailed
StoryEvent = TurnUnderstood | TurnEvent
