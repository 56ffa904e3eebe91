"""A catalogue feed was uploaded: load it into the table and the search index."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from mangaassist import metrics
from mangaassist.catalogue.ingestion import RunReport
from mangaassist.catalogue.ports import FeedObject
from mangaassist.catalogue.wiring import ingest
from mangaassist.observability import emit, logger, observed
from mangaassist.tracing import PathType


class NotAFeedEvent(ValueError):
    """The event names no object; sent again it will fail again, so it goes to the failure queue at once."""

    def __init__(self) -> None:
        super().__init__('send an S3 "Object Created" event or {"bucket": "...", "key": "feed/..."}')


@observed(PathType.ASYNC_BACKGROUND)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Ingest the object of an EventBridge event, or of a direct call; replaying either changes nothing."""
    feed = feed_of(event)
    logger().append_keys(bucket=feed.bucket, key=feed.key)
    started = time.perf_counter()
    try:
        report = asyncio.run(ingest(feed))
    except Exception as error:
        _observe_failure(error)
        raise
    _observe(report, time.perf_counter() - started, _lag_seconds(event))
    return report.as_dict()


def feed_of(event: Mapping[str, Any]) -> FeedObject:
    """The object an event is about.

    Raises:
        NotAFeedEvent: it names none.
    """
    detail: Any = event.get("detail", event)
    try:
        if "object" in detail:
            found = detail["object"]
            return FeedObject(_text(detail["bucket"]["name"]), _text(found["key"]), found.get("etag"))
        return FeedObject(_text(detail["bucket"]), _text(detail["key"]), detail.get("etag"))
    except (KeyError, TypeError, AttributeError):
        raise NotAFeedEvent from None


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return cast(str, value)


def _lag_seconds(event: Mapping[str, Any]) -> float | None:
    """Time since the upload that ``event`` tells of; a call by hand tells of none."""
    uploaded = event.get("time")
    if not isinstance(uploaded, str):
        return None
    try:
        return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(uploaded)).total_seconds())
    except (ValueError, TypeError):
        return None


def _observe(report: RunReport, seconds: float, lag_seconds: float | None) -> None:
    emit(
        {
            metrics.INGEST_RUN_SUCCEEDED: 1,
            metrics.INGEST_JOB_COMPLETION_RATE: 100,
            metrics.INGESTED_DOCUMENTS: report.documents,
            metrics.INDEXED_DOCUMENTS: report.indexed,
            metrics.QUARANTINED_LINES: report.quarantined,
            metrics.INGEST_DURATION_MS: round(seconds * 1000),
            metrics.INGEST_DOCUMENTS_PER_SECOND: report.documents / max(seconds, 0.001),
            # An index that nobody reads yet is as far behind as it was.
            metrics.INDEX_LAG_SECONDS: [lag_seconds] if lag_seconds is not None and report.serving else [],
        }
    )
    say = logger().warning if report.quarantined or not report.serving else logger().info
    say("feed ingested", **report.as_dict())


def _observe_failure(error: Exception) -> None:
    emit({metrics.INGEST_RUN_FAILED: 1, metrics.INGEST_JOB_COMPLETION_RATE: 0})
    # The class only: the text of a foreign exception may quote the feed. The run record says more of our own.
    logger().error("feed not ingested", error_type=type(error).__name__)
