"""Traces: one X-Ray subsegment per invocation, with what happened inside it, told to the daemon at the end.

Lambda runs the daemon and has opened the segment; a subsegment is one datagram of JSON to it. The X-Ray SDK does the same
behind 250 ms of imports and patches of what it finds, so this module keeps to the standard library.
Only sampled invocations cost anything. Sources: X-Ray developer guide, "Sending trace data to the daemon" and
"Segment documents".
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

HEADER: Final = b'{"format":"json","version":1}\n'
DAEMON: Final = "127.0.0.1:2000"

Annotation = str | int | float | bool


class PathType(StrEnum):
    """Who waits for the work (OBS-1)."""

    CRITICAL_SYNC = "critical_sync"
    """A shopper."""
    ASYNC_BACKGROUND = "async_background"
    """Nobody."""


@dataclass(slots=True)
class Span:
    """A stretch of an invocation, or the whole of it."""

    name: str
    path_type: PathType
    request_id: str
    started: float = field(default_factory=time.time)
    ended: float = 0.0
    annotations: dict[str, Annotation] = field(default_factory=dict[str, Annotation])
    error_type: str | None = None
    children: list[Span] = field(default_factory=list["Span"])

    def document(self) -> dict[str, Any]:
        """As X-Ray reads it. An error shows its class alone: its text may quote what a shopper wrote."""
        document: dict[str, Any] = {
            "name": self.name,
            "id": _id(),
            "start_time": self.started,
            "end_time": self.ended,
            "annotations": {
                "path_type": self.path_type.value,
                "request_id": self.request_id,
                "environment": os.environ.get("ENVIRONMENT", "unknown"),
                **self.annotations,
            },
        }
        if self.error_type is not None:
            document["fault"] = True
            document["cause"] = {"exceptions": [{"id": _id(), "type": self.error_type}]}
        if self.children:
            document["subsegments"] = [child.document() for child in self.children]
        return document


_invocation: ContextVar[Span | None] = ContextVar("_invocation", default=None)


@contextmanager
def invocation(name: str, path_type: PathType, request_id: str) -> Generator[None]:
    """Trace one invocation, if Lambda samples it."""
    parent = _sampled_parent()
    if parent is None:
        yield
        return
    whole = Span(name, path_type, request_id)
    token = _invocation.set(whole)
    try:
        with _timed(whole):
            yield
    finally:
        _invocation.reset(token)
        _tell(whole, *parent)


@contextmanager
def span(name: str, path_type: PathType | None = None) -> Generator[None]:
    """Trace a stretch of the running invocation; of the invocation's own path type unless told otherwise."""
    whole = _invocation.get()
    if whole is None:
        yield
        return
    part = Span(name, path_type or whole.path_type, whole.request_id)
    # Listed when it begins, so that the order is the order of beginning even where stretches overlap.
    whole.children.append(part)
    with _timed(part):
        yield


def annotate(**annotations: Annotation) -> None:
    """Add facts to find the running invocation's trace by; never what a shopper wrote."""
    if (whole := _invocation.get()) is not None:
        whole.annotations.update(annotations)


@contextmanager
def _timed(one: Span) -> Generator[None]:
    try:
        yield
    except Exception as error:
        one.error_type = type(error).__name__
        raise
    finally:
        one.ended = time.time()


def _sampled_parent() -> tuple[str, str] | None:
    """Trace id and segment id that Lambda gave this invocation; ``None`` when it does not sample it."""
    header = os.environ.get("_X_AMZN_TRACE_ID", "")
    parts = dict(part.split("=", 1) for part in header.split(";") if "=" in part)
    if parts.get("Sampled") != "1" or "Root" not in parts or "Parent" not in parts:
        return None
    return parts["Root"], parts["Parent"]


def _tell(whole: Span, trace_id: str, parent_id: str) -> None:
    for child in whole.children:
        # A stretch that the invocation did not wait for, such as a cancelled speculation, ends with it.
        child.ended = child.ended or whole.ended
    document = {"type": "subsegment", "trace_id": trace_id, "parent_id": parent_id, **whole.document()}
    host, _, port = os.environ.get("AWS_XRAY_DAEMON_ADDRESS", DAEMON).rpartition(":")
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
            daemon.sendto(HEADER + json.dumps(document).encode(), (host, int(port)))
    except (OSError, ValueError):
        return  # A trace that is lost harms nobody.


def _id() -> str:
    return os.urandom(8).hex()
