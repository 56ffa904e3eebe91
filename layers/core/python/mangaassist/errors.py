"""Everything that can go wrong, as facts.

MangaAssistError
├── MalformedCommand          the client sent something that is not a command
├── UnknownProtocolVersion    the client asked for a version that is not served
├── InvalidToken              the token is missing, forged or expired
├── WrongOrigin               the request went around the edge
├── RotationRefused           a step of rotating a secret does not fit its state
├── SessionExpired            the session is over, or belongs to somebody else
├── MessageInProgress         the same message is still being answered
├── UnknownResponse           no such response in this session
│   └── NothingToResend       … it has no frame from that number on
├── ConnectionGone            the client left (410): an ordinary outcome, not a failure
├── DeadlineExceeded          the turn ran out of time
├── InvalidModelPolicy        a policy document was refused
└── DependencyError           a service behind a port failed
    ├── DependencyThrottled   … it asked us to slow down
    ├── DependencyTimeout     … it did not answer in time
    ├── DependencyUnavailable … it failed for the moment: the same call may succeed when repeated
    └── ModelUnavailable      every model of a task's chain failed

Errors carry facts as fields; the sentence a client sees is chosen at the edge (``chat/replies.py``), so that no
exception text ever reaches a shopper.
"""

from __future__ import annotations

from collections.abc import Sequence


class MangaAssistError(Exception):
    """Base of every error the product raises on purpose."""


class MalformedCommand(MangaAssistError):
    """``code`` is a protocol error code; ``sentence`` is safe to show and repeats nothing the client sent."""

    def __init__(self, code: str, sentence: str) -> None:
        self.code = code
        self.sentence = sentence
        super().__init__(f"{code}: {sentence}")


class UnknownProtocolVersion(MangaAssistError):
    """``requested`` is what the client asked for; ``supported`` is what it may ask for."""

    def __init__(self, requested: str, supported: Sequence[int]) -> None:
        self.requested = requested
        self.supported = tuple(supported)
        super().__init__(f"protocol_version is not one of {', '.join(map(str, supported))}")


class InvalidToken(MangaAssistError):
    """``reason`` is for the log; the client only learns that it must get a new token."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class WrongOrigin(MangaAssistError):
    """``reason`` says whether the edge's proof was absent or unknown; it is for the log alone."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"origin secret {reason}")


class RotationRefused(MangaAssistError):
    """``step`` of a rotation cannot be taken; ``reason`` says why. Secrets Manager reports the rotation as failed."""

    def __init__(self, step: str, reason: str) -> None:
        self.step = step
        self.reason = reason
        super().__init__(f"{step}: {reason}")


class SessionExpired(MangaAssistError):
    """``session_id`` is over or belongs to another owner; both look the same from outside."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        super().__init__(f"session {session_id} is not live for this caller")


class MessageInProgress(MangaAssistError):
    """``message_id`` is being answered by another execution environment."""

    def __init__(self, message_id: str) -> None:
        self.message_id = message_id
        super().__init__(f"message {message_id} is being answered")


class UnknownResponse(MangaAssistError):
    """``response_id`` is not a response of the caller's session."""

    def __init__(self, response_id: str) -> None:
        self.response_id = response_id
        super().__init__(f"no response {response_id} in this session")


class NothingToResend(UnknownResponse):
    """The response is known and ends before the frame that was asked for."""


class ConnectionGone(MangaAssistError):
    """The client of ``connection_id`` left."""

    def __init__(self, connection_id: str) -> None:
        self.connection_id = connection_id
        super().__init__(f"connection {connection_id} is gone")


class DeadlineExceeded(MangaAssistError):
    """The turn's ``budget_ms`` ran out during ``stage``."""

    def __init__(self, stage: str, budget_ms: int) -> None:
        self.stage = stage
        self.budget_ms = budget_ms
        super().__init__(f"deadline of {budget_ms} ms passed during {stage}")


class InvalidModelPolicy(MangaAssistError):
    """``problems`` lists every finding, each a sentence that says what to change."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems))


class DependencyError(MangaAssistError):
    """``dependency`` failed; ``reason`` is the service's error code or class, never its payload."""

    def __init__(self, dependency: str, reason: str) -> None:
        self.dependency = dependency
        self.reason = reason
        super().__init__(f"{dependency}: {reason}")


class DependencyThrottled(DependencyError):
    """The service asked us to slow down, for ``retry_after_seconds`` where it said so."""

    def __init__(self, dependency: str, reason: str, *, retry_after_seconds: float | None = None) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(dependency, reason)


class DependencyTimeout(DependencyError):
    """The service did not answer in time."""


class DependencyUnavailable(DependencyError):
    """The service failed for the moment (5xx, a dropped connection)."""


class ModelUnavailable(DependencyError):
    """Every model of the task's chain failed; ``reason`` is the last one's."""
