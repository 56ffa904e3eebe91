"""Our own work in a turn: everything but waiting, with ports that answer at once."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections import deque

from mangaassist.chat.groundwork import Groundwork
from mangaassist.chat.promotions import PromotionAnswers
from mangaassist.chat.service import ChatService
from mangaassist.chat.turn import TurnStory
from mangaassist.chat.understanding import Understanding
from mangaassist.generation.provisioned import NothingProvisioned
from mangaassist.intents import rules
from mangaassist.retrieval.retriever import Retriever
from mangaassist.sessions.records import Connection
from tests.fakes.store import FakeStore
from tests.fakes.turn import (
    FakeChannel,
    FakeEmbedder,
    FakeJudge,
    FakeModel,
    FakePolicies,
    FakeSearch,
    FakeSessions,
    chunk,
)
from tools.bench.result import Result

TURNS = 200
CHUNKS = 60
QUESTION = "Recommend horror manga like Junji Ito"


def measure() -> list[Result]:
    """CPU of a whole turn, of one chunk, and of the stage-1 rules, against JSON work of the same size."""
    turns, frames = asyncio.run(_turns(CHUNKS))
    short, _ = asyncio.run(_turns(CHUNKS // 2))
    encoded = _median(lambda: [json.loads(json.dumps(frame)) for frame in frames])
    one = _median(lambda: json.loads(json.dumps(frames[1])))
    ruled = _median(lambda: rules.match(QUESTION))
    per_chunk = max(turns - short, 0.0) / (CHUNKS - CHUNKS // 2)
    return [
        Result(f"CPU of a turn of {CHUNKS} chunks", turns, "JSON round trip of its frames", encoded),
        Result("CPU of forwarding one chunk", per_chunk, "JSON round trip of its frame", one),
        Result("stage-1 rules on a question", ruled, "JSON round trip of one frame", one),
    ]


async def _turns(chunks: int) -> tuple[float, list[dict[str, object]]]:
    """Median CPU milliseconds of a turn, and the frames of the last one."""
    spent: list[float] = []
    channel = FakeChannel()
    for number in range(TURNS):
        channel = FakeChannel()
        connection = Connection("c", "s", "guest", 2, session_resumed=False, expires_at=9_999_999_999)
        shelves = FakeStore().shelves()
        service = ChatService(
            sessions=FakeSessions(connection),
            story=TurnStory(
                groundwork=Groundwork(
                    understanding=Understanding(None, on_fallback=lambda reason: None),
                    retriever=Retriever(FakeEmbedder(), FakeSearch([chunk(each) for each in range(1, 6)])),
                    suggestions=FakeStore().suggestions(shelves),
                    shelves=shelves,
                ),
                shelves=shelves,
                promotions=PromotionAnswers(shelves, store_url="https://store.example"),
                policies=FakePolicies(),
                model=FakeModel(deque([["Uzumaki [1] "] * chunks])),
                judge=FakeJudge(),
                on_fallback=lambda *fallback: None,
                provisioned=NothingProvisioned(),
                on_overflow=lambda *overflow: None,
            ),
            deadline_ms=25_000,
            session_ttl_seconds=60,
            on_turn_failed=lambda response_id, error: None,
        )
        body = json.dumps({"action": "message", "message_id": f"m{number}", "text": QUESTION})
        began = time.process_time()
        await service.handle(body, connection_id="c", subject="guest", request_id="q", channel=channel)
        spent.append((time.process_time() - began) * 1000)
    return statistics.median(spent), channel.frames


def _median(work: object, rounds: int = 300) -> float:
    assert callable(work)
    spent: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        spent.append((time.perf_counter() - began) * 1000)
    return statistics.median(spent)
