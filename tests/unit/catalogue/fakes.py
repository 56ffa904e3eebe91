"""Fakes of the ingest run's ports, and of the OpenSearch client; they keep a history and fail on command."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from mangaassist.catalogue.ports import FeedObject, Quarantined, RunRecord
from mangaassist.catalogue.records import SeriesRecord
from mangaassist.errors import DependencyError
from mangaassist.generation.policy import Embedding
from mangaassist.ports import Vector

INDEX = "catalogue-v1-test"


def record(series_id: str = "MG00032", **changes: Any) -> dict[str, Any]:
    """A valid record as plain data."""
    number = int(series_id[2:])
    return {
        "series_id": series_id,
        "type": "manga",
        "titles": {"en": "Uzumaki", "romaji": "Uzumaki", "ja": "うずまき"},
        "creators": [
            {
                "name": "Junji Ito",
                "name_ja": "伊藤潤二",
                "role": "story_and_art",
                "also_written": "Junji Itou",
            }
        ],
        "year": 1998,
        "status": "finished",
        "volume_count": 2,
        "volume_count_source": "stated",
        "genres": ["Horror"],
        "genres_source": "stated",
        "themes": ["Gore"],
        "demographics": ["Seinen"],
        "publisher": "Shogakukan",
        "mature": True,
        "description": {"en": "A horror manga by Junji Ito.", "ja": "伊藤潤二によるホラー漫画。"},
        "rating": {"average": 4.2, "count": 120},
        "volumes": [
            {
                "asin": f"B0{number:05d}{volume:03d}",
                "volume": volume,
                "title": f"Uzumaki, Vol. {volume}",
                "price": "9.99",
                "list_price": "12.99",
                "currency": "USD",
                "stock": volume - 1,
                "synthetic": True,
            }
            for volume in (1, 2)
        ],
        **changes,
    }


def line(series_id: str = "MG00032", **changes: Any) -> bytes:
    """The same as a line of the feed."""
    return json.dumps(record(series_id, **changes), ensure_ascii=False).encode()


class FakeFeeds:
    def __init__(self, *lines: bytes) -> None:
        self.content = list(lines)
        self.quarantined: list[Quarantined] = []

    @contextmanager
    def lines(self, feed: FeedObject) -> Generator[Iterable[bytes]]:
        yield iter(self.content)

    def quarantine(self, feed: FeedObject, lines: Sequence[Quarantined]) -> str:
        self.quarantined = list(lines)
        return f"quarantine/{feed.key}"


class FakeCatalogue:
    def __init__(self) -> None:
        self.receipts: dict[str, str] = {}
        self.asins: set[str] = set()
        self.writes: list[list[str]] = []
        self.runs: list[RunRecord] = []

    def content_hashes(self, series_ids: Sequence[str]) -> dict[str, str]:
        return {each: self.receipts[each] for each in series_ids if each in self.receipts}

    def write(self, records: Sequence[tuple[SeriesRecord, str]]) -> None:
        self.writes.append([each.series_id for each, _ in records])
        for each, digest in records:
            self.asins.update(volume.asin for volume in each.volumes)
            self.receipts[each.series_id] = digest

    def record_run(self, feed: FeedObject, run: RunRecord) -> None:
        self.runs.append(run)


class FakeIndex:
    """Documents become visible after ``lookups_until_visible`` lookups."""

    name = INDEX

    def __init__(self) -> None:
        self.documents: dict[str, Mapping[str, Any]] = {}
        self.writes: list[list[str]] = []
        self.lookups_until_visible = 0
        self.aliased = False
        self.failure: DependencyError | None = None

    def ensure(self) -> None: ...

    def content_hashes(self, series_ids: Sequence[str]) -> dict[str, str]:
        if self.lookups_until_visible > 0:
            self.lookups_until_visible -= 1
            return {}
        return {each: self.documents[each]["content_hash"] for each in series_ids if each in self.documents}

    def write(self, documents: Sequence[Mapping[str, Any]]) -> None:
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        self.writes.append([document["series_id"] for document in documents])
        self.documents |= {document["series_id"]: document for document in documents}

    def ensure_alias(self) -> bool:
        self.aliased = True
        return True


class FakeEmbedder:
    def __init__(self) -> None:
        self.texts: list[str] = []

    async def embed_all(self, texts: Sequence[str], embedding: Embedding) -> list[Vector]:
        self.texts += texts
        return [[float(len(text))] * embedding.dimensions for text in texts]


class FakeTime:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.sleep_now(seconds)

    def sleep_now(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


class FakeOpenSearch:
    """As much of opensearch-py's client as the writer uses. ``answers`` are statuses for coming bulk items, by id."""

    def __init__(self, *, custom_ids: bool = True) -> None:
        self.custom_ids = custom_ids
        self.stored: dict[str, dict[str, dict[str, Any]]] = {}
        self.aliases: dict[str, str] = {}
        self.bulks: list[bytes] = []
        self.failures: list[Exception] = []
        self.item_statuses: dict[str, list[int]] = {}
        self.created: list[dict[str, Any]] = []
        self._next = 0
        self.indices = SimpleNamespace(
            exists=lambda index: index in self.stored,
            create=self._create,
            exists_alias=lambda name: name in self.aliases,
            get_alias=lambda name: {self.aliases[name]: {"aliases": {name: {}}}},
            update_aliases=self._update_aliases,
        )

    def _create(self, index: str, body: dict[str, Any]) -> None:
        self.created.append(body)
        self.stored[index] = {}

    def _update_aliases(self, body: dict[str, Any]) -> None:
        for action in body["actions"]:
            ((kind, what),) = action.items()
            if kind == "add":
                self.aliases[what["alias"]] = what["index"]
            else:
                assert self.aliases.pop(what["alias"]) == what["index"]

    def count(self, index: str) -> dict[str, int]:
        return {"count": len(self.stored[index])}

    def search(self, index: str, body: dict[str, Any]) -> dict[str, Any]:
        wanted = body["query"]["bool"]["filter"][0]["terms"]["series_id"]
        found = [
            {"_id": key, "_source": {name: source[name] for name in body["_source"]}}
            for key, source in self.stored[index].items()
            if source["series_id"] in wanted
        ]
        return {"hits": {"hits": found[: body["size"]]}}

    def bulk(self, body: bytes) -> dict[str, Any]:
        if self.failures:
            raise self.failures.pop(0)
        self.bulks.append(body)
        lines, items = [json.loads(each) for each in body.splitlines()], []
        while lines:
            ((kind, where),) = lines.pop(0).items()
            index = self.stored[where["_index"]]
            if kind == "delete":
                items.append({"delete": {"status": 200 if index.pop(where["_id"], None) else 404}})
                continue
            source = lines.pop(0)
            statuses = self.item_statuses.get(source["chunk_id"])
            if statuses:
                items.append({"index": {"status": statuses.pop(0), "error": {"type": "some_exception"}}})
            elif "_id" in where and not self.custom_ids:
                error = {
                    "type": "illegal_argument_exception",
                    "reason": "Document ID is not supported in create/index operation request",
                }
                items.append({"index": {"status": 400, "error": error}})
            else:
                self._next += 1
                index[where.get("_id", f"auto-{self._next}")] = source
                items.append({"index": {"status": 201}})
        return {"items": items}
