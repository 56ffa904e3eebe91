"""What a request to the collection stands for in the terms of its data access policies.

https://docs.aws.amazon.com/opensearch-service/latest/developerguide/serverless-genref.html
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

from tools.twin.faults import Scope
from tools.twin.permissions import Demand

READS = ("_search", "_msearch", "_count", "_mget")


def demands_of(scope: Scope, body: bytes) -> Iterator[Demand]:
    """One action, on the index or alias of the path; operations without one are asked for on every index."""
    method, path = scope["method"], unquote(scope["path"])
    parts = [part for part in path.split("/") if part]
    index = parts.pop(0) if parts and not parts[0].startswith("_") else "*"
    operation = parts[0] if parts else ""
    if operation in ("_aliases", "_alias"):
        verbs = {"GET": "Describe", "HEAD": "Describe", "PUT": "Create", "DELETE": "Delete"}
        yield Demand(f"aoss:{verbs.get(method, 'Update')}CollectionItems", "collection/")
    else:
        yield Demand(f"aoss:{_index_action(method, operation)}", f"index/{index}")


def _index_action(method: str, operation: str) -> str:
    is_read = method in ("GET", "HEAD")
    if operation in READS or (operation == "_doc" and is_read):
        return "ReadDocument"
    if operation in ("_bulk", "_doc", "_create", "_update"):
        return "WriteDocument"
    if is_read:
        return "DescribeIndex"
    if operation:
        return "UpdateIndex"
    return "DeleteIndex" if method == "DELETE" else "CreateIndex"
