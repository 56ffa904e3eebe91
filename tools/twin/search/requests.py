"""Requests as the handlers see them: parameters that are known, bodies that are bounded and are JSON."""

from __future__ import annotations

import json
import zlib
from typing import Any, NoReturn

from starlette.requests import Request

from tools.twin.search.errors import OpenSearchError, illegal_argument
from tools.twin.search.settings import MAX_BODY_BYTES

COMMON_PARAMETERS = {
    "allow_no_indices",
    "cluster_manager_timeout",
    "error_trace",
    "expand_wildcards",
    "human",
    "ignore_unavailable",
    "master_timeout",
    "preference",
    "pretty",
    "timeout",
}
MAX_DRAINED_BYTES = 10 * MAX_BODY_BYTES
CONTENT_TYPES = ("application/json", "application/x-ndjson")


def check_parameters(request: Request, *known: str) -> None:
    """Refuse query parameters that this operation does not have, and any wish to refresh."""
    refresh = request.query_params.get("refresh", "false")
    if refresh != "false":
        policy = refresh or "true"
        raise OpenSearchError(400, "status_exception", f"{policy} refresh policy is not supported.")
    unknown = set(request.query_params) - COMMON_PARAMETERS - set(known) - {"refresh"}
    if unknown:
        raise illegal_argument(
            f"request [{request.url.path}] contains unrecognized parameter: [{min(unknown)}]"
        )


def flag(request: Request, name: str) -> bool:
    """A boolean query parameter, false when absent."""
    value = request.query_params.get(name, "false")
    if value not in ("true", "false", ""):
        raise illegal_argument(f"Failed to parse value [{value}] as only [true] or [false] are allowed.")
    return value != "false"


async def body_bytes(request: Request) -> bytes:
    """The body, unpacked, no larger than the service takes."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding not in ("identity", "gzip"):
        raise illegal_argument(f"Content-Encoding [{encoding}] is not supported")
    unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16) if encoding == "gzip" else None
    body, received = bytearray(), 0
    async for part in request.stream():
        received += len(part)
        if len(body) > MAX_BODY_BYTES:
            # Read on, keeping nothing: a client that is still sending would miss the answer.
            if received > MAX_DRAINED_BYTES:
                break
            continue
        try:
            body += unpack.decompress(part, MAX_BODY_BYTES + 1) if unpack else part
        except zlib.error:
            raise illegal_argument("the body is not valid gzip") from None
    if len(body) > MAX_BODY_BYTES:
        raise OpenSearchError(
            413,
            "content_too_long_exception",
            f"Request size exceeded {MAX_BODY_BYTES} bytes: send smaller batches",
        )
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and content_type not in CONTENT_TYPES:
        raise OpenSearchError(
            406, "media_type_header_exception", f"Content-Type header [{content_type}] is not supported"
        )
    return bytes(body)


async def json_body(request: Request, *, required: bool = False) -> dict[str, Any]:
    """The body as a JSON object; an absent body is ``{}``."""
    body = await body_bytes(request)
    if not body.strip():
        if required:
            raise OpenSearchError(400, "parse_exception", "request body is required")
        return {}
    return parse_object(body)


def parse_object(raw: bytes) -> dict[str, Any]:
    """Parse a JSON object; raises ``parse_exception`` that says what is wrong."""
    try:
        document = load_json(raw)
    except RecursionError:
        raise OpenSearchError(400, "parse_exception", "the body is nested too deeply") from None
    except ValueError as error:
        raise OpenSearchError(400, "parse_exception", f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise OpenSearchError(400, "parse_exception", "the body is not a JSON object")
    return document


def load_json(raw: bytes) -> Any:
    """Strict JSON: UTF-8, no NaN, no half of a surrogate pair; ``ValueError`` otherwise."""
    document = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
    if b"\\ud" in raw or b"\\uD" in raw:  # such an escape may be half of a pair, which no index can hold
        json.dumps(document, ensure_ascii=False).encode()
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
