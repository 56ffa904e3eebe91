"""What the stand-ins were told, in one JSON file that outlives the process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Document = dict[str, Any]
TABLES = ("scalable_targets", "collection_groups", "endpoints", "provisioned_models")


class ControlPlaneState:
    """Four tables by name; every change is written before it is answered. Without a path nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.tables: dict[str, Document] = {name: {} for name in TABLES}
        if path is not None and path.is_file():
            kept = json.loads(path.read_text(encoding="utf-8"))
            self.tables.update({name: kept.get(name, {}) for name in TABLES})

    @contextmanager
    def changing(self, table: str) -> Iterator[Document]:
        """The table, written when the block ends well."""
        yield self.tables[table]
        self._write()

    def clear(self) -> None:
        """Forget everything."""
        self.tables = {name: {} for name in TABLES}
        self._write()

    def _write(self) -> None:
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps(self.tables, indent=1), encoding="utf-8")
        beside.replace(self._path)
