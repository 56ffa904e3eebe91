"""Keeps the read model fresh: everything once, then change by change as the log tells of them.

A load notes where the log ends before it scans, so what is written meanwhile is applied once more rather than lost.
Entries are published to watchers only when the model has them: who is told of a change reads it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from itertools import islice
from typing import Final, Protocol

from mangaassist.errors import DependencyError
from services.catalogue.facts import Series, Volume
from services.catalogue.model import ReadModel
from services.catalogue.table import Entry, Tail
from services.catalogue.tokens import Position

KEPT: Final = 1_024
"""Entries kept for watchers that fall behind; further back they read the table."""
LONGEST_PAUSE_SECONDS: Final = 15.0


class ChangesLost(Exception):
    """The log does not reach back to this position, or is another one."""


class Store(Protocol):
    """The table, as far as a follower reads it; blocking."""

    def everything(self) -> tuple[list[Series], list[Volume]]: ...

    def with_volumes(self, series_ids: Sequence[str]) -> list[tuple[Series, list[Volume]]]: ...

    def tail(self, sequence: int) -> Tail: ...


class Follower:
    """One table's changes.

    Args:
        store: the table.
        poll_seconds: between two looks at the log.
        on_loaded: called with the number of series each time everything was read.
        on_failed: called with the reason each time the table did not answer, or not with what can be understood.
        on_changed: called with the ids of the series that were applied.
    """

    def __init__(
        self,
        store: Store,
        *,
        poll_seconds: float,
        on_loaded: Callable[[int], None] = lambda count: None,
        on_failed: Callable[[str], None] = lambda reason: None,
        on_changed: Callable[[Sequence[str]], None] = lambda series_ids: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._poll_seconds = poll_seconds
        self._on_loaded = on_loaded
        self._on_failed = on_failed
        self._on_changed = on_changed
        self._clock = clock
        self._recent: deque[Entry] = deque(maxlen=KEPT)
        self._moved = asyncio.Condition()
        self._closed = False
        self._loaded = False
        self._seen_at = clock()
        self.model = ReadModel()
        self.position = Position("", 0)

    @property
    def is_loaded(self) -> bool:
        """Whether the model can answer."""
        return self._loaded

    @property
    def age_seconds(self) -> float:
        """How long ago the log was last read to its end, or this began if it never was."""
        return self._clock() - self._seen_at

    async def run(self) -> None:
        """Load, then follow, until cancelled; what fails is tried again, with growing pauses.

        Whatever it is: a follower that ended would leave a server that says it is well and knows nothing new.
        """
        pause = self._poll_seconds
        while True:
            try:
                await (self.follow() if self._loaded else self.load())
                pause = self._poll_seconds
            except Exception as error:
                known = isinstance(error, DependencyError)
                self._on_failed(f"{error.dependency}: {error.reason}" if known else type(error).__name__)
                pause = min(max(pause, 0.1) * 2, LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause)

    async def load(self) -> None:
        """Read everything."""
        end = (await asyncio.to_thread(self._store.tail, 10**15 - 2)).end
        series, volumes = await asyncio.to_thread(self._store.everything)
        model = await asyncio.to_thread(ReadModel, series, volumes)
        async with self._moved:
            self.model, self.position = model, end or Position("", 0)
            self._recent.clear()
            self._loaded, self._seen_at = True, self._clock()
            self._moved.notify_all()
        self._on_loaded(len(model))

    async def follow(self) -> None:
        """Apply what was logged since; where that cannot be told, read everything again."""
        tail = await self._tail(self.position)
        if tail.end is not None and not self.position.log and tail.end.sequence == len(tail.entries):
            # The first entries of a table that had none.
            self.position = Position(tail.end.log, 0)
        if not _continues(tail, self.position):
            await self.load()
            return
        if tail.entries:
            await self._apply(tail.entries)
        self._seen_at = self._clock()

    async def _apply(self, entries: Sequence[Entry]) -> None:
        changed = list(dict.fromkeys(series_id for entry in entries for series_id in entry.series_ids))
        fresh = await asyncio.to_thread(self._store.with_volumes, changed)
        async with self._moved:
            for series, volumes in fresh:
                self.model.put(series, volumes)
            self._recent.extend(entries)
            self.position = Position(self.position.log, entries[-1].sequence)
            self._moved.notify_all()
        self._on_changed(changed)

    async def close(self) -> None:
        """End every watch; the process is going away."""
        async with self._moved:
            self._closed = True
            self._moved.notify_all()

    async def watch(self, position: Position) -> AsyncIterator[Entry]:
        """Each entry that follows ``position``, as it is applied; ends when the follower is closed.

        Raises:
            ChangesLost: the log does not reach back to there.
            DependencyError: entries of long ago had to be read, and could not be.
        """
        while True:
            async with self._moved:
                await self._moved.wait_for(partial(self._has_news, position))
                if self._closed:
                    return
                if self.position.log != position.log:
                    if position != Position("", 0):
                        raise ChangesLost
                    # This watch began before the log did.
                    position = Position(self.position.log, 0)
                    continue
                entries = self._since(position.sequence)
                end = self.position.sequence
            if entries is None:
                entries = await self._kept_since(position, end)
            for entry in entries:
                yield entry
                position = Position(position.log, entry.sequence)

    def _has_news(self, position: Position) -> bool:
        other_log = self._loaded and self.position.log != position.log
        return self._closed or other_log or self.position.sequence > position.sequence

    def _since(self, sequence: int) -> tuple[Entry, ...] | None:
        """The entries after one, from memory; ``None`` where memory does not reach back so far."""
        if not self._recent or self._recent[0].sequence > sequence + 1:
            return None
        return tuple(islice(self._recent, sequence + 1 - self._recent[0].sequence, None))

    async def _kept_since(self, position: Position, end: int) -> tuple[Entry, ...]:
        """The same, from the table, as far as the model is."""
        tail = await self._tail(position)
        if not _continues(tail, position):
            raise ChangesLost
        return tuple(entry for entry in tail.entries if entry.sequence <= end)

    async def _tail(self, position: Position) -> Tail:
        """What follows a position. A query is no snapshot: an end without its entries is looked at twice."""
        tail = await asyncio.to_thread(self._store.tail, position.sequence)
        if _continues(tail, position):
            return tail
        return await asyncio.to_thread(self._store.tail, position.sequence)


def _continues(tail: Tail, position: Position) -> bool:
    """Whether nothing is missing between a position and what was read after it."""
    if tail.end is None:
        return position == Position("", 0)
    if tail.end.log != position.log or tail.end.sequence < position.sequence:
        return False
    expected = range(position.sequence + 1, position.sequence + 1 + len(tail.entries))
    return [entry.sequence for entry in tail.entries] == list(expected) and (
        len(tail.entries) > 0 or tail.end.sequence == position.sequence
    )
