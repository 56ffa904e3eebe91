"""A search request over one or more indexes to its response."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tantivy import Query

from tools.twin.search.documents import Value, coerced, insert, lookup, selected
from tools.twin.search.engine import Stored
from tools.twin.search.errors import QueryRefused, illegal_argument, parsing
from tools.twin.search.index import Index
from tools.twin.search.queries import Target, compile_query
from tools.twin.search.settings import MAX_RESULT_WINDOW

KEYS = {"query", "size", "from", "_source", "sort", "track_total_hits", "min_score", "timeout"}
DEFAULT_TOTAL_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class SourceFilter:
    """Which parts of ``_source`` come back; vectors only when named."""

    wanted: bool = True
    includes: list[str] = field(default_factory=list[str])
    excludes: list[str] = field(default_factory=list[str])

    @classmethod
    def parse(cls, raw: object) -> SourceFilter:
        match raw:
            case bool():
                return cls(wanted=raw)
            case str():
                return cls(includes=[raw])
            case list():
                return cls(includes=_patterns(raw))
            case dict():
                unknown = set(raw) - {"includes", "include", "excludes", "exclude"}
                if unknown:
                    raise parsing(f"Unknown key for a VALUE_STRING in [_source]: [{min(unknown)}]")
                return cls(
                    includes=_patterns(raw.get("includes", raw.get("include", []))),
                    excludes=_patterns(raw.get("excludes", raw.get("exclude", []))),
                )
            case _:
                raise parsing(
                    "Expected one of [VALUE_BOOLEAN, VALUE_STRING, START_ARRAY, START_OBJECT] for [_source]"
                )

    def apply(self, stored: Stored) -> dict[str, Any]:
        source = stored.parsed()
        for path, vector in stored.vectors.items():
            if any(pattern == path for pattern in self.includes):
                insert(source, path, vector.tolist())
        return selected(source, self.includes, self.excludes)


@dataclass(frozen=True, slots=True)
class SortKey:
    path: str
    descending: bool
    missing_first: bool = False
    unmapped: bool = False
    """Whether ``unmapped_type`` excuses an index that lacks the field."""


@dataclass(slots=True)
class Hit:
    index: Index
    score: float
    stored: Stored
    sort: list[Any] = field(default_factory=list[Any])


@dataclass(frozen=True, slots=True)
class Request:
    """A checked search body."""

    query: Any
    size: int
    start: int
    source: SourceFilter
    sort: Sequence[SortKey]
    total_limit: int | None
    """``None`` counts exactly, 0 reports no total."""
    min_score: float | None

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Request:
        unknown = set(body) - KEYS
        if unknown:
            raise parsing(f"Unknown key in the search request: [{min(unknown)}]")
        size, start = _count(body, "size", 10), _count(body, "from", 0)
        if size + start > MAX_RESULT_WINDOW:
            raise illegal_argument(
                "Result window is too large, from + size must be less than or equal to:"
                f" [{MAX_RESULT_WINDOW}] but was [{size + start}]."
            )
        track, min_score = body.get("track_total_hits", DEFAULT_TOTAL_LIMIT), body.get("min_score")
        if not isinstance(track, bool | int) or track < 0:
            raise illegal_argument(
                f"[track_total_hits] must be true, false or a positive integer, got [{track}]"
            )
        if min_score is not None and (isinstance(min_score, bool) or not isinstance(min_score, int | float)):
            raise parsing("[min_score] must be a number")
        return cls(
            query=body.get("query", {"match_all": {}}),
            size=size,
            start=start,
            source=SourceFilter.parse(body.get("_source", True)),
            sort=_sort_keys(body.get("sort", [])),
            total_limit=None if track is True else int(track),
            min_score=min_score,
        )


def search(indexes: Sequence[Index], body: Mapping[str, Any]) -> dict[str, Any]:
    """Run a search; hits of several indexes are merged by score or sort key."""
    began, request = time.perf_counter(), Request.parse(body)
    hits: list[Hit] = []
    total = 0
    best: float | None = None
    for index in indexes:
        found, count, top = _search_one(index, request)
        hits, total = hits + found, total + count
        best = max((score for score in (best, top) if score is not None), default=None)
    by_score = not request.sort
    if by_score:
        hits.sort(key=lambda hit: -hit.score)
    else:
        for position in range(len(request.sort) - 1, -1, -1):
            _sort_by(hits, position, request.sort[position])
    shown = hits[request.start : request.start + request.size]
    return {
        "took": round((time.perf_counter() - began) * 1000),
        "timed_out": False,
        "_shards": {"total": 0, "successful": 0, "skipped": 0, "failed": 0},
        "hits": {
            **_total(total, request.total_limit),
            "max_score": best if by_score else None,
            "hits": [_rendered(hit, request, by_score) for hit in shown],
        },
    }


def count(indexes: Sequence[Index], body: Mapping[str, Any]) -> dict[str, Any]:
    """How many documents match."""
    if set(body) - {"query"}:
        raise parsing(f"request does not support [{min(set(body) - {'query'})}]")
    matched = 0
    for index in indexes:
        snapshot = index.visible()
        matched += snapshot.search(_compiled(index, body.get("query", {"match_all": {}})), 0)[1]
    return {"count": matched, "_shards": {"total": 0, "successful": 0, "skipped": 0, "failed": 0}}


def _compiled(index: Index, query: object) -> Query:
    settings = index.settings.get("index", {})
    knn_enabled = str(settings.get("knn", "false")).lower() == "true"
    try:
        return compile_query(query, Target(index.visible(), index.tables, knn_enabled))
    except QueryRefused as error:
        error.facts |= {"index": index.name, "index_uuid": index.uuid}
        raise


def _search_one(index: Index, request: Request) -> tuple[list[Hit], int, float | None]:
    query, snapshot = _compiled(index, request.query), index.visible()
    narrowed = bool(request.sort) or request.min_score is not None
    limit = len(snapshot) if narrowed else min(len(snapshot), request.start + request.size)
    found, total = snapshot.search(query, limit)
    if request.min_score is not None:
        found = [(score, address) for score, address in found if score >= request.min_score]
        total = len(found)
    hits = [Hit(index, score, snapshot.load(address)) for score, address in found]
    for key in request.sort:
        values = _sort_values(index, key, hits)
        for hit, value in zip(hits, values, strict=True):
            hit.sort.append(value)
    return hits, total, max((score for score, _ in found), default=None)


def _rendered(hit: Hit, request: Request, by_score: bool) -> dict[str, Any]:
    rendered: dict[str, Any] = {"_index": hit.index.name, "_id": hit.stored.id}
    wants_score = by_score or any(key.path == "_score" for key in request.sort)
    rendered["_score"] = hit.score if wants_score else None
    if request.source.wanted:
        rendered["_source"] = request.source.apply(hit.stored)
    if not by_score:
        rendered["sort"] = hit.sort
    return rendered


def _total(total: int, limit: int | None) -> dict[str, Any]:
    if limit == 0:
        return {}
    if limit is None or total <= limit:
        return {"total": {"value": total, "relation": "eq"}}
    return {"total": {"value": limit, "relation": "gte"}}


# --- sorting ------------------------------------------------------------------------------------------


def _sort_keys(raw: object) -> list[SortKey]:
    keys: list[SortKey] = []
    for each in raw if isinstance(raw, list) else [raw]:
        if isinstance(each, str):
            each = {each: {}}
        if not isinstance(each, dict) or len(each) != 1:
            raise parsing('[sort] is a field name or an object such as {"year": "desc"}')
        path, options = next(iter(each.items()))
        options = {"order": options} if isinstance(options, str) else options
        if not isinstance(options, dict) or set(options) - {"order", "missing", "unmapped_type", "mode"}:
            raise parsing(f"[sort] of [{path}] does not support [{options}]")
        order, missing = (
            options.get("order", "desc" if path == "_score" else "asc"),
            options.get("missing", "_last"),
        )
        if order not in ("asc", "desc") or missing not in ("_first", "_last"):
            raise parsing(f"[sort] of [{path}]: order is asc or desc, missing is _first or _last")
        if options.get("mode") not in (None, "max" if order == "desc" else "min"):
            raise parsing(f"[sort] of [{path}]: mode [{options['mode']}] is not offered by the twin")
        keys.append(SortKey(path, order == "desc", missing == "_first", "unmapped_type" in options))
    return keys


def _sort_values(index: Index, key: SortKey, hits: list[Hit]) -> list[Any]:
    if key.path == "_score":
        return [hit.score for hit in hits]
    if key.path == "_id":
        return [hit.stored.id for hit in hits]
    if key.path == "_doc":
        return [hit.stored.entry.row for hit in hits]
    known = index.visible().mappings.fields.get(key.path)
    if known is None:
        if key.unmapped:
            return [None] * len(hits)
        error = QueryRefused(f"No mapping found for [{key.path}] in order to sort on")
        error.facts |= {"index": index.name}
        raise error
    if known.kind in ("text", "knn_vector"):
        raise illegal_argument(
            f"Text fields are not optimised for operations that require per-document field data: sort on a keyword"
            f" field instead of [{key.path}]"
        )
    choose = max if key.descending else min
    values: list[Any] = []
    for hit in hits:
        held: list[Value] = [coerced(raw, known) for raw in lookup(hit.stored.parsed(), known.source)]
        if known.ignore_above is not None:
            held = [value for value in held if len(str(value)) <= known.ignore_above]
        values.append(choose(held) if held else None)
    return values


def _sort_by(hits: list[Hit], position: int, key: SortKey) -> None:
    """Stable sort on one key; documents without a value go last unless told otherwise."""
    present = [hit for hit in hits if hit.sort[position] is not None]
    absent = [hit for hit in hits if hit.sort[position] is None]
    present.sort(key=lambda hit: hit.sort[position], reverse=key.descending)
    hits[:] = absent + present if key.missing_first else present + absent


def _count(body: Mapping[str, Any], name: str, default: int) -> int:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise parsing(f"[{name}] must be a whole number, got [{value!r:.40}]")
    if value < 0:
        raise illegal_argument(f"[{name}] parameter cannot be negative, found [{value}]")
    return value


def _patterns(raw: object) -> list[str]:
    patterns = raw if isinstance(raw, list) else [raw]
    if not all(isinstance(pattern, str) for pattern in patterns):
        raise parsing("[_source] takes field names and patterns")
    return [str(pattern) for pattern in patterns]
