"""The query dialect, compiled to tantivy.

Every clause becomes one tantivy query. A ``knn`` clause is answered first (its filter chooses rows, the rows are
scored) and becomes a query for exactly its ``k`` rows with their scores, so that it combines with any other clause.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from tantivy import FieldType, Occur, Query

from tools.twin.search.analysis import ANALYZERS
from tools.twin.search.documents import INT64, Value, as_number, as_vector, coerced
from tools.twin.search.engine import Snapshot
from tools.twin.search.errors import QueryRefused, parsing
from tools.twin.search.mappings import Field
from tools.twin.search.settings import MAX_K
from tools.twin.search.vectors import VectorTable

MAX_TERMS = 65_536
MAX_DEPTH = 20
"""OpenSearch's indices.query.bool.max_nested_depth; here it counts every clause that holds clauses."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a query is compiled against."""

    snapshot: Snapshot
    tables: Mapping[str, VectorTable]
    knn_enabled: bool
    depth: int = 0

    def field(self, path: str) -> Field | None:
        return self.snapshot.mappings.fields.get(path)

    def term(self, field: Field, value: Value) -> Query:
        if field.kind == "integer" and isinstance(value, float):  # 3.5: no document holds it
            return Query.empty_query()
        query = Query.term_query(self.snapshot.generation.schema, self.snapshot.field(field.path), value)
        return query if field.kind in ("text", "keyword") else constant(query)


def compile_query(clause: object, target: Target) -> Query:
    """Compile one clause; raises ``parsing_exception`` for what the dialect lacks, ``QueryRefused`` for bad values."""
    if not isinstance(clause, dict):
        raise parsing("[_na] query malformed, no start_object after query name")
    if len(clause) != 1:
        raise parsing(
            "query malformed, empty clause found"
            if not clause
            else f"[{next(iter(clause))}] malformed query, expected [END_OBJECT] but found [FIELD_NAME]"
        )
    name, body = next(iter(clause.items()))
    if name not in CLAUSES:
        raise parsing(f"unknown query [{name}]")
    if not isinstance(body, dict):
        raise parsing(f"[{name}] query malformed, no start_object after query name")
    if target.depth > MAX_DEPTH:
        raise parsing(
            f"The nested depth of the query exceeds the maximum nested depth for bool queries: {MAX_DEPTH}"
        )
    return CLAUSES[name](body, replace(target, depth=target.depth + 1))


def constant(query: Query, score: float = 1.0) -> Query:
    return Query.const_score_query(query, score)


# --- compound -----------------------------------------------------------------------------------------


def _bool(body: dict[str, Any], target: Target) -> Query:
    _only(
        "bool",
        body,
        {"must", "should", "filter", "must_not", "minimum_should_match", "boost", "adjust_pure_negative"},
    )
    clauses = {
        name: [compile_query(each, target) for each in _listed(body.get(name, []))]
        for name in ("must", "filter", "should", "must_not")
    }
    should = clauses["should"]
    required = clauses["must"] or clauses["filter"]
    least = minimum_should_match(
        body.get("minimum_should_match", 0 if required or not should else 1), len(should)
    )
    if not any(clauses.values()):
        return _boosted("bool", Query.all_query(), body)
    if least > len(should):
        return Query.empty_query()
    parts = [(Occur.Must, query) for query in clauses["must"]]
    parts += [(Occur.Must, constant(query, 0.0)) for query in clauses["filter"]]
    parts += [(Occur.MustNot, query) for query in clauses["must_not"]]
    if not required and not least:
        parts.append((Occur.Must, constant(Query.all_query(), 0.0)))
    parts += [(Occur.Should, query) for query in should]
    return _boosted(
        "bool", Query.boolean_query(parts, minimum_number_should_match=least if should else None), body
    )


def _constant_score(body: dict[str, Any], target: Target) -> Query:
    _only("constant_score", body, {"filter", "boost"})
    if "filter" not in body:
        raise parsing("[constant_score] requires a 'filter' element")
    return constant(compile_query(body["filter"], target), _boost("constant_score", body))


def minimum_should_match(value: object, clauses: int) -> int:
    """How many of ``clauses`` must match: ``2``, ``-1``, ``"75%"``, ``"-25%"``."""
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"-?\d{1,9}%?", text):
        raise parsing(
            f'failed to parse minimum_should_match [{value}]: use a number or a percentage such as "75%"'
        )
    number = int(text.rstrip("%"))
    wanted = math.trunc(clauses * number / 100) if text.endswith("%") else number
    return max(0, clauses + wanted if text.startswith("-") else wanted)


# --- whole documents ----------------------------------------------------------------------------------


