"""Books by ASIN: read through a cache from the table, each ASIN once however many ask for it at the same time.

The table answers rather than the read model, so that a book is found from the moment it is written. Should the table
be out of reach, the model answers for what it knows: at most as old as the last look at the change log.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from mangaassist.catalogue_api.v1 import catalogue_pb2 as pb
from mangaassist.errors import DependencyError
from services.catalogue.facts import Series, Volume, product
from services.catalogue.model import ReadModel
from services.catalogue.table import DEADLINE

TTL_SECONDS: Final = 60.0
"""A book that is found. Changes that ingest makes are dropped at once; this bounds what the log does not tell."""
UNKNOWN_TTL_SECONDS: Final = 2.0
"""An ASIN that is none: short, because the next thing that happens to it is that it is written."""
CAPACITY: Final = 20_000
READERS: Final = 8
"""Threads that read the table; each holds one of the client's 16 connections."""

_ASIN = re.compile(r"[A-Z0-9]{10}")


class Books(Protocol):
    """The table, as far as books are read from it by key; blocking."""

    def volumes(self, asins: Sequence[str], *, until: float | None = None) -> dict[str, Volume]: ...

    def series(self, series_ids: Sequence[str], *, until: float | None = None) -> dict[str, Series]: ...


class Products:
    """``model`` gives the read model of the moment; ``on_stale`` hears how many answers it gave for the table."""

    def __init__(
        self,
        books: Books,
        model: Callable[[], ReadModel],
        *,
        on_stale: Callable[[int], None] = lambda count: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._books = books
        self._model = model
        self._on_stale = on_stale
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, pb.Product | None]] = OrderedDict()
        self._asked: dict[str, asyncio.Task[Mapping[str, pb.Product | None]]] = {}
        self._generation = 0
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="books")

    async def get(self, asins: Iterable[str], *, until: float) -> dict[str, pb.Product | None]:
        """The product of each ASIN, ``None`` where there is none, in the order asked.

        Args:
            asins: any text; what has no ASIN's form is not even asked for.
            until: monotonic seconds after which nobody waits.

        Raises:
            DependencyError: the table failed, and the read model does not know all of them.
        """
        found: dict[str, pb.Product | None] = dict.fromkeys(asins)
        asked = tuple(found)
        now = self._clock()
        missing = [asin for asin in found if _ASIN.fullmatch(asin) and not self._take(asin, now, found)]
        if not missing:
            return found
        if fresh := [asin for asin in missing if asin not in self._asked]:
            self._ask(fresh, until)
        flights = {self._asked[asin] for asin in missing}
        try:
            # A shield for each: who stops waiting does not stop the others'.
            answers = await asyncio.gather(*map(asyncio.shield, flights))
        except DependencyError as error:
            if error.reason == DEADLINE and self._clock() < until:
                # Another's, who began the read and had less time.
                return await self.get(asked, until=until)
            return self._in_place_of_the_table(found, missing, error)
        known = {asin: each for answer in answers for asin, each in answer.items()}
        found.update((asin, known[asin]) for asin in missing)
        return found

    def forget(self, asins: Iterable[str], *, of_series: Collection[str] = ()) -> None:
        """Drop what may have changed; what is being read right now is not kept either, nor shared any more.

        Args:
            asins: those that are listed now.
            of_series: ids of series; what they listed before goes, too.
        """
        self._generation += 1
        self._asked.clear()
        series_ids = frozenset(of_series)
        listed_before = [
            asin for asin, (_, each) in self._kept.items() if each and each.series_id in series_ids
        ]
        for asin in (*asins, *listed_before):
            self._kept.pop(asin, None)

    def close(self) -> None:
        """Stop the readers."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _take(self, asin: str, now: float, found: dict[str, pb.Product | None]) -> bool:
        kept = self._kept.get(asin)
        if kept is None or kept[0] <= now:
            return False
        self._kept.move_to_end(asin)
        found[asin] = kept[1]
        return True

    def _ask(self, asins: Sequence[str], until: float) -> None:
        flight = asyncio.create_task(self._read(asins, until))
        self._asked.update((asin, flight) for asin in asins)
        flight.add_done_callback(lambda done: self._landed(asins, done))

    def _landed(self, asins: Sequence[str], flight: asyncio.Task[Mapping[str, pb.Product | None]]) -> None:
        for asin in asins:
            if self._asked.get(asin) is flight:
                del self._asked[asin]
        if not flight.cancelled():
            flight.exception()  # looked at, also where nobody waits any more

    async def _read(self, asins: Sequence[str], until: float) -> Mapping[str, pb.Product | None]:
        generation, loop = self._generation, asyncio.get_running_loop()
        read = await loop.run_in_executor(self._threads, self._joined, asins, until, self._model())
        now = self._clock()
        for asin, each in read.items() if generation == self._generation else ():
            self._kept[asin] = (now + (UNKNOWN_TTL_SECONDS if each is None else TTL_SECONDS), each)
        while len(self._kept) > CAPACITY:
            self._kept.popitem(last=False)
        return read

    def _joined(
        self, asins: Sequence[str], until: float, model: ReadModel
    ) -> Mapping[str, pb.Product | None]:
        """In a thread: the books, each with its series, which is in memory but for the newest."""
        volumes = self._books.volumes(asins, until=until)
        wanted = {volume.series_id for volume in volumes.values()}
        series = {each: known for each in wanted if (known := model.series(each))}
        # A book its series does not list is newer than the model, or no longer sold: the table knows which.
        doubtful = {
            volume.series_id
            for volume in volumes.values()
            if (known := series.get(volume.series_id)) is None
            or (known.listed is not None and volume.asin not in known.listed)
        }
        if doubtful:
            series |= self._books.series(sorted(doubtful), until=until)
        return {
            asin: product(volume, series[volume.series_id])
            if (volume := volumes.get(asin)) is not None and volume.series_id in series
            else None
            for asin in asins
        }

    def _in_place_of_the_table(
        self, found: dict[str, pb.Product | None], missing: Sequence[str], error: DependencyError
    ) -> dict[str, pb.Product | None]:
        known = {asin: self._model().product(asin) for asin in missing}
        if None in known.values():
            raise error
        self._on_stale(len(known))
        return found | known
