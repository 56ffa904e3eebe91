"""A world of the most popular series, laid out once."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest

from mangaassist.catalogue.records import SeriesRecord
from services.partners.world.build import build
from services.partners.world.rows import World
from tools.catalogue import feed

EPOCH = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.fixture(scope="session")
def records() -> list[SeriesRecord]:
    return sorted(islice(feed.series(), 150), key=lambda record: record.series_id)


@pytest.fixture(scope="session")
def world(records: list[SeriesRecord]) -> World:
    return build(records, EPOCH)
