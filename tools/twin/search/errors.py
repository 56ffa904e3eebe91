"""Failures as OpenSearch words them.

``OpenSearchError`` carries status, type and reason, and renders the body that clients parse:
``{"error": {"root_cause": [..], "type": .., "reason": ..}, "status": ..}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class OpenSearchError(Exception):
    """An answer other than success; ``facts`` are the extra fields of the cause (index, line, caused_by …)."""

    def __init__(self, status: int, kind: str, reason: str, **facts: Any) -> None:
        super().__init__(reason)
        self.status, self.kind, self.reason, self.facts = status, kind, reason, facts

    def cause(self) -> dict[str, Any]:
        return {"type": self.kind, "reason": self.reason, **self.facts}

    def body(self) -> dict[str, Any]:
        root = {name: value for name, value in self.cause().items() if name != "caused_by"}
        return {"error": {"root_cause": [root], **self.cause()}, "status": self.status}


class QueryRefused(OpenSearchError):
    """A query that parses and that an index cannot run; reported, as OpenSearch does, as its shards failing."""

    def __init__(self, reason: str) -> None:
        super().__init__(400, "query_shard_exception", f"failed to create query: {reason}")

    def body(self) -> dict[str, Any]:
        error = {
            "root_cause": [self.cause()],
            "type": "search_phase_execution_exception",
            "reason": "all shards failed",
            "phase": "query",
            "grouped": True,
            "failed_shards": [{"shard": 0, "index": self.facts.get("index"), "reason": self.cause()}],
        }
        return {"error": error, "status": self.status}


def illegal_argument(reason: str) -> OpenSearchError:
    return OpenSearchError(400, "illegal_argument_exception", reason)


def parsing(reason: str) -> OpenSearchError:
    return OpenSearchError(400, "parsing_exception", reason)


def mapper_parsing(reason: str, because: str | None = None) -> OpenSearchError:
    facts: Mapping[str, Any] = (
        {"caused_by": {"type": "illegal_argument_exception", "reason": because}} if because else {}
    )
    return OpenSearchError(400, "mapper_parsing_exception", reason, **facts)


def index_not_found(name: str) -> OpenSearchError:
    return OpenSearchError(
        404,
        "index_not_found_exception",
        f"no such index [{name}]",
        **{"index": name, "resource.id": name, "resource.type": "index_or_alias", "index_uuid": "_na_"},
    )
