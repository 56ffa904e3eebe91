"""The guard at the door: nothing reads a message before this has (GRD-1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mangaassist.guardrails.injection import inspect
from mangaassist.guardrails.pii import Finding, redact
from mangaassist.language import strip_invisible
from mangaassist.protocol import MAX_MESSAGE_CHARACTERS

Refusal = Literal["empty", "too_long", "encoding", "injection"]


@dataclass(frozen=True, slots=True)
class Admission:
    """``text`` may be stored, logged and sent to a model: it is clean and redacted, refused or not."""

    text: str
    refused: Refusal | None = None
    findings: tuple[Finding, ...] = ()
    """Personal data that was replaced; positions count in the message without its invisible characters."""
    rules: tuple[str, ...] = ()
    """The injection phrases found, for the log."""


def admit(text: str) -> Admission:
    """Clean, redact and judge a message. Control and invisible characters go, because they only serve to hide."""
    if len(text) > MAX_MESSAGE_CHARACTERS:
        return Admission("", "too_long")
    if any("\ud800" <= character <= "\udfff" for character in text):
        return Admission("", "encoding")
    visible = strip_invisible(text).strip()
    if not visible:
        return Admission("", "empty")
    redaction = redact(visible)
    # The original is inspected: a placeholder could tear a phrase apart.
    verdict = inspect(visible)
    return Admission(
        redaction.text,
        refused="injection" if verdict.injection else None,
        findings=redaction.findings,
        rules=verdict.rules,
    )
