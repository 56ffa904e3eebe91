"""The operations a Serverless NextGen vector collection offers, one handler each; ``app`` routes to them."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from tools.twin.search import bulk, searching
from tools.twin.search.aliases import aliases_missing
from tools.twin.search.collection import Collection
from tools.twin.search.errors import OpenSearchError, illegal_argument, parsing
from tools.twin.search.index import Batch, Index, Outcome
from tools.twin.search.requests import body_bytes, check_parameters, flag, json_body, parse_object
from tools.twin.search.searching import SourceFilter

ACKNOWLEDGED = {"acknowledged": True}
SOURCE_PARAMETERS = ("_source", "_source_includes", "_source_excludes")
CAT_COLUMNS = ("index", "uuid", "pri", "rep", "docs.count", "docs.deleted", "store.size", "pri.store.size")


def _collection(request: Request) -> Collection:
    return request.app.state.collection


def _indexes(request: Request) -> list[Index]:
    expression = request.path_params.get("index", "_all")
    return _collection(request).resolve(expression, ignore_unavailable=flag(request, "ignore_unavailable"))


# --- indexes ------------------------------------------------------------------------------------------


async def create_index(request: Request) -> Response:
    check_parameters(request, "wait_for_active_shards")
    name = request.path_params["index"]
    _collection(request).create(name, await json_body(request))
    return JSONResponse({**ACKNOWLEDGED, "shards_acknowledged": True, "index": name})


async def get_index(request: Request) -> Response:
    check_parameters(request, "flat_settings", "include_defaults", "local")
    described = {
        index.name: {
            "aliases": _aliases_of(request, index.name),
            "mappings": index.mappings.document,
            "settings": _settings_of(index),
        }
        for index in _indexes(request)
    }
    return JSONResponse(described)


async def index_exists(request: Request) -> Response:
    check_parameters(request, "local", "flat_settings", "include_defaults")
    return Response(status_code=200 if _collection(request).exists(request.path_params["index"]) else 404)


async def delete_index(request: Request) -> Response:
    check_parameters(request)
    _collection(request).delete(request.path_params["index"])
    return JSONResponse(ACKNOWLEDGED)


async def get_mapping(request: Request) -> Response:
    check_parameters(request, "local")
    return JSONResponse({index.name: {"mappings": index.mappings.document} for index in _indexes(request)})


async def put_mapping(request: Request) -> Response:
    check_parameters(request, "write_index_only")
    body = await json_body(request, required=True)
    for index in _indexes(request):
        _collection(request).put_mapping(index, body)
    return JSONResponse(ACKNOWLEDGED)


async def get_settings(request: Request) -> Response:
    check_parameters(request, "flat_settings", "include_defaults", "local")
    return JSONResponse({index.name: {"settings": _settings_of(index)} for index in _indexes(request)})


async def put_settings(request: Request) -> Response:
    check_parameters(request, "flat_settings", "preserve_existing")
    body = await json_body(request, required=True)
    for index in _indexes(request):
        _collection(request).put_settings(index, body)
    return JSONResponse(ACKNOWLEDGED)


async def cat_indices(request: Request) -> Response:
    """Counts of what searches may see; a Serverless collection reports neither health nor status."""
    check_parameters(request, "format", "h", "v", "s", "bytes", "time", "local", "help")
    columns = request.query_params.get("h", ",".join(CAT_COLUMNS)).split(",")
    unknown = set(columns) - set(CAT_COLUMNS)
    if unknown:
        raise illegal_argument(f"unknown column [{min(unknown)}]; this service has {', '.join(CAT_COLUMNS)}")
    rows: list[dict[str, str]] = [
        dict(
            zip(
                CAT_COLUMNS,
                (index.name, index.uuid, "0", "0", str(len(index.visible())), "0", "0b", "0b"),
                strict=False,
            )
        )
        for index in sorted(_indexes(request), key=lambda index: index.name)
    ]
    wants_json = "json" in request.query_params.get("format", request.headers.get("accept", ""))
    if wants_json and request.query_params.get("format", "json") == "json":
        return JSONResponse([{column: row[column] for column in columns} for row in rows])
    lines = [[row[column] for column in columns] for row in rows]
    lines = [columns, *lines] if flag(request, "v") else lines
    widths = [max((len(line[at]) for line in lines), default=0) for at in range(len(columns))]
    text = "".join(
        " ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n"
        for line in lines
    )
    return PlainTextResponse(text)


# --- aliases ------------------------------------------------------------------------------------------


async def post_aliases(request: Request) -> Response:
    check_parameters(request)
    body = await json_body(request, required=True)
    if set(body) - {"actions"}:
        raise parsing(f"[aliases] unknown field [{min(set(body) - {'actions'})}]")
    _collection(request).change_aliases(body.get("actions"))
    return JSONResponse(ACKNOWLEDGED)


async def put_alias(request: Request) -> Response:
    check_parameters(request)
    options = {name: value for name, value in (await json_body(request)).items() if name == "is_write_index"}
    names = [index.name for index in _indexes(request)]
    actions = [{"add": {"index": name, "alias": request.path_params["alias"], **options}} for name in names]
    _collection(request).change_aliases(actions)
    return JSONResponse(ACKNOWLEDGED)


async def delete_alias(request: Request) -> Response:
    check_parameters(request)
    aliases, names = request.path_params["alias"].split(","), [index.name for index in _indexes(request)]
    _collection(request).change_aliases([{"remove": {"indices": names, "aliases": aliases}}])
    return JSONResponse(ACKNOWLEDGED)


async def get_alias(request: Request) -> Response:
    check_parameters(request, "local")
    wanted = request.path_params.get("alias")
    if "index" not in request.path_params and not _collection(request).indexes:
        names: list[str] = []
    else:
        names = [index.name for index in _indexes(request)]
    found = {name: {"aliases": _aliases_of(request, name, wanted)} for name in names}
    if wanted is None:
        return JSONResponse(found)
    matched = {name: entry for name, entry in found.items() if entry["aliases"]}
    seen = {alias for entry in matched.values() for alias in entry["aliases"]}
    absent = [name for name in wanted.split(",") if "*" not in name and name not in seen]
    if absent and request.method == "HEAD":
        raise aliases_missing(absent)
    if absent:
        # OpenSearch answers this one with a bare sentence, and with what it did find.
        return JSONResponse({"error": f"alias [{','.join(absent)}] missing", "status": 404, **matched}, 404)
    return JSONResponse(matched)


def _aliases_of(request: Request, index: str, wanted: str | None = None) -> dict[str, Any]:
    patterns = (wanted or "*").replace("_all", "*").split(",")
    return {
        alias: members[index]
        for alias, members in _collection(request).aliases.items()
        if index in members and any(fnmatchcase(alias, pattern) for pattern in patterns)
    }


def _settings_of(index: Index) -> dict[str, Any]:
    own = index.settings.get("index", {})
    facts = {"provided_name": index.name, "uuid": index.uuid, "creation_date": str(index.created_ms)}
    return {"index": {**own, **facts}}


# --- documents ----------------------------------------------------------------------------------------


async def post_bulk(request: Request) -> Response:
    check_parameters(request, "wait_for_active_shards")
    actions = bulk.parse(await body_bytes(request), request.path_params.get("index"))
    return JSONResponse(bulk.run(actions, _collection(request)))


async def put_document(request: Request) -> Response:
    """``POST idx/_doc``, ``PUT idx/_doc/id`` and ``PUT idx/_create/id``."""
    check_parameters(request, "op_type", "wait_for_active_shards")
    collection, doc_id = _collection(request), request.path_params.get("id")
    if doc_id is not None and not collection.settings.custom_ids:
        raise illegal_argument(bulk.ID_REFUSED)
    create = request.url.path.split("/")[2] == "_create" or request.query_params.get("op_type") == "create"
    source = await json_body(request, required=True)
    index = collection.writable(request.path_params["index"])
    batch = index.batch()
    return _written(collection, index, batch, batch.put(doc_id, source, create=create))


async def delete_document(request: Request) -> Response:
    check_parameters(request, "wait_for_active_shards")
    collection = _collection(request)
    index = collection.single(request.path_params["index"])
    batch = index.batch()
    return _written(collection, index, batch, batch.delete(request.path_params["id"]))


def _written(collection: Collection, index: Index, batch: Batch, outcome: Outcome) -> Response:
    collection.commit(batch)
    return JSONResponse(outcome.body(index.name), outcome.status)


async def get_document(request: Request) -> Response:
    check_parameters(request, *SOURCE_PARAMETERS, "realtime")
    index = _collection(request).single(request.path_params["index"])
    found = _fetched(index, request.path_params["id"], _source_filter(request))
    return JSONResponse(found, 200 if found["found"] else 404)


async def multi_get(request: Request) -> Response:
    check_parameters(request, *SOURCE_PARAMETERS, "realtime")
    body = await json_body(request, required=True)
    default, source = request.path_params.get("index"), _source_filter(request)
    wanted = body.get("docs") or [{"_id": doc_id} for doc_id in body.get("ids", [])]
    if set(body) - {"docs", "ids"} or not isinstance(wanted, list) or not wanted:
        raise OpenSearchError(
            400, "action_request_validation_exception", "no documents to get: send docs or ids"
        )
    return JSONResponse({"docs": [_multi_got(request, item, default, source) for item in wanted]})


def _multi_got(request: Request, item: object, default: str | None, source: SourceFilter) -> dict[str, Any]:
    if not isinstance(item, dict) or "_id" not in item or not isinstance(item.get("_index", default), str):
        raise illegal_argument("each of [docs] is an object with _id, and _index unless the path names it")
    name = item.get("_index", default)
    try:
        index = _collection(request).single(name)
    except OpenSearchError as error:
        return {
            "_index": name,
            "_id": str(item["_id"]),
            "error": {"root_cause": [error.cause()], **error.cause()},
        }
    chosen = SourceFilter.parse(item["_source"]) if "_source" in item else source
    return _fetched(index, str(item["_id"]), chosen)


def _fetched(index: Index, doc_id: str, source: SourceFilter) -> dict[str, Any]:
    stored = index.get(doc_id)
    if stored is None:
        return {"_index": index.name, "_id": doc_id, "found": False}
    found: dict[str, Any] = {
        "_index": index.name,
        "_id": doc_id,
        "_version": stored.entry.version,
        "_seq_no": stored.entry.seq_no,
        "_primary_term": 1,
        "found": True,
    }
    return {**found, "_source": source.apply(stored)} if source.wanted else found


def _source_filter(request: Request) -> SourceFilter:
    """``_source`` and its companions from the query string."""
    parameters = request.query_params
    whole = parameters.get("_source", "true")
    if whole == "false":
        return SourceFilter(wanted=False)
    includes = parameters.get("_source_includes", "" if whole == "true" else whole)
    excludes = parameters.get("_source_excludes", "")
    return SourceFilter(True, [p for p in includes.split(",") if p], [p for p in excludes.split(",") if p])


# --- searching ----------------------------------------------------------------------------------------


async def search(request: Request) -> Response:
    check_parameters(
        request, *SOURCE_PARAMETERS, "size", "from", "track_total_hits", "search_type", "typed_keys"
    )
    body = _with_parameters(await json_body(request), request)
    return JSONResponse(searching.search(_indexes(request), body))


async def multi_search(request: Request) -> Response:
    """Pairs of a header line and a body line; a search that fails answers in its place."""
    check_parameters(request, "max_concurrent_searches", "typed_keys", "search_type")
    raw = await body_bytes(request)
    if not raw.strip():
        raise OpenSearchError(400, "parse_exception", "request body is required")
    if not raw.endswith(b"\n"):
        raise illegal_argument("The msearch request must be terminated by a newline [\\n]")
    lines = raw.split(b"\n")[:-1]
    if len(lines) % 2:
        raise illegal_argument("The msearch request must have a header and a body line for each search")
    responses: list[dict[str, Any]] = []
    for header, body in zip(lines[::2], lines[1::2], strict=True):
        options = parse_object(header or b"{}")
        names = options.get("index", request.path_params.get("index", "_all"))
        expression = ",".join(map(str, names)) if isinstance(names, list) else str(names)
        try:
            found = searching.search(_collection(request).resolve(expression), parse_object(body))
            responses.append({**found, "status": 200})
        except OpenSearchError as error:
            responses.append(error.body())
    took = sum(response.get("took", 0) for response in responses)
    return JSONResponse({"took": took, "responses": responses})


async def count(request: Request) -> Response:
    check_parameters(request)
    return JSONResponse(searching.count(_indexes(request), await json_body(request)))


def _with_parameters(body: Mapping[str, Any], request: Request) -> dict[str, Any]:
    """The search body with what the query string overrides."""
    parameters, merged = request.query_params, dict(body)
    for name in ("size", "from", "track_total_hits"):
        if name in parameters:
            value = parameters[name]
            merged[name] = {"true": True, "false": False}.get(value, int(value) if value.isdigit() else value)
    if any(name in parameters for name in SOURCE_PARAMETERS):
        chosen = _source_filter(request)
        patterns = {"includes": chosen.includes, "excludes": chosen.excludes}
        merged["_source"] = patterns if chosen.wanted else False
    return merged