def _match_all(body: dict[str, Any], target: Target) -> Query:
    _only("match_all", body, {"boost"})
    return constant(Query.all_query(), _boost("match_all", body))


def _match_none(body: dict[str, Any], target: Target) -> Query:
    _only("match_none", body, set())
    return Query.empty_query()


def _ids(body: dict[str, Any], target: Target) -> Query:
    _only("ids", body, {"values", "boost"})
    values = body.get("values")
    if not isinstance(values, list) or not all(isinstance(value, str | int) for value in values):
        raise parsing("[ids] requires values: a list of ids")
    return constant(_with_ids([str(value) for value in values], target), _boost("ids", body))


def _exists(body: dict[str, Any], target: Target) -> Query:
    _only("exists", body, {"field", "boost"})
    path = body.get("field")
    if not isinstance(path, str):
        raise parsing("[exists] must be provided with a [field]")
    paths = [
        known for known in target.snapshot.mappings.fields if known == path or known.startswith(path + ".")
    ]
    schema = target.snapshot.generation.schema
    found = [Query.term_query(schema, "exists", known) for known in paths]
    return constant(_any_of(found), _boost("exists", body))


# --- one field ----------------------------------------------------------------------------------------


def _term(body: dict[str, Any], target: Target) -> Query:
    path, options = _one_field("term", body, "value")
    _only("term", options, {"value", "boost"})
    value = _scalar("term", options.get("value"))
    if path == "_id":
        return _boosted("term", constant(_with_ids([str(value)], target)), options)
    field = _searchable(path, target)
    if field is None:
        return Query.empty_query()
    return _boosted("term", target.term(field, _value(value, field)), options)


def _terms(body: dict[str, Any], target: Target) -> Query:
    fields = {path: values for path, values in body.items() if path != "boost"}
    if len(fields) != 1:
        raise parsing("[terms] query requires exactly one field")
    path, values = next(iter(fields.items()))
    if not isinstance(values, list):
        raise parsing(f"[terms] query on [{path}] requires an array of terms; terms lookup is not offered")
    if len(values) > MAX_TERMS:
        raise QueryRefused(
            f"The number of terms [{len(values)}] used in the Terms Query has exceeded [{MAX_TERMS}]"
        )
    scalars = [_scalar("terms", value) for value in values]
    boost = _boost("terms", body)
    if path == "_id":
        return constant(_with_ids([str(value) for value in scalars], target), boost)
    field = _searchable(path, target)
    if field is None:
        return Query.empty_query()
    return constant(_any_of([target.term(field, _value(value, field)) for value in scalars]), boost)


def _range(body: dict[str, Any], target: Target) -> Query:
    path, options = _one_field("range", body, None)
    _only("range", options, {"gt", "gte", "lt", "lte", "boost", "format", "time_zone", "relation"})
    field = _searchable(path, target)
    for name in ("gt", "gte", "lt", "lte"):
        _scalar("range", options.get(name, 0) if options.get(name) is not None else 0)
    if field is None:
        return Query.empty_query()
    if field.kind in ("text", "boolean", "knn_vector"):
        raise QueryRefused(
            f"Field [{path}] of type [{field.type}] does not support range queries on the twin"
        )
    bounds = {name: options[name] for name in ("gt", "gte", "lt", "lte") if options.get(name) is not None}
    build = {"keyword": _keyword_range, "float": _float_range}.get(field.kind, _integer_range)
    return constant(build(field, bounds, target), _boost("range", options))


def _integer_range(field: Field, bounds: Mapping[str, Any], target: Target) -> Query:
    """Whole numbers: each bound becomes an inclusive one."""
    lower, upper = -INT64, INT64 - 1
    for name, raw in bounds.items():
        number = _value(raw, field) if field.kind == "date" else _number(raw, field)
        assert not isinstance(number, str)
        match name:
            case "gte":
                lower = max(lower, math.ceil(number))
            case "gt":
                lower = max(lower, math.floor(number) + 1)
            case "lte":
                upper = min(upper, math.floor(number))
            case _:
                upper = min(upper, math.ceil(number) - 1)
    if lower > upper:
        return Query.empty_query()
    schema, name = target.snapshot.generation.schema, target.snapshot.field(field.path)
    return Query.range_query(schema, name, FieldType.Integer, lower, upper)


def _float_range(field: Field, bounds: Mapping[str, Any], target: Target) -> Query:
    low, high = bounds.get("gt", bounds.get("gte")), bounds.get("lt", bounds.get("lte"))
    lower = -math.inf if low is None else _number(low, field)
    upper = math.inf if high is None else _number(high, field)
    schema, name = target.snapshot.generation.schema, target.snapshot.field(field.path)
    return Query.range_query(
        schema,
        name,
        FieldType.Float,
        float(lower),
        float(upper),
        include_lower="gt" not in bounds,
        include_upper="lt" not in bounds,
    )


