"""One call of a language model, whoever answers it: what goes in, and the events that come out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from tools.twin.models import tokens
from tools.twin.models.composer import NAME
from tools.twin.models.composer.answer import compose
from tools.twin.models.composer.prompt import Role
from tools.twin.models.pace import Metronome


@dataclass(frozen=True, slots=True)
class Call:
    """A validated request; ``grade`` (strong, economy) is that of the model it names."""

    model: str
    grade: str
    system: str
    messages: tuple[tuple[Role, str], ...]
    max_tokens: int
    stop_sequences: tuple[str, ...] = ()
    temperature: float | None = None
    top_p: float | None = None

    @property
    def input_tokens(self) -> int:
        """An estimate."""
        return tokens.count(self.system) + sum(tokens.count(text) for _, text in self.messages)


@dataclass(frozen=True, slots=True)
class Text:
    """Words of the answer, as they were produced."""

    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Words a thinking model says to itself."""

    text: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The last event; ``stop_reason`` is one of Bedrock's."""

    stop_reason: str
    input_tokens: int
    output_tokens: int
    answered_by: str


Event = Text | Reasoning | Finish


class Engine(Protocol):
    """Answers calls; closing the generator stops the work at once."""

    @property
    def name(self) -> str:
        """Who answers, before an answer says so itself."""
        ...

    def generate(self, call: Call) -> AsyncGenerator[Event]:
        """Events up to one ``Finish``; raises ``ServiceError`` before or between them."""
        ...


class Composer:
    """The stand-in: composes at once and speaks at a model's pace."""

    name = NAME

    def __init__(self, metronome: Metronome) -> None:
        self._metronome = metronome

    async def generate(self, call: Call) -> AsyncGenerator[Event]:
        """The composed answer in chunks of one to five tokens, within the call's limits."""
        text, stop_reason = _until_stop(compose(call.messages), call.stop_sequences)
        await self._metronome.first_token(call.grade)
        spoken = 0
        for chunk, size in tokens.chunks(text):
            room = call.max_tokens - spoken
            if size > room:
                stop_reason = "max_tokens"
                chunk, size = "".join(tokens.pieces(chunk)[:room]), room
            if size > 0:
                await self._metronome.chunk(call.grade, size)
                yield Text(chunk)
                spoken += size
            if stop_reason == "max_tokens":
                break
        yield Finish(stop_reason, call.input_tokens, spoken, self.name)


def _until_stop(text: str, stop_sequences: tuple[str, ...]) -> tuple[str, str]:
    places = [place for stop in stop_sequences if (place := text.find(stop)) >= 0]
    return (text[: min(places)], "stop_sequence") if places else (text, "end_turn")
