"""The scripted assistant for this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functional.mangactl.assistant import Assistant, running


@pytest.fixture
def assistant() -> Iterator[Assistant]:
    with running() as made:
        yield made
