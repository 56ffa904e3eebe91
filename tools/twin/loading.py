"""Filling the deployed catalogue: upload the feed where the ingest function looks for it, and wait for its word."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tools.twin import stack_outputs
from tools.twin.deployment import emulator_client, fingerprint
from tools.twin.errors import TwinError
from tools.twin.layout import Layout

Progress = Callable[[str], None]

FEED_PARTS = 2
"""One ingest invocation each; two keep both cores of a small machine busy."""
FEED_PREFIX = "feed/"
FEED_INPUTS = ("tools/catalogue", "layers/core/python/mangaassist/catalogue")
DEADLINE_SECONDS = 300
POLL_SECONDS = 0.25


def load_catalogue(layout: Layout, on_progress: Progress) -> None:
    """Upload the parts that the ingest function has not loaded yet, and wait until it has."""
    outputs = stack_outputs.read(layout.outputs).get("Ingest", {})
    bucket, table = outputs.get("FeedBucketName"), outputs.get("CatalogueTableName")
    if not (bucket and table):
        raise TwinError("the Ingest stack has no outputs: run `make up` with --fresh")
    parts = {f"{FEED_PREFIX}{path.name}": path for path in feed_parts(layout)}
    wanted = {key: hashlib.md5(path.read_bytes()).hexdigest() for key, path in parts.items()}  # noqa: S324 - ETag
    database = emulator_client(layout, "dynamodb")
    missing = [key for key, run in runs(database, table, wanted).items() if not is_loaded(run, wanted[key])]
    if not missing:
        on_progress("the catalogue is loaded")
        return
    on_progress(f"loading the catalogue ({len(missing)} of {len(parts)} parts)")
    storage = emulator_client(layout, "s3")
    before = runs(database, table, missing)
    for key in missing:
        storage.put_object(Bucket=bucket, Key=key, Body=parts[key].read_bytes())
    documents = _wait(database, table, {key: wanted[key] for key in missing}, before)
    on_progress(f"  {documents:,} series loaded")


def feed_parts(layout: Layout) -> list[Path]:
    """The feed as files, built anew when what it is built from has changed."""
    folder = layout.feed
    mark, wanted = folder / "made-from", fingerprint(inputs=FEED_INPUTS)
    parts = sorted(folder.glob("*.jsonl"))
    if parts and mark.is_file() and mark.read_text() == wanted:
        return parts
    from tools.catalogue import feed

    for path in parts:
        path.unlink()
    parts = feed.write_parts(folder, parts=FEED_PARTS)
    mark.write_text(wanted)
    return parts


def runs(database: Any, table: str, keys: Any) -> dict[str, Mapping[str, Any]]:
    """The ingest function's record about each object; empty where there is none."""
    found: dict[str, Mapping[str, Any]] = {}
    for key in keys:
        item = database.get_item(
            TableName=table, Key={"pk": {"S": f"RUN#{key}"}, "sk": {"S": "RUN"}}, ConsistentRead=True
        ).get("Item", {})
        found[key] = {name: next(iter(value.values())) for name, value in item.items()}
    return found


def is_loaded(run: Mapping[str, Any], etag: str) -> bool:
    """Whether this very content was loaded."""
    return run.get("status") == "succeeded" and str(run.get("etag", "")).strip('"') == etag


def _wait(
    database: Any, table: str, wanted: Mapping[str, str], before: Mapping[str, Mapping[str, Any]]
) -> int:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        found = runs(database, table, wanted)
        for key, run in found.items():
            if run.get("status") == "failed" and run != before[key]:
                raise TwinError(f"{key} was not loaded: {run.get('error', 'no reason given')}")
        if all(is_loaded(run, wanted[key]) for key, run in found.items()):
            return sum(int(run.get("documents", 0)) for run in found.values())
        if time.monotonic() > deadline:
            states = ", ".join(f"{key}: {run.get('status', 'not started')}" for key, run in found.items())
            raise TwinError(
                f"the catalogue was not loaded in {DEADLINE_SECONDS} s ({states}); see the emulator's log"
            )
        time.sleep(POLL_SECONDS)