def _keyword_range(field: Field, bounds: Mapping[str, Any], target: Target) -> Query:
    """Terms are compared as UTF-8 bytes, as Lucene does; tantivy has no text ranges, so terms are enumerated."""
    tests: dict[str, Callable[[bytes, bytes], bool]] = {
        "gt": lambda term, bound: term > bound,
        "gte": lambda term, bound: term >= bound,
        "lt": lambda term, bound: term < bound,
        "lte": lambda term, bound: term <= bound,
    }
    limits = [(tests[name], str(_value(raw, field)).encode()) for name, raw in bounds.items()]
    inside = [
        term
        for term in target.snapshot.terms(field.path)
        if all(test(term.encode(), bound) for test, bound in limits)
    ]
    return _any_of([target.term(field, term) for term in inside])


# --- full text ----------------------------------------------------------------------------------------

MATCH_OPTIONS = {"query", "operator", "minimum_should_match", "boost", "analyzer"}


def _match(body: dict[str, Any], target: Target) -> Query:
    path, options = _one_field("match", body, "query")
    _only("match", options, MATCH_OPTIONS)
    return _boosted("match", _match_field(path, options, target, "match"), options)


def _multi_match(body: dict[str, Any], target: Target) -> Query:
    _only("multi_match", body, MATCH_OPTIONS | {"fields", "type", "tie_breaker"})
    kind, tie_breaker = body.get("type", "best_fields"), body.get("tie_breaker")
    if kind not in ("best_fields", "most_fields"):
        raise parsing(
            f"[multi_match] type [{kind}] is not offered by the twin: use best_fields or most_fields"
        )
    if tie_breaker is not None and (
        isinstance(tie_breaker, bool) or not isinstance(tie_breaker, int | float)
    ):
        raise parsing("[multi_match] tie_breaker is a number")
    fields = _listed(body.get("fields", []))
    if not fields:
        raise parsing("[multi_match] requires fields: a list of field names")
    queries: list[Query] = []
    for pattern in fields:
        name, _, weight = str(pattern).partition("^")
        try:
            boost = float(weight or 1)
        except ValueError:
            raise parsing(f"[multi_match] boost of field [{pattern}] is not a number") from None
        paths = [path for path in target.snapshot.mappings.fields if fnmatchcase(path, name)]
        queries += [
            Query.boost_query(_match_field(path, body, target, "multi_match"), boost)
            for path in paths
            if "*" not in name or target.snapshot.mappings.fields[path].kind in ("text", "keyword")
        ]
    if not queries:
        return Query.empty_query()
    best = kind == "best_fields"
    combined = Query.disjunction_max_query(queries, tie_breaker or 0.0) if best else _any_of(queries)
    return _boosted("multi_match", combined, body)


def _match_field(path: str, options: Mapping[str, Any], target: Target, clause: str) -> Query:
    if "query" not in options:
        raise parsing(f"[{clause}] requires query value")
    value = _scalar(clause, options["query"])
    operator = str(options.get("operator", "or")).lower()
    if operator not in ("or", "and"):
        raise parsing(f"[{clause}] operator is [or] or [and], got [{options['operator']}]")
    analyzer = options.get("analyzer")
    if analyzer is not None and analyzer not in ANALYZERS:
        raise parsing(f"[{clause}] analyzer [{analyzer}] not found")
    field = _searchable(path, target)
    if field is None:
        return Query.empty_query()
    if field.kind != "text":
        return target.term(field, _value(value, field))
    terms = ANALYZERS[analyzer or field.search_analyzer](str(_value(value, field)))
    queries = [target.term(field, term) for term in terms]
    least = minimum_should_match(options.get("minimum_should_match", 1), len(terms))
    if operator == "and":
        least = len(terms)
    if not queries or least > len(queries):
        return Query.empty_query()
    return Query.boolean_query(
        [(Occur.Should, query) for query in queries], minimum_number_should_match=max(1, least)
    )


# --- vectors ------------------------------------------------------------------------------------------


