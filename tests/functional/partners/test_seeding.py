"""The world in the database: laid out once, anew when it must be, and what the API was told stays."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import func, select

from services.partners.database.models import Offer, Order
from services.partners.database.sessions import Database, DatabaseError
from services.partners.world.feed import FeedError, open_feed
from services.partners.world.seeding import seed
from tests.functional.partners.conftest import ADMINISTRATOR, EPOCH, client


def test_the_second_start_finds_it_done(database: Database, feed_folder: Path) -> None:
    assert not seed(database, open_feed(feed_folder), EPOCH).is_new


@pytest.mark.parametrize("what", ["epoch", "feed"])
async def test_a_price_told_by_the_api_survives_a_new_world(
    app: FastAPI, database: Database, feed_folder: Path, tmp_path: Path, what: str
) -> None:
    with database.read() as session:
        asin = session.scalars(select(Offer.asin).limit(1)).one()
        placed = session.scalar(select(func.max(Order.placed_at)))
    path = f"/pricing/v1/offers/{asin}"
    async with client(app, ADMINISTRATOR) as administrator:
        for amount in ("7.77", "8.88"):
            told = await administrator.put(path, json={"price": {"amount": amount}, "list_price": None})
        folder = tmp_path / "feed"
        shutil.copytree(feed_folder, folder)
        if what == "feed":
            part = sorted(folder.glob("*.jsonl"))[0]
            lines = part.read_bytes().splitlines(keepends=True)
            dropped = [line for line in lines if asin.encode() not in line][-1]
            part.write_bytes(b"".join(line for line in lines if line != dropped))
        epoch = EPOCH + timedelta(days=7 if what == "epoch" else 0)
        seeded = seed(database, open_feed(folder), epoch)
        assert seeded.is_new
        after = await administrator.get(path)
        assert after.json() == told.json()
        assert after.headers["etag"] == told.headers["etag"]
        changes = (await administrator.get(path + "/history")).json()["changes"]
        assert [change["price"]["amount"] for change in changes[:2]] == ["8.88", "7.77"]
        times = [change["changed_at"] for change in changes]
        assert times == sorted(times, reverse=True)
        assert (await administrator.put(path, json={"price": {"amount": "9.11"}})).status_code == 200
    if what == "epoch":
        with database.read() as session:
            assert session.scalar(select(func.max(Order.placed_at))) == placed + timedelta(days=7)
    assert not seed(database, open_feed(folder), epoch).is_new


def test_a_bad_line_is_named_and_leaves_the_world_as_it_was(
    database: Database, feed_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "feed"
    shutil.copytree(feed_folder, folder)
    part = sorted(folder.glob("*.jsonl"))[0]
    part.write_bytes(part.read_bytes() + b'{"secret": 1}\n')
    with pytest.raises(FeedError, match=rf"{part.name} line \d+") as refused:
        seed(database, open_feed(folder), EPOCH)
    assert "secret" not in str(refused.value)
    assert not seed(database, open_feed(feed_folder), EPOCH).is_new


def test_two_feeds_in_one_folder_are_told_apart(feed_folder: Path, tmp_path: Path) -> None:
    part = sorted(feed_folder.glob("*.jsonl"))[0]
    shutil.copy(part, tmp_path / "a.jsonl")
    shutil.copy(part, tmp_path / "b.jsonl")
    with pytest.raises(FeedError, match="one feed"):
        open_feed(tmp_path).records()
    with pytest.raises(FeedError, match="build"):
        open_feed(tmp_path / "nothing")


@pytest.mark.parametrize("url", ["nonsense", "sqlite://", "sqlite:///:memory:", "oracle9://x"])
def test_a_database_that_cannot_be_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(DatabaseError, match="sqlite:///"):
        Database(url)


def test_foreign_keys_and_the_write_ahead_log_are_on(database: Database) -> None:
    with database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
