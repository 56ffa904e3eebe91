"""One stock and one patched emulator for the whole run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functional.twin.emulators import Emulator, emulator
from tools.twin import processes


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """MiniStack as it is published."""
    started = emulator(tmp_path_factory.mktemp("stock"), "ministack", "/_ministack/health")
    yield started
    processes.stop([started.running])


@pytest.fixture(scope="session")
def patched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulator of the twin."""
    started = emulator(tmp_path_factory.mktemp("patched"), "tools.twin.emulator", "/_twin/health")
    yield started
    processes.stop([started.running])
