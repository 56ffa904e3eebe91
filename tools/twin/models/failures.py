"""Failures on order: the next calls of a language model fail with an exception of the caller's choice.

The fault injector breaks the service; this breaks single answers in the ways that only the service can: before the
stream (``ThrottlingException``, ``AccessDeniedException``) or within it (``throttlingException`` after three chunks).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tools.twin.models.errors import BEDROCK_STATUS, IN_STREAM, ServiceError
from tools.twin.models.generation import Call, Event, Text


@dataclass(slots=True)
class Failure:
    """``code`` for the next ``times`` calls whose model id contains ``model``; within the stream if it is one of those."""

    code: str
    after_chunks: int = 0
    times: int = 1
    model: str = ""

    @property
    def is_in_stream(self) -> bool:
        """Whether the stream begins and then fails."""
        return self.code in IN_STREAM

    @classmethod
    def parse(cls, document: object) -> Failure:
        """Read its JSON form; raises ``ValueError`` with a sentence that says what to change."""
        if not isinstance(document, dict) or document.get("code") not in (*BEDROCK_STATUS, *IN_STREAM):
            raise ValueError(
                f"a failure has a code, one of {', '.join(sorted((*BEDROCK_STATUS, *IN_STREAM)))}"
            )
        if unknown := set(document) - {"code", "after_chunks", "times", "model"}:
            raise ValueError(
                f"unknown field {sorted(unknown)[0]!r}; a failure has code, after_chunks, times, model"
            )
        for name, least in (("after_chunks", 0), ("times", 1)):
            value = document.get(name, least)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name} is a whole number from {least}")
        return cls(**document)


class FailureQueue:
    """Failures in the order they were asked for."""

    def __init__(self) -> None:
        self._waiting: list[Failure] = []

    def add(self, failure: Failure) -> None:
        """Let a coming call fail."""
        self._waiting.append(failure)

    def clear(self) -> None:
        """Let everything succeed again."""
        self._waiting.clear()

    def describe(self) -> list[Mapping[str, Any]]:
        """Those that still wait."""
        return [asdict(failure) for failure in self._waiting]

    def take(self, model: str) -> Failure | None:
        """The failure for a call of ``model``, if one waits for it."""
        for failure in self._waiting:
            if failure.model in model:
                failure.times -= 1
                if failure.times == 0:
                    self._waiting.remove(failure)
                return failure
        return None


async def failing(events: AsyncGenerator[Event], call: Call, failure: Failure) -> AsyncGenerator[Event]:
    """``events`` until the failure comes."""
    told = ServiceError(
        failure.code[0].upper() + failure.code[1:],
        f"{failure.code} asked for at /_twin/failures ({call.model})",
    )
    if not failure.is_in_stream:
        raise told
    sent = 0
    try:
        async for event in events:
            if sent == failure.after_chunks:
                raise told
            yield event
            sent += isinstance(event, Text)
    finally:
        await events.aclose()
    raise told
