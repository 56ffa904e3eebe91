"""The partner services over ASGI, on a small world in a SQLite file of each test's own."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from services.partners.app import create_app
from services.partners.database.sessions import Database
from services.partners.security import Credentials
from services.partners.world.feed import open_feed
from services.partners.world.seeding import seed
from tools.catalogue import feed

EPOCH = datetime(2026, 11, 2, tzinfo=UTC)
READER, ADMINISTRATOR = "reader-0123456789", "administrator-0123456789"
SERIES = 150


class Clock:
    """Half past nine on the world's first day, until a test says otherwise."""

    def __init__(self) -> None:
        self.now = EPOCH + timedelta(hours=9, minutes=30)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="session")
def feed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("feed")
    lines = [record.model_dump_json() + "\n" for record in islice(feed.series(), SERIES)]
    for part in range(2):
        (folder / f"series-{part}.jsonl").write_text("".join(lines[part::2]), "utf-8", newline="\n")
    return folder


@pytest.fixture(scope="session")
def _seeded(feed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("seeded") / "partners.db"
    database = Database(f"sqlite:///{path}")
    seed(database, open_feed(feed_folder), EPOCH)
    database.close()
    return path


@pytest.fixture
def database(_seeded: Path, tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "partners.db"
    shutil.copy(_seeded, path)
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(database: Database, clock: Clock) -> FastAPI:
    return create_app(database, Credentials(READER, ADMINISTRATOR), clock)


@pytest.fixture
async def reader(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client(app, READER) as made:
        yield made


@pytest.fixture
async def administrator(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client(app, ADMINISTRATOR) as made:
        yield made


def client(app: FastAPI, credential: str | None) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {credential}"} if credential else {}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://partners", headers=headers)
