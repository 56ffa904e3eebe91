"""``_bulk``: newline-delimited actions, each with its own answer, durable together per index."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tools.twin.search.collection import Collection
from tools.twin.search.documents import parse_source
from tools.twin.search.errors import OpenSearchError, illegal_argument
from tools.twin.search.index import Batch, Outcome
from tools.twin.search.requests import load_json

VERBS = ("create", "delete", "index", "update")
METADATA = {"_index", "_id", "retry_on_conflict"}
ID_REFUSED = "Document ID is not supported in create/index operation request"


@dataclass(frozen=True, slots=True)
class Action:
    """One action line and, but for deletes, the raw line that follows it."""

    verb: str
    index: str
    id: str | None
    source: bytes


def parse(body: bytes, default_index: str | None) -> list[Action]:
    """Read the whole request; anything malformed refuses all of it before the first write."""
    if not body.strip():
        raise OpenSearchError(400, "parse_exception", "request body is required")
    if not body.endswith(b"\n"):
        raise illegal_argument("The bulk request must be terminated by a newline [\\n]")
    return list(_actions(body, default_index))


def _actions(body: bytes, default_index: str | None) -> Iterator[Action]:
    lines = enumerate(body.split(b"\n")[:-1], start=1)
    for number, line in lines:
        if not line.strip():
            continue
        where = f"Malformed action/metadata line [{number}]"
        try:
            action = load_json(line)
        except (ValueError, RecursionError):
            raise illegal_argument(
                f"{where}, expected START_OBJECT but found something that is not JSON"
            ) from None
        if not isinstance(action, dict) or len(action) != 1:
            raise illegal_argument(f"{where}, expected an object with one action")
        verb, metadata = next(iter(action.items()))
        if verb not in VERBS:
            raise illegal_argument(f"{where}, expected one of [{', '.join(VERBS)}] but found [{verb}]")
        if not isinstance(metadata, dict):
            raise illegal_argument(f"{where}, expected an object of metadata for [{verb}]")
        if set(metadata) - METADATA:
            raise illegal_argument(
                f"Action/metadata line [{number}] contains an unknown parameter [{min(set(metadata) - METADATA)}]"
            )
        index, doc_id = metadata.get("_index", default_index), metadata.get("_id")
        if not isinstance(index, str) or not index:
            raise illegal_argument(f"{where}: index is missing")
        if verb in ("delete", "update") and doc_id is None:
            raise illegal_argument(f"{where}: id is missing")
        source = b"" if verb == "delete" else next(lines, (0, None))[1]
        if source is None:
            raise illegal_argument(f"The action on line [{number}] has no document after it")
        yield Action(verb, index, None if doc_id is None else str(doc_id), source)


def run(actions: list[Action], collection: Collection) -> dict[str, Any]:
    """Execute actions in order; an item that fails does not stop the others."""
    began = time.perf_counter()
    batches: dict[str, Batch] = {}
    items: list[dict[str, Any]] = []
    for action in actions:
        name = action.index
        try:
            index = collection.writable(action.index)
            name = index.name
            batch = batches.setdefault(name, index.batch())
            outcome = _execute(action, batch, custom_ids=collection.settings.custom_ids)
            items.append({action.verb: {**outcome.body(name), "status": outcome.status}})
        except OpenSearchError as error:
            failed = {"_index": name, "_id": action.id, "status": error.status, "error": error.cause()}
            items.append({action.verb: failed})
    for batch in batches.values():
        collection.commit(batch)
    failures = any("error" in result for item in items for result in item.values())
    return {"took": round((time.perf_counter() - began) * 1000), "errors": failures, "items": items}


def _execute(action: Action, batch: Batch, *, custom_ids: bool) -> Outcome:
    if action.verb == "delete":
        assert action.id is not None
        return batch.delete(action.id)
    if action.id is not None and not custom_ids:
        raise illegal_argument(ID_REFUSED)
    try:
        source = parse_source(load_json(action.source))
    except (ValueError, RecursionError):
        raise OpenSearchError(
            400, "mapper_parsing_exception", "failed to parse: the document is not JSON"
        ) from None
    if action.verb == "update":
        assert action.id is not None
        if not isinstance(source.get("doc", {}), dict) or not isinstance(source.get("upsert", {}), dict):
            raise illegal_argument("[update] doc and upsert are objects")
        if set(source) - {"doc", "doc_as_upsert", "upsert"}:
            raise illegal_argument("[update] supports doc, doc_as_upsert and upsert; scripts are not offered")
        return batch.update(action.id, source)
    return batch.put(action.id, source, create=action.verb == "create")