def _knn(body: dict[str, Any], target: Target) -> Query:
    path, options = _one_field("knn", body, None)
    _only("knn", options, {"vector", "k", "filter", "boost", "method_parameters", "rescore"})
    k = options.get("k")
    if isinstance(k, bool) or not isinstance(k, int):
        raise parsing("[knn] requires k: an integer (radial search is not available at 32x compression)")
    if not 0 < k <= MAX_K:
        raise parsing(f"[knn] requires k to be in the range (0, {MAX_K}], got [{k}]")
    if not isinstance(options.get("vector"), list):
        raise parsing("[knn] requires vector: an array of numbers")
    chosen = compile_query(options["filter"], target) if "filter" in options else Query.all_query()
    field = target.field(path)
    if field is None or field.kind != "knn_vector":
        raise QueryRefused(f"Field '{path}' is not knn_vector type.")
    if not target.knn_enabled:
        raise QueryRefused(
            f"Field '{path}' cannot be searched: create the index with the setting index.knn: true"
        )
    if len(options["vector"]) != field.dimension:
        raise QueryRefused(
            f"Query vector has invalid dimension: {len(options['vector'])}. Dimension should be: {field.dimension}"
        )
    try:
        vector = as_vector(options["vector"], field)
    except ValueError as error:
        raise QueryRefused(str(error)) from None
    schema = target.snapshot.generation.schema
    has_vector = Query.term_query(schema, "exists", path)
    rows = target.snapshot.rows(Query.boolean_query([(Occur.Must, has_vector), (Occur.Must, chosen)]))
    nearest = target.tables[path].nearest(rows, vector, k)
    hits = [constant(Query.term_query(schema, "row", row), score) for row, score in nearest]
    return _boosted("knn", _any_of(hits), options)


CLAUSES: Mapping[str, Callable[[dict[str, Any], Target], Query]] = {
    "bool": _bool,
    "constant_score": _constant_score,
    "exists": _exists,
    "ids": _ids,
    "knn": _knn,
    "match": _match,
    "match_all": _match_all,
    "match_none": _match_none,
    "multi_match": _multi_match,
    "range": _range,
    "term": _term,
    "terms": _terms,
}


# --- helpers ------------------------------------------------------------------------------------------


def _any_of(queries: list[Query]) -> Query:
    return (
        Query.boolean_query([(Occur.Should, query) for query in queries]) if queries else Query.empty_query()
    )


def _with_ids(ids: list[str], target: Target) -> Query:
    schema = target.snapshot.generation.schema
    return _any_of([Query.term_query(schema, "id", doc_id) for doc_id in ids])


def _searchable(path: str, target: Target) -> Field | None:
    """The field, ``None`` when nothing is mapped there (which matches nothing); refused when it is not indexed."""
    field = target.field(path)
    if field and (not field.indexed or field.kind == "knn_vector"):
        raise QueryRefused(f"Cannot search on field [{path}] since it is not indexed.")
    return field


def _value(raw: Value, field: Field) -> Value:
    """A query value as the field holds values; 3.5 for a field of whole numbers stays 3.5."""
    try:
        if (
            field.kind == "integer"
            and not isinstance(raw, bool)
            and isinstance(number := _number(raw, field), float)
        ):
            return coerced(number, field) if number.is_integer() else number
        return coerced(raw, field)
    except ValueError as error:
        raise QueryRefused(str(error)) from None


def _number(raw: Value, field: Field) -> int | float:
    try:
        return as_number(raw)
    except ValueError as error:
        raise QueryRefused(f"field [{field.path}]: {error}") from None


def _one_field(clause: str, body: dict[str, Any], shorthand: str | None) -> tuple[str, dict[str, Any]]:
    """The single field of a clause; ``{"genre": "x"}`` stands for ``{"genre": {shorthand: "x"}}``."""
    if len(body) != 1:
        raise parsing(f"[{clause}] query requires exactly one field, got {sorted(body)}")
    path, options = next(iter(body.items()))
    if isinstance(options, dict):
        return path, options
    if shorthand is None or isinstance(options, list):
        raise parsing(f"[{clause}] query malformed, expected an object for field [{path}]")
    return path, {shorthand: options}


def _scalar(clause: str, value: object) -> Value:
    finite = not isinstance(value, float) or math.isfinite(value)
    if value is None or not finite or not isinstance(value, str | int | float | bool):
        raise parsing(f"[{clause}] value must be a string, number or boolean, got [{value!r:.60}]")
    return value


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _only(clause: str, body: Mapping[str, Any], known: set[str]) -> None:
    unknown = set(body) - known - {"_name"}
    if unknown:
        raise parsing(f"[{clause}] query does not support [{min(unknown)}]")


def _boost(clause: str, body: Mapping[str, Any]) -> float:
    boost = body.get("boost", 1.0)
    if isinstance(boost, bool) or not isinstance(boost, int | float) or not 0 <= boost < math.inf:
        raise parsing(f"[{clause}] boost is a number not below zero, got [{boost}]")
    return float(boost)


def _boosted(clause: str, query: Query, body: Mapping[str, Any]) -> Query:
    boost = _boost(clause, body)
    return query if boost == 1.0 else Query.boost_query(query, boost)
