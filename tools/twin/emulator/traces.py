"""A trace store in place of the X-Ray daemon: it hears the segments that functions send by UDP."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

TRACES_KEPT = 500


class TraceStore(asyncio.DatagramProtocol):
    """The segments of the last ``TRACES_KEPT`` traces, by trace id in order of arrival."""

    def __init__(self) -> None:
        self._traces: OrderedDict[str, list[dict[str, Any]]] = OrderedDict()

    @asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[None]:
        """Receive datagrams on ``host:port`` inside the context."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(host, port))
        try:
            yield
        finally:
            transport.close()

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Keep one segment; the daemon protocol is a JSON header line and a JSON document line."""
        try:
            _, _, document = data.partition(b"\n")
            segment = json.loads(document)
            segments = self._traces.setdefault(segment["trace_id"], [])
        except (ValueError, TypeError, KeyError):
            return  # as the daemon: what is not a segment is dropped
        segments.append(segment)
        while len(self._traces) > TRACES_KEPT:
            self._traces.popitem(last=False)

    def summaries(self) -> list[dict[str, Any]]:
        """One line per trace, newest first."""
        return [
            {
                "id": trace_id,
                "segments": len(segments),
                "name": segments[0].get("name"),
                "start_time": min(segment.get("start_time", 0) for segment in segments),
            }
            for trace_id, segments in reversed(self._traces.items())
        ]

    def segments(self, trace_id: str) -> list[dict[str, Any]]:
        """The segments of one trace, in order of arrival; empty when it is unknown."""
        return list(self._traces.get(trace_id, ()))

    def clear(self) -> None:
        """Forget every trace."""
        self._traces.clear()
