"""Which safe sentence a client gets for which error: the one table between our errors and the wire."""

from __future__ import annotations

from mangaassist.chat.events import TurnFailed
from mangaassist.errors import (
    DeadlineExceeded,
    DependencyError,
    MalformedCommand,
    MangaAssistError,
    MessageInProgress,
    ModelUnavailable,
    NothingToResend,
    SessionExpired,
    UnknownResponse,
)
from mangaassist.protocol import ErrorCode

_SENTENCES: tuple[tuple[type[BaseException], ErrorCode, str, bool], ...] = (
    (
        SessionExpired,
        ErrorCode.SESSION_EXPIRED,
        "This session is over. Reconnect to start a new one.",
        False,
    ),
    (
        MessageInProgress,
        ErrorCode.MESSAGE_IN_PROGRESS,
        "This message is still being answered. Ask again in a few seconds.",
        True,
    ),
    (
        NothingToResend,
        ErrorCode.UNKNOWN_RESPONSE,
        "This response has no frame from that number on. Ask from 0 for all of it, or send the message again.",
        False,
    ),
    (
        UnknownResponse,
        ErrorCode.UNKNOWN_RESPONSE,
        "There is no such response in this session. Send the message again.",
        False,
    ),
    (
        ModelUnavailable,
        ErrorCode.MODEL_UNAVAILABLE,
        "The assistant cannot answer right now. Please try again in a moment.",
        True,
    ),
    (
        DeadlineExceeded,
        ErrorCode.DEADLINE_EXCEEDED,
        "The answer took too long and was stopped. Please try again.",
        True,
    ),
    (
        DependencyError,
        ErrorCode.INTERNAL,
        "Something on our side failed. Please try again in a moment.",
        True,
    ),
)


def failure(error: BaseException) -> TurnFailed:
    """The event that tells the client about ``error`` without any of its text."""
    if isinstance(error, MalformedCommand):
        return TurnFailed(ErrorCode(error.code), error.sentence, retryable=False)
    for kind, code, sentence, retryable in _SENTENCES:
        if isinstance(error, kind):
            return TurnFailed(code, sentence, retryable)
    return TurnFailed(
        ErrorCode.INTERNAL,
        "Something on our side failed. Please try again in a moment.",
        retryable=not isinstance(error, MangaAssistError),
    )
