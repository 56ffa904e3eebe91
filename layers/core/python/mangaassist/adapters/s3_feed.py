"""The feed bucket: files are read line by line, bad lines are put under ``quarantine/``."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from mangaassist.adapters.errors import translated
from mangaassist.catalogue.records import MAXIMUM_LINE_BYTES

if TYPE_CHECKING:
    from mangaassist.catalogue.ports import FeedObject, Quarantined

DEPENDENCY: Final = "feed"
READ_BYTES: Final = 256 * 1024
QUARANTINE_PREFIX: Final = "quarantine/"
"""Outside ``feed/``, so that what is put aside does not start a run."""
KEPT_BYTES: Final = 64 * 1024
"""So much of a bad line is kept; enough to see what is wrong, little enough for a file of garbage."""


class S3Feeds:
    """``client`` is an s3 client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @contextmanager
    def lines(self, feed: FeedObject) -> Generator[Iterable[bytes]]:
        """The lines of a feed without their ends, read as they are needed."""
        with translated(DEPENDENCY):
            body = self._client.get_object(Bucket=feed.bucket, Key=feed.key)["Body"]
            try:
                yield bounded_lines(body.iter_chunks(READ_BYTES), MAXIMUM_LINE_BYTES)
            finally:
                body.close()

    def quarantine(self, feed: FeedObject, lines: Sequence[Quarantined]) -> str:
        """Put the bad lines of a feed aside as JSONL of line, reason and content; returns their key."""
        key = f"{QUARANTINE_PREFIX}{feed.key.removesuffix('.jsonl')}.jsonl"
        body = "".join(json.dumps(_entry(line), ensure_ascii=False) + "\n" for line in lines)
        with translated(DEPENDENCY):
            self._client.put_object(
                Bucket=feed.bucket, Key=key, Body=body.encode(), ContentType="application/x-ndjson"
            )
        return key


def bounded_lines(chunks: Iterable[bytes], maximum_bytes: int) -> Iterator[bytes]:
    """Lines of a byte stream; of a longer line only ``maximum_bytes`` + 1 come through, so that memory stays bounded.

    The one byte over is what tells the reader that the line was too long.
    """
    pending = b""
    for chunk in chunks:
        first, *rest = chunk.split(b"\n")
        pending += first[: max(0, maximum_bytes + 1 - len(pending))]
        for piece in rest:
            yield pending.removesuffix(b"\r")
            pending = piece[: maximum_bytes + 1]
    if pending:
        yield pending.removesuffix(b"\r")


def _entry(line: Quarantined) -> dict[str, Any]:
    return {
        "line": line.line,
        "reason": line.reason,
        "content": line.content[:KEPT_BYTES].decode("utf-8", "replace"),
        "truncated": len(line.content) > KEPT_BYTES,
    }
