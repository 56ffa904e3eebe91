"""What is kept of a conversation. Times are epoch seconds; texts are redacted before they get here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Connection:
    """An open WebSocket and whose it is."""

    connection_id: str
    session_id: str
    subject: str
    protocol_version: int
    session_resumed: bool
    expires_at: int


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation and its owner."""

    session_id: str
    owner: str
    created_at: int
    expires_at: int


TurnStatus = Literal["complete", "abandoned", "failed"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer, as shown.

    ``frames`` are the frames in the order they were sent, each as JSON of the protocol version that was current then, so that a resend
    repeats exactly what the client missed. ``abandoned`` means the client left; ``failed`` ended in an error frame.
    """

    session_id: str
    response_id: str
    message_id: str
    question: str
    answer: str
    intent: str
    status: TurnStatus
    frames: tuple[str, ...]
    created_at: int
    expires_at: int
