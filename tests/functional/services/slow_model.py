"""A model server whose one model answers when a file appears: ``python -m tests.functional.services.slow_model``."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from services.models.server import serve
from services.models.settings import Settings


class Slow:
    """Says that it was asked by making the file ``asked``, and waits for ``go``; a body with "break" breaks it."""

    backend = "stand-in:slow"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def warm_up(self) -> None:
        if "WAIT_FOR_LOAD" in os.environ:
            self._wait("loaded")

    def answer(self, body: bytes) -> Any:
        if b"break" in body:
            raise RuntimeError(body.decode())
        (self.folder / "asked").touch()
        self._wait("go")
        return {"late": True}

    def _wait(self, name: str) -> None:
        while not (self.folder / name).exists():
            time.sleep(0.01)


def load(settings: Settings) -> Slow:
    return Slow(settings.folder)


if __name__ == "__main__":
    raise SystemExit(serve("slow", load))
