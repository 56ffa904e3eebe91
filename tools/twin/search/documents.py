"""A JSON document to what is indexed: values by field, vectors as float32, the source without its vectors."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.twin.search.errors import illegal_argument, mapper_parsing
from tools.twin.search.mappings import INTEGER_BITS, Field, Mappings

Value = str | int | float | bool
Vector = NDArray[np.float32]
INT64 = 2**63
MAX_TERM_BYTES = 32_766
"""Lucene refuses longer keywords as an immense term."""


@dataclass(frozen=True, slots=True)
class Document:
    """One checked document. ``source`` is JSON without vectors: they come back from ``vectors`` when asked for."""

    id: str
    source: bytes
    values: Mapping[str, list[Value]]
    vectors: Mapping[str, Vector]


def prepare(doc_id: str, source: Mapping[str, Any], mappings: Mappings) -> Document:
    """Check ``source`` against ``mappings``; raises ``OpenSearchError`` naming the field at fault."""
    values: dict[str, list[Value]] = {}
    vectors: dict[str, Vector] = {}
    stored = dict(source)
    for field in mappings.fields.values():
        try:
            if field.kind == "knn_vector":
                raw = _take(stored, field.path)
                if raw is not None:
                    vectors[field.path] = as_vector(raw, field)
                continue
            found = [coerced(raw, field) for raw in lookup(source, field.source)]
        except ValueError as error:
            raise mapper_parsing(
                f"failed to parse field [{field.path}] of type [{field.type}] in document with id '{doc_id}'",
                because=str(error),
            ) from error
        if field.ignore_above is not None:
            found = [value for value in found if len(str(value)) <= field.ignore_above]
        if field.kind == "keyword" and any(len(str(value).encode()) > MAX_TERM_BYTES for value in found):
            raise illegal_argument(
                f'Document contains at least one immense term in field="{field.path}"'
                f" (whose UTF8 encoding is longer than the max length {MAX_TERM_BYTES})"
            )
        if found:
            values[field.path] = found
    return Document(
        doc_id, json.dumps(stored, ensure_ascii=False, separators=(",", ":")).encode(), values, vectors
    )


def as_vector(raw: object, field: Field) -> Vector:
    """A finite float32 vector of the field's dimension; ``ValueError`` with OpenSearch's wording otherwise."""
    if not isinstance(raw, list) or any(isinstance(x, bool) or not isinstance(x, int | float) for x in raw):
        raise ValueError("a knn_vector is an array of numbers")
    if len(raw) != field.dimension:
        raise ValueError(f"Vector dimension mismatch. Expected: {field.dimension}, Given: {len(raw)}")
    try:
        with np.errstate(over="ignore"):
            vector = np.asarray(raw, dtype=np.float64).astype(np.float32)
    except OverflowError:
        raise ValueError("KNN vector values must fit into a float") from None
    if not np.isfinite(vector).all():
        raise ValueError("KNN vector values cannot be NaN or infinite")
    if field.space == "cosinesimil" and not vector.any():
        raise ValueError("zero vector is not supported when space type is [cosinesimil]")
    return vector


def lookup(source: object, path: str) -> Iterator[Any]:
    """Every non-null leaf at a dotted path, through objects and arrays."""
    if isinstance(source, list):
        for each in source:
            yield from lookup(each, path)
    elif not path:
        if source is not None:
            yield source
    elif isinstance(source, dict):
        if path in source:
            yield from lookup(source[path], "")
        name, _, rest = path.partition(".")
        if rest and name in source:
            yield from lookup(source[name], rest)


def coerced(raw: object, field: Field) -> Value:
    """``raw`` as the field holds it: dates as epoch milliseconds; ``ValueError`` when it cannot be."""
    if isinstance(raw, dict):
        raise ValueError("Can't get text on a START_OBJECT")
    match field.kind:
        case "text" | "keyword":
            return raw if isinstance(raw, str) else json.dumps(raw)
        case "boolean":
            if raw is True or raw == "true":
                return True
            if raw is False or raw in ("false", ""):
                return False
            raise ValueError(f"Failed to parse value [{raw}] as only [true] or [false] are allowed.")
        case "integer":
            number = int(as_number(raw))
            limit = 2 ** (INTEGER_BITS[field.type] - 1)
            if not -limit <= number < limit:
                raise ValueError(f"Value [{raw}] is out of range for {field.type}")
            return number
        case "float":
            return float(as_number(raw))
        case "date":
            moment = _epoch_millis(raw)
            if not -INT64 <= moment < INT64:
                raise ValueError(f"[{raw}] is out of range for a date")
            return moment
        case "knn_vector":
            raise ValueError("a vector has no single value")


def selected(
    source: Mapping[str, Any], includes: list[str], excludes: list[str], prefix: str = ""
) -> dict[str, Any]:
    """``source`` reduced to what ``_source`` asks for; patterns are dotted paths with ``*``."""
    kept: dict[str, Any] = {}
    for name, value in source.items():
        path = prefix + name
        if any(fnmatchcase(path, pattern) for pattern in excludes):
            continue
        whole = not includes or any(fnmatchcase(path, pattern) for pattern in includes)
        inner_includes = [] if whole else includes
        if isinstance(value, dict):
            inner = selected(value, inner_includes, excludes, path + ".")
            if inner or whole:
                kept[name] = inner
        elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
            items = [
                selected(each, inner_includes, excludes, path + ".") if isinstance(each, dict) else each
                for each in value
                if whole or isinstance(each, dict)
            ]
            if whole or any(items):
                kept[name] = items
        elif whole:
            kept[name] = value
    return kept


def insert(source: dict[str, Any], path: str, value: object) -> None:
    """Put a vector back at its dotted path."""
    *parents, last = path.split(".")
    for name in parents:
        source = source.setdefault(name, {})
    source[last] = value


def merge(into: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """A partial update: objects merge, everything else is replaced."""
    merged = dict(into)
    for name, value in part.items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = merge(merged[name], value) if both else value
    return merged


def _take(source: dict[str, Any], path: str) -> object:
    """Remove and return the value at ``path``; objects on the way are copied, not changed."""
    *parents, last = path.split(".")
    for name in parents:
        child = source.get(name)
        if isinstance(child, list):
            raise ValueError("a vector inside an array of objects is not supported by the twin")
        if not isinstance(child, dict):
            return None
        source[name] = child = dict(child)
        source = child
    return source.pop(last, None)


def as_number(raw: object) -> int | float:
    """A finite number, whole where it was written so; ``ValueError`` otherwise."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise ValueError(f"For input: [{raw}]")
    try:
        number = float(raw)
    except ValueError:
        raise ValueError(f'For input string: "{raw}"') from None
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"[{raw}] is not a finite number")
    is_whole = isinstance(raw, int) or (isinstance(raw, str) and re.fullmatch(r"[+-]?[0-9]{1,20}", raw))
    return int(raw) if is_whole else number


def _epoch_millis(raw: object) -> int:
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    if isinstance(raw, str):
        if re.fullmatch(r"-?[0-9]{5,20}", raw):
            return int(raw)
        try:
            moment = datetime.fromisoformat(raw if len(raw) > 4 else f"{raw}-01-01")
        except ValueError:
            pass
        else:
            return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    raise ValueError(
        f"failed to parse date field [{raw}] with format [strict_date_optional_time||epoch_millis]"
    )


def parse_source(raw: object) -> dict[str, Any]:
    """The JSON object of a document, refused when it is anything else."""
    if not isinstance(raw, dict):
        raise mapper_parsing("failed to parse: the document is not a JSON object")
    return raw
