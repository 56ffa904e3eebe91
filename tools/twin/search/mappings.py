"""What an index knows about its fields: parsed, checked as NextGen checks, merged, and grown by dynamic mapping."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tools.twin.search.analysis import ANALYZERS
from tools.twin.search.errors import OpenSearchError, illegal_argument, mapper_parsing
from tools.twin.search.settings import SearchSettings

Kind = Literal["text", "keyword", "integer", "float", "boolean", "date", "knn_vector"]

KINDS: Mapping[str, Kind] = {
    "text": "text",
    "keyword": "keyword",
    **dict.fromkeys(("byte", "short", "integer", "long"), "integer"),
    **dict.fromkeys(("half_float", "float", "double"), "float"),
    "boolean": "boolean",
    "date": "date",
    "knn_vector": "knn_vector",
}
INTEGER_BITS = {"byte": 8, "short": 16, "integer": 32, "long": 64}
COMMON_PARAMETERS = {"type", "index", "store", "doc_values", "meta", "fields"}
PARAMETERS: Mapping[Kind, set[str]] = {
    "text": COMMON_PARAMETERS | {"analyzer", "search_analyzer", "norms", "index_options", "term_vector"},
    "keyword": COMMON_PARAMETERS | {"ignore_above", "norms", "eager_global_ordinals"},
    "integer": COMMON_PARAMETERS | {"coerce"},
    "float": COMMON_PARAMETERS | {"coerce"},
    "boolean": COMMON_PARAMETERS,
    "date": COMMON_PARAMETERS | {"format"},
    "knn_vector": COMMON_PARAMETERS - {"fields"}
    | {"dimension", "space_type", "compression_level", "mode", "method"},
}
SPACES = ("l2", "cosinesimil", "innerproduct")
COMPRESSION_LEVELS = ("1x", "2x", "8x", "16x", "32x")
MAX_DIMENSION = 16_000
DYNAMIC_IGNORE_ABOVE = 256
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?")


@dataclass(frozen=True, slots=True)
class Field:
    """One searchable path. ``source`` differs from ``path`` for a multi-field (``title.keyword`` of ``title``)."""

    path: str
    source: str
    type: str
    kind: Kind
    analyzer: str = "standard"
    search_analyzer: str = "standard"
    indexed: bool = True
    ignore_above: int | None = None
    dimension: int = 0
    space: str = "l2"


class Mappings:
    """The mapping document of an index and the fields that follow from it; never changed in place."""

    def __init__(self, document: Mapping[str, Any], settings: SearchSettings) -> None:
        unknown = set(document) - {"properties", "dynamic", "_source", "_meta", "date_detection"}
        if unknown:
            given = ", ".join(f"[{name} : {document[name]}]" for name in sorted(unknown))
            raise mapper_parsing(f"Root mapping definition has unsupported parameters:  {given}")
        if document.get("_source", {"enabled": True}) not in ({}, {"enabled": True}):
            raise mapper_parsing("the twin keeps every _source: remove _source from the mapping")
        self.document: dict[str, Any] = {**copy.deepcopy(dict(document))}
        self.document.setdefault("properties", {})
        self._settings = settings
        self.fields: dict[str, Field] = {}
        for field in self._parse(_object(self.document["properties"], "properties"), ""):
            self.fields[field.path] = field

    @property
    def vectors(self) -> list[Field]:
        return [field for field in self.fields.values() if field.kind == "knn_vector"]

    def merged(self, document: Mapping[str, Any]) -> Mappings:
        """These mappings with more fields; changing the type of a field that exists is refused."""
        combined = copy.deepcopy(self.document)
        for name, value in document.items():
            if name != "properties":
                combined[name] = value
        _merge(combined["properties"], _object(document.get("properties", {}), "properties"), "")
        return Mappings(combined, self._settings)

    def grown_for(self, source: Mapping[str, Any]) -> Mappings:
        """These mappings, plus what dynamic mapping infers for fields of ``source`` that are new."""
        found = self._infer(source, self.document["properties"], "", self.document.get("dynamic", True))
        return self.merged({"properties": found}) if found else self

    # --- parsing ------------------------------------------------------------------------------------

    def _parse(self, properties: Mapping[str, Any], prefix: str) -> Iterator[Field]:
        for name, raw in properties.items():
            path = prefix + name
            if not name or (name.startswith("_") and not prefix):
                raise mapper_parsing(f"Field [{name}] is a metadata field or empty and cannot be mapped")
            node = _object(raw, path)
            if node.get("type", "object") == "object":
                unknown = set(node) - {"type", "properties", "enabled", "dynamic"}
                if unknown and "type" not in node:
                    raise mapper_parsing(f"No type specified for field [{path}]")
                _refuse_unknown(unknown, path, "object")
                if node.get("enabled", True) is not False:
                    yield from self._parse(_object(node.get("properties", {}), path), path + ".")
                continue
            yield self._field(node, path, path)
            for sub, raw_sub in _object(node.get("fields", {}), path).items():
                yield self._field(_object(raw_sub, f"{path}.{sub}"), f"{path}.{sub}", path)

    def _field(self, node: Mapping[str, Any], path: str, source: str) -> Field:
        kind = KINDS.get(str(node.get("type")))
        if kind is None:
            raise mapper_parsing(f"No handler for type [{node.get('type')}] declared on field [{path}]")
        if kind == "knn_vector":
            return self._vector_field(node, path)
        _refuse_unknown(set(node) - PARAMETERS[kind], path, node["type"])
        analyzer = node.get("analyzer", "standard")
        search_analyzer = node.get("search_analyzer", analyzer)
        for name in (analyzer, search_analyzer):
            if name not in ANALYZERS:
                raise mapper_parsing(
                    f"analyzer [{name}] has not been configured in mappings (the twin has {', '.join(ANALYZERS)})"
                )
        ignore_above = node.get("ignore_above")
        if ignore_above is not None and (not isinstance(ignore_above, int) or ignore_above < 1):
            raise mapper_parsing(f"[ignore_above] must be positive on field [{path}]")
        return Field(
            path,
            source,
            node["type"],
            kind,
            analyzer,
            search_analyzer,
            indexed=_boolean(node.get("index", True), "index", path),
            ignore_above=ignore_above,
        )

    def _vector_field(self, node: Mapping[str, Any], path: str) -> Field:
        method = _object(node.get("method", {}), f"{path}.method")
        if "engine" in node or "engine" in method:
            raise illegal_argument("Field parameter 'engine' is not supported")
        if method.get("parameters") and not self._settings.hnsw_parameters:
            raise illegal_argument("Field parameter 'parameters' is not supported")
        _refuse_unknown(set(node) - PARAMETERS["knn_vector"], path, "knn_vector")
        _refuse_unknown(set(method) - {"name", "space_type", "parameters"}, path, "method")
        _refuse_unknown(
            set(method.get("parameters") or {}) - {"m", "ef_construction"}, path, "method.parameters"
        )
        dimension = node.get("dimension")
        if (
            isinstance(dimension, bool)
            or not isinstance(dimension, int)
            or not 0 < dimension <= MAX_DIMENSION
        ):
            raise mapper_parsing(
                f"Dimension value must be an integer from 1 to {MAX_DIMENSION} for vector: {path}, got [{dimension}]"
            )
        space = node.get("space_type", method.get("space_type", "l2"))
        for name, value, allowed in (
            ("method.name", method.get("name", "hnsw"), ("hnsw",)),
            ("space_type", space, SPACES),
            ("compression_level", node.get("compression_level", "32x"), COMPRESSION_LEVELS),
            ("mode", node.get("mode", "on_disk"), ("on_disk", "in_memory")),
        ):
            if value not in allowed:
                raise mapper_parsing(
                    f"Invalid value [{value}] of {name} for vector {path}: use one of {list(allowed)}"
                )
        return Field(path, path, "knn_vector", "knn_vector", dimension=dimension, space=str(space))

    # --- dynamic mapping ----------------------------------------------------------------------------

    def _infer(
        self, source: Mapping[str, Any], properties: Mapping[str, Any], prefix: str, dynamic: object
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in source.items():
            node = properties.get(name)
            sample = _first(value)
            if sample is None:
                continue
            if node is None:
                if dynamic in (False, "false"):
                    continue
                if dynamic == "strict":
                    raise OpenSearchError(
                        400,
                        "strict_dynamic_mapping_exception",
                        f"mapping set to strict, dynamic introduction of [{name}] within [{prefix or '_doc'}]"
                        " is not allowed",
                    )
            if isinstance(sample, dict):
                if node is not None and (
                    node.get("type", "object") != "object" or node.get("enabled") is False
                ):
                    continue
                known = node.get("properties", {}) if node else {}
                inner: dict[str, Any] = {}
                for each in value if isinstance(value, list) else [value]:
                    if isinstance(each, dict):
                        inner_dynamic = node.get("dynamic", dynamic) if node else dynamic
                        inner |= self._infer(each, known, f"{prefix}{name}.", inner_dynamic)
                if inner or node is None:
                    found[name] = {"properties": inner}
            elif node is None:
                found[name] = _inferred(sample)
            elif node.get("type", "object") == "object" and node.get("enabled") is not False:
                raise mapper_parsing(
                    f"object mapping for [{prefix}{name}] tried to parse field [{name}] as object,"
                    " but found a concrete value"
                )
        return found


def _inferred(sample: object) -> dict[str, Any]:
    match sample:
        case bool():
            return {"type": "boolean"}
        case int():
            return {"type": "long"}
        case float():
            return {"type": "float"}
        case str() if _ISO_DATE.fullmatch(sample):
            return {"type": "date"}
        case _:
            return {
                "type": "text",
                "fields": {"keyword": {"type": "keyword", "ignore_above": DYNAMIC_IGNORE_ABOVE}},
            }


def _first(value: object) -> object:
    """The first value of a possibly nested list that is not null."""
    if isinstance(value, list):
        return next((found for each in value if (found := _first(each)) is not None), None)
    return value


def _merge(into: dict[str, Any], more: Mapping[str, Any], prefix: str) -> None:
    for name, raw in more.items():
        node, path = _object(raw, prefix + name), prefix + name
        known = into.get(name)
        if known is None:
            into[name] = copy.deepcopy(node)
            continue
        before, after = known.get("type", "object"), node.get("type", "object")
        if before != after:
            raise illegal_argument(f"mapper [{path}] cannot be changed from type [{before}] to [{after}]")
        if before == "object":
            _merge(known.setdefault("properties", {}), _object(node.get("properties", {}), path), path + ".")
            continue
        for parameter in sorted((set(known) | set(node)) - {"fields"}):
            if parameter in node and node[parameter] != known.get(parameter):
                raise illegal_argument(
                    f"Mapper for [{path}] conflicts: Cannot update parameter [{parameter}]"
                )
        if "fields" in node:
            _merge(known.setdefault("fields", {}), _object(node["fields"], path), path + ".")


def _object(value: object, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise mapper_parsing(f"Expected map for property [{path}] but got a {type(value).__name__}")
    return value


def _boolean(value: object, name: str, path: str) -> bool:
    if value in (True, "true"):
        return True
    if value in (False, "false"):
        return False
    raise mapper_parsing(f"[{name}] of field [{path}] must be true or false, got [{value}]")


def _refuse_unknown(names: set[str], path: str, kind: str) -> None:
    if names:
        raise mapper_parsing(f"unknown parameter [{min(names)}] on mapper [{path}] of type [{kind}]")
