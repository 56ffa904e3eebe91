"""Frames of ``application/vnd.amazon.eventstream``: prelude, headers, payload, each guarded by a CRC.

The layout is that of AWS's event stream encoding: total length, headers length and their CRC-32, string headers
(type 7), the payload, and the CRC-32 of all that came before.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any
from zlib import crc32

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_STRING = 7
_PRELUDE_BYTES = 12
_CRC_BYTES = 4


def event(kind: str, payload: Mapping[str, Any]) -> bytes:
    """One event, such as ``contentBlockDelta``."""
    return _frame(
        {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}, payload
    )


def exception(kind: str, message: str) -> bytes:
    """The exception that ends a stream after its head was sent, such as ``throttlingException``."""
    headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return _frame(headers, {"message": message})


def _frame(headers: Mapping[str, str], payload: Mapping[str, Any]) -> bytes:
    head = b"".join(_header(name, value) for name, value in headers.items())
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    prelude = struct.pack("!II", _PRELUDE_BYTES + len(head) + len(body) + _CRC_BYTES, len(head))
    guarded = prelude + struct.pack("!I", crc32(prelude)) + head + body
    return guarded + struct.pack("!I", crc32(guarded))


def _header(name: str, value: str) -> bytes:
    label, text = name.encode(), value.encode()
    return struct.pack("!B", len(label)) + label + struct.pack("!BH", _STRING, len(text)) + text
