"""A catalogue feed was uploaded: load it into the table and the search index."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, cast

from mangaassist.catalogue.ingestion import RunReport
from mangaassist.catalogue.ports import FeedObject
from mangaassist.catalogue.wiring import ingest
from mangaassist.observability import count, logger, tracer


class NotAFeedEvent(ValueError):
    """The event names no object; sent again it will fail again, so it goes to the failure queue at once."""

    def __init__(self) -> None:
        super().__init__('send an S3 "Object Created" event or {"bucket": "...", "key": "feed/..."}')


@tracer().capture_lambda_handler(capture_response=False, capture_error=False)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Ingest the object of an EventBridge event, or of a direct call; replaying either changes nothing."""
    feed = feed_of(event)
    logger().append_keys(request_id=context.aws_request_id, bucket=feed.bucket, key=feed.key)
    started = time.perf_counter()
    try:
        report = asyncio.run(ingest(feed))
    except Exception as error:
        _observe_failure(error)
        raise
    _observe(report, time.perf_counter() - started)
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


def _observe(report: RunReport, seconds: float) -> None:
    count("IngestRunSucceeded")
    count("IngestedDocuments", report.documents)
    count("IndexedDocuments", report.indexed)
    count("QuarantinedLines", report.quarantined)
    count("IngestDurationMs", round(seconds * 1000), "Milliseconds")
    say = logger().warning if report.quarantined or not report.serving else logger().info
    say("feed ingested", **report.as_dict())


def _observe_failure(error: Exception) -> None:
    count("IngestRunFailed")
    # The class only: the text of a foreign exception may quote the feed. The run record says more of our own.
    logger().error("feed not ingested", error_type=type(error).__name__)
