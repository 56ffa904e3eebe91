"""Reading books through the cache."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence

import pytest

from mangaassist.errors import DependencyError, DependencyTimeout, DependencyUnavailable
from services.catalogue.facts import Series, Volume
from services.catalogue.model import ReadModel
from services.catalogue.products import TTL_SECONDS, UNKNOWN_TTL_SECONDS, Products
from services.catalogue.table import DEADLINE
from tests.unit.catalogue.fakes import FakeTime
from tests.unit.catalogue_service.pieces import series, volumes_of

UNTIL = 1e9
KNOWN = "B000001001"


class FakeBooks:
    def __init__(self, *some: Series) -> None:
        self.kept = {each.series_id: each for each in some}
        self.reads: list[list[str]] = []
        self.series_reads: list[list[str]] = []
        self.failures: list[DependencyError] = []
        self.asked = threading.Event()
        self.open = threading.Event()
        self.open.set()

    def volumes(self, asins: Sequence[str], *, until: float | None = None) -> dict[str, Volume]:
        self.reads.append(list(asins))
        self.asked.set()
        assert self.open.wait(20)
        if self.failures:
            raise self.failures.pop(0)
        found = [volume for each in self.kept for volume in volumes_of(int(each[2:]), 3)]
        return {volume.asin: volume for volume in found if volume.asin in asins}

    def series(self, series_ids: Sequence[str], *, until: float | None = None) -> dict[str, Series]:
        self.series_reads.append(list(series_ids))
        return {each: self.kept[each] for each in series_ids if each in self.kept}


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def books() -> FakeBooks:
    return FakeBooks(series(1))


@pytest.fixture
def stale() -> list[int]:
    return []


@pytest.fixture
def products(books: FakeBooks, time: FakeTime, stale: list[int]) -> Iterator[Products]:
    model = ReadModel([series(1)], volumes_of(1))
    made = Products(books, lambda: model, on_stale=stale.append, clock=time.clock)
    yield made
    made.close()


async def test_a_book_is_read_once_until_it_is_old(
    products: Products, books: FakeBooks, time: FakeTime
) -> None:
    for _ in range(2):
        found = await products.get([KNOWN], until=UNTIL)
        assert found[KNOWN] is not None
    assert books.reads == [[KNOWN]]
    time.now += TTL_SECONDS + 1
    await products.get([KNOWN], until=UNTIL)
    assert len(books.reads) == 2
    assert books.series_reads == [], "the series is in the read model"


async def test_an_unknown_asin_is_asked_for_again_soon(
    products: Products, books: FakeBooks, time: FakeTime
) -> None:
    assert await products.get(["B0NOWHERE0"], until=UNTIL) == {"B0NOWHERE0": None}
    await products.get(["B0NOWHERE0"], until=UNTIL)
    assert len(books.reads) == 1
    time.now += UNKNOWN_TTL_SECONDS + 1
    await products.get(["B0NOWHERE0"], until=UNTIL)
    assert len(books.reads) == 2


async def test_what_has_no_form_of_an_asin_is_not_asked_for(products: Products, books: FakeBooks) -> None:
    assert await products.get(["", "x", "b000001001"], until=UNTIL) == {
        "": None,
        "x": None,
        "b000001001": None,
    }
    assert books.reads == []


async def test_those_who_ask_at_the_same_time_share_one_read(products: Products, books: FakeBooks) -> None:
    books.open.clear()
    calls = [
        asyncio.create_task(products.get([KNOWN, f"B00000100{each}"], until=UNTIL)) for each in (1, 2, 3)
    ]
    await asyncio.sleep(0)
    # One gives up; the others still get their answer from the read it began.
    calls[0].cancel()
    books.open.set()
    _, second, third = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(second, dict)
    assert isinstance(third, dict)
    assert second[KNOWN] is not None
    assert sorted(asin for read in books.reads for asin in read) == [KNOWN, "B000001002", "B000001003"]


async def test_a_change_during_a_read_is_not_overwritten_by_it(products: Products, books: FakeBooks) -> None:
    books.open.clear()
    call = asyncio.create_task(products.get([KNOWN], until=UNTIL))
    assert await asyncio.to_thread(books.asked.wait, 20)
    products.forget([KNOWN])
    books.open.set()
    await call
    await products.get([KNOWN], until=UNTIL)
    assert len(books.reads) == 2


async def test_who_asks_after_a_change_gets_no_read_from_before_it(
    products: Products, books: FakeBooks
) -> None:
    books.open.clear()
    before = asyncio.create_task(products.get([KNOWN], until=UNTIL))
    assert await asyncio.to_thread(books.asked.wait, 20)
    products.forget([KNOWN])
    after = asyncio.create_task(products.get([KNOWN], until=UNTIL))
    books.open.set()
    await asyncio.gather(before, after)
    assert books.reads == [[KNOWN], [KNOWN]]


async def test_who_has_more_time_than_whoever_began_the_read_asks_again(
    products: Products, books: FakeBooks, time: FakeTime
) -> None:
    books.failures = [DependencyTimeout("dynamodb", DEADLINE)]
    books.open.clear()
    hasty = asyncio.create_task(products.get(["B000001003"], until=time.clock()))
    assert await asyncio.to_thread(books.asked.wait, 20)
    patient = asyncio.create_task(products.get(["B000001003"], until=UNTIL))
    books.open.set()
    with pytest.raises(DependencyTimeout):
        await hasty
    assert (await patient)["B000001003"] is not None


async def test_a_book_newer_than_the_model_asks_the_table_for_its_series(
    products: Products, books: FakeBooks
) -> None:
    books.kept["MG00002"] = series(2, "Tomie")
    found = await products.get(["B000002001"], until=UNTIL)
    assert found["B000002001"] is not None
    assert found["B000002001"].series_title == "Tomie"
    assert books.series_reads == [["MG00002"]]


async def test_a_book_its_series_no_longer_lists_cannot_be_bought(products: Products) -> None:
    found = await products.get(["B000001003", KNOWN], until=UNTIL)
    assert [each.buyable for each in found.values() if each is not None] == [False, True]


async def test_the_model_answers_for_a_table_that_fails(
    products: Products, books: FakeBooks, stale: list[int]
) -> None:
    books.failures = [DependencyUnavailable("dynamodb", "500")] * 2
    assert (await products.get([KNOWN], until=UNTIL))[KNOWN] is not None
    assert stale == [1]
    with pytest.raises(DependencyUnavailable):
        await products.get(["B0NOWHERE0"], until=UNTIL)
    # A failure is not remembered.
    assert (await products.get([KNOWN, "B0NOWHERE0"], until=UNTIL))["B0NOWHERE0"] is None
