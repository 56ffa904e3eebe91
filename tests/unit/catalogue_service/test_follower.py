"""The read model follows the log: nothing lost, nothing twice, and everything anew where that cannot be told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mangaassist.errors import DependencyThrottled
from services.catalogue import follower as follower_module
from services.catalogue.follower import ChangesLost, Follower
from services.catalogue.tokens import Position
from tests.unit.catalogue.fakes import FakeTime
from tests.unit.catalogue_service.pieces import FakeStore, series


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


def follower_of(store: FakeStore, **options: Any) -> Follower:
    return Follower(store, poll_seconds=3_600, **options)


async def taken(follower: Follower, position: Position, count: int) -> list[int]:
    found: list[int] = []
    async for entry in follower.watch(position):
        found.append(entry.sequence)
        if len(found) == count:
            break
    return found


async def test_changes_are_applied_without_another_scan(store: FakeStore) -> None:
    store.write(series(1))
    applied: list[list[str]] = []
    follower = follower_of(store, on_changed=lambda ids: applied.append(list(ids)))
    await follower.load()
    store.write(series(2))
    store.write(series(2, "Spiral"), series(3))
    await follower.follow()
    assert (len(follower.model), store.scans, follower.position) == (3, 1, Position("log-1", 3))
    assert applied == [["MG00002", "MG00003"]]


async def test_the_first_entries_of_an_empty_table_need_no_scan(store: FakeStore) -> None:
    follower = follower_of(store)
    await follower.load()
    await follower.follow()
    store.write(series(1))
    await follower.follow()
    assert (len(follower.model), store.scans) == (1, 1)


async def test_what_is_written_during_a_load_is_not_lost(store: FakeStore) -> None:
    store.write(series(1))
    scan = store.everything

    def slow_scan() -> Any:
        found = scan()
        store.write(series(2))
        return found

    store.everything = slow_scan  # type: ignore[method-assign]
    follower = follower_of(store)
    await follower.load()
    await follower.follow()
    assert len(follower.model) == 2


@pytest.mark.parametrize("lost", ["gap", "expired", "other log", "behind"])
async def test_a_log_that_does_not_go_on_is_loaded_anew(store: FakeStore, lost: str) -> None:
    for number in (1, 2):
        store.write(series(number))
    follower = follower_of(store)
    await follower.load()
    for number in (3, 4):
        store.write(series(number))
    match lost:
        case "gap":
            del store.entries[2]
        case "expired":
            store.entries.clear()
        case "other log":
            store.log = "log-2"
        case _:
            store.last, store.entries = 1, store.entries[:1]
    await follower.follow()
    assert (store.scans, len(follower.model)) == (2, 4)
    assert follower.position == Position(store.log, store.last)


async def test_a_watch_reads_what_memory_has_lost_from_the_table(
    store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "KEPT", 2)
    store.write(series(1))
    follower = follower_of(store)
    await follower.load()
    start = follower.position
    for number in range(2, 7):
        store.write(series(number))
    await follower.follow()
    # One more that the model does not have yet: it is told when it has.
    store.write(series(9))
    assert await taken(follower, start, 5) == [2, 3, 4, 5, 6]
    assert await taken(follower, Position("log-1", 4), 2) == [5, 6]
    del store.entries[1]
    with pytest.raises(ChangesLost):
        await taken(follower, start, 1)


async def test_after_another_log_nothing_is_told_from_memory_of_the_one_before(store: FakeStore) -> None:
    store.write(series(1))
    follower = follower_of(store)
    await follower.load()
    store.write(series(2))
    await follower.follow()
    # A table put in place of this one, whose log is as long.
    store.log, store.entries, store.last, store.kept = "log-2", [], 0, {}
    for number in (11, 12):
        store.write(series(number))
    await follower.follow()
    assert follower.position == Position("log-2", 2)
    async for entry in follower.watch(Position("log-2", 1)):
        assert entry.series_ids == ("MG00012",)
        break


async def test_a_token_of_a_server_that_is_ahead_waits(store: FakeStore) -> None:
    store.write(series(1))
    follower = follower_of(store)
    await follower.load()
    ahead = asyncio.create_task(taken(follower, Position("log-1", 2), 1))
    for number in (2, 3):
        store.write(series(number))
        await follower.follow()
    assert await ahead == [3]


async def test_watches_end_when_the_server_goes(store: FakeStore) -> None:
    follower = follower_of(store)
    await follower.load()
    watch = asyncio.create_task(taken(follower, follower.position, 1))
    await asyncio.sleep(0)
    await follower.close()
    assert await watch == []


async def test_a_table_that_fails_is_asked_again(store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.failures = [DependencyThrottled("dynamodb", "Throttling")] * 2
    loaded, failed, pauses = asyncio.Event(), list[str](), list[float]()
    real_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await real_sleep(0)

    monkeypatch.setattr(follower_module.asyncio, "sleep", sleep)
    follower = Follower(
        store, poll_seconds=1.0, on_loaded=lambda count: loaded.set(), on_failed=failed.append
    )
    running = asyncio.create_task(follower.run())
    await loaded.wait()
    running.cancel()
    assert failed == ["dynamodb: Throttling"] * 2
    assert pauses[:2] == [2.0, 4.0]


async def test_what_cannot_be_understood_does_not_end_it(
    store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.failures = [KeyError("titles")]
    loaded, failed = asyncio.Event(), list[str]()
    real_sleep = asyncio.sleep
    monkeypatch.setattr(follower_module.asyncio, "sleep", lambda seconds: real_sleep(0))
    follower = Follower(
        store, poll_seconds=1.0, on_loaded=lambda count: loaded.set(), on_failed=failed.append
    )
    running = asyncio.create_task(follower.run())
    waiting = asyncio.create_task(loaded.wait())
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    assert waiting.done(), "it ended without a load"
    running.cancel()
    assert failed == ["KeyError"]


async def test_a_table_that_was_never_read_grows_old(store: FakeStore) -> None:
    time = FakeTime()
    follower = follower_of(store, clock=time.clock)
    time.now += 400
    assert follower.age_seconds == 400
    await follower.load()
    assert follower.age_seconds == 0
