"""Fakes of a turn's ports: driven by a queue, with a history to inspect."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any

from mangaassist.errors import DependencyError, MessageInProgress
from mangaassist.generation.policy import ModelPolicy, built_in_policy
from mangaassist.ports import (
    Chunk,
    ChunkFilter,
    IntentScore,
    Judgement,
    ModelEvent,
    ModelRequest,
    StreamEnd,
    TextChunk,
    Vector,
)
from mangaassist.sessions.records import Connection, Session, Turn


def chunk(number: int, title: str = "Uzumaki", **facts: Any) -> Chunk:
    """A chunk of the catalogue with something to sell."""
    return Chunk(
        chunk_id=f"MG{number:05}#0",
        series_id=f"MG{number:05}",
        score=1 - number / 100,
        text=title,
        title=title,
        url=f"https://store.example/manga/MG{number:05}",
        facts={
            "title": title,
            "creators": ["Junji Ito"],
            "genres": ["Horror"],
            "offer": {
                "asin": f"B0TEST{number:04}",
                "title": f"{title}, Vol. 1",
                "volume": 1,
                "price": "9.99",
                "list_price": "12.99",
                "currency": "USD",
                "in_stock": True,
                "rating_average": 4.5,
                "rating_count": 12,
            },
            **facts,
        },
    )


@dataclass
class FakeModel:
    """Plays scripts in order; an error in a script is raised at its place, and an event is waited for."""

    scripts: deque[list[str | DependencyError | asyncio.Event]]
    requests: list[ModelRequest] = field(default_factory=list)
    closed_early: int = 0

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        self.requests.append(request)
        finished = False
        try:
            for piece in self.scripts.popleft():
                if isinstance(piece, DependencyError):
                    finished = True
                    raise piece
                if isinstance(piece, asyncio.Event):
                    await piece.wait()
                    continue
                yield TextChunk(piece)
            finished = True
            yield StreamEnd("end_turn", input_tokens=100, output_tokens=20, answered_by="stand-in:fake")
        finally:
            self.closed_early += not finished


@dataclass
class FakeEmbedder:
    texts: list[str] = field(default_factory=list)
    error: DependencyError | None = None

    async def embed(self, text: str) -> Vector:
        self.texts.append(text)
        if self.error:
            raise self.error
        return [1.0, 0.0]


@dataclass
class FakeSearch:
    chunks: list[Chunk]
    filters: list[ChunkFilter] = field(default_factory=list)

    async def nearest(self, vector: Vector, *, limit: int, only: ChunkFilter) -> list[Chunk]:
        self.filters.append(only)
        inside = [
            each for each in self.chunks if not only.genres or set(only.genres) & set(each.facts["genres"])
        ]
        return inside[:limit]


@dataclass
class FakeReranker:
    """Puts the texts into ``order``; without one it never answers, an error is raised."""

    order: list[int] | DependencyError | None
    asked: list[tuple[str, list[str]]] = field(default_factory=list)

    async def rank(self, question: str, texts: Sequence[str]) -> list[int]:
        self.asked.append((question, list(texts)))
        if isinstance(self.order, DependencyError):
            raise self.order
        if self.order is None:
            await asyncio.Event().wait()
        return self.order or []


@dataclass
class FakeClassifier:
    score: IntentScore | DependencyError
    texts: list[str] = field(default_factory=list)
    until: asyncio.Event | None = None
    """Nothing is answered before it is set."""

    async def classify(self, text: str) -> IntentScore:
        self.texts.append(text)
        if self.until is not None:
            await self.until.wait()
        if isinstance(self.score, DependencyError):
            raise self.score
        return self.score


@dataclass
class FakePolicies:
    policy: ModelPolicy = field(default_factory=built_in_policy)
    version: str = "built-in"

    async def current(self) -> ModelPolicy:
        return self.policy


@dataclass
class FakeJudge:
    """Answers with ``verdict``, or lets the text pass."""

    verdict: Judgement | DependencyError | None = None
    texts: list[str] = field(default_factory=list)
    allowed: list[list[str]] = field(default_factory=list)

    async def judge(
        self, text: str, *, language: str, allowed_asins: Sequence[str], request_id: str
    ) -> Judgement:
        self.texts.append(text)
        self.allowed.append(list(allowed_asins))
        if isinstance(self.verdict, DependencyError):
            raise self.verdict
        return self.verdict or Judgement(text=text)


@dataclass
class FakeChannel:
    """Takes frames; ``failures`` maps the number of an attempted post (from 0) to the error it meets."""

    failures: dict[int, Exception] = field(default_factory=dict)
    attempts: int = 0
    payloads: list[bytes] = field(default_factory=list)

    async def post(self, payload: bytes) -> None:
        attempt, self.attempts = self.attempts, self.attempts + 1
        if attempt in self.failures:
            raise self.failures[attempt]
        self.payloads.append(payload)

    @property
    def frames(self) -> list[dict[str, Any]]:
        return [json.loads(payload) for payload in self.payloads]


@dataclass
class FakeSessions:
    """One open connection and a place for turns."""

    open: Connection | None
    turns: list[Turn] = field(default_factory=list)
    claims: dict[str, str] = field(default_factory=dict)
    forgotten: list[str] = field(default_factory=list)
    save_error: DependencyError | None = None
    history_error: DependencyError | None = None
    leases: list[int] = field(default_factory=list)

    async def connection(self, connection_id: str) -> Connection | None:
        return self.open

    async def session(self, session_id: str) -> Session | None:
        return None

    async def recent_turns(self, session_id: str, limit: int) -> list[Turn]:
        if self.history_error:
            raise self.history_error
        return self.turns[-limit:] if limit else []

    async def claim_message(
        self, session_id: str, message_id: str, response_id: str, *, lease_seconds: int
    ) -> Turn | None:
        self.leases.append(lease_seconds)
        if message_id in self.claims:
            for turn in self.turns:
                if turn.message_id == message_id and turn.status == "complete":
                    return turn
            raise MessageInProgress(message_id)
        self.claims[message_id] = response_id
        return None

    async def release_message(self, session_id: str, message_id: str) -> None:
        self.claims.pop(message_id, None)

    async def save_turn(self, turn: Turn) -> None:
        if self.save_error:
            raise self.save_error
        self.turns.append(turn)

    async def turn_by_response(self, session_id: str, response_id: str) -> Turn | None:
        return next((turn for turn in self.turns if turn.response_id == response_id), None)

    async def forget_connection(self, connection_id: str) -> None:
        self.forgotten.append(connection_id)
