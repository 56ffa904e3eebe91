"""The log of generations: what ran, how much of it was sent, how it ended. Never what was said."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import asdict, dataclass
from typing import Any, Literal
from uuid import uuid4

State = Literal["running", "completed", "client_gone", "failed"]
KEPT = 1_000


@dataclass(slots=True)
class Stream:
    """One generation; times are seconds since the epoch."""

    id: str
    operation: str
    model: str
    answered_by: str
    started: float
    chunks_sent: int = 0
    state: State = "running"
    ended: float | None = None
    error: str | None = None


class StreamLog:
    """The last thousand generations, newest last."""

    def __init__(self) -> None:
        self._streams: OrderedDict[str, Stream] = OrderedDict()
        self._ended = asyncio.Condition()

    def begin(self, *, operation: str, model: str, answered_by: str) -> Stream:
        """Note a new one."""
        stream = Stream(str(uuid4()), operation, model, answered_by, time.time())
        self._streams[stream.id] = stream
        while len(self._streams) > KEPT:
            self._streams.popitem(last=False)
        return stream

    async def end(self, stream: Stream, state: State, error: str | None = None) -> None:
        """Note how it ended."""
        stream.state, stream.error, stream.ended = state, error, time.time()
        async with self._ended:
            self._ended.notify_all()

    async def settled(self, wait_seconds: float) -> list[dict[str, Any]]:
        """All of them, as soon as none runs or the time is over."""
        try:
            async with asyncio.timeout(wait_seconds), self._ended:
                await self._ended.wait_for(lambda: not self._running())
        except TimeoutError:
            pass
        return self.describe()

    def describe(self) -> list[dict[str, Any]]:
        """All of them, oldest first."""
        return [asdict(stream) for stream in self._streams.values()]

    def clear(self) -> None:
        """Forget those that have ended."""
        self._streams = OrderedDict((stream.id, stream) for stream in self._running())

    def _running(self) -> list[Stream]:
        return [stream for stream in self._streams.values() if stream.state == "running"]
