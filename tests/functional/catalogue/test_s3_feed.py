from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangaassist.adapters.s3_feed import KEPT_BYTES, S3Feeds, bounded_lines
from mangaassist.catalogue.ports import FeedObject, Quarantined
from mangaassist.errors import DependencyError
from tests.functional.catalogue.conftest import BUCKET, Stores

FEED = FeedObject(BUCKET, "feed/part.jsonl")


def test_a_file_is_read_line_by_line(stores: Stores) -> None:
    stores.upload(FEED.key, b"one\r\ntwo\n\nfour")
    with S3Feeds(stores.s3).lines(FEED) as lines:
        assert list(lines) == [b"one", b"two", b"", b"four"]


def test_a_file_that_is_not_there(stores: Stores) -> None:
    with pytest.raises(DependencyError, match="feed: NoSuchKey"), S3Feeds(stores.s3).lines(FEED):
        pass


def test_bad_lines_are_put_aside_outside_the_feed(stores: Stores) -> None:
    bad = [
        Quarantined(3, "why", "壊れた行".encode()),
        Quarantined(9, "not UTF-8", b"\xff" * (KEPT_BYTES + 1)),
    ]
    key = S3Feeds(stores.s3).quarantine(FEED, bad)
    assert key == "quarantine/feed/part.jsonl"
    body = stores.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()
    first, second = (json.loads(line) for line in body.splitlines())
    assert first == {"line": 3, "reason": "why", "content": "壊れた行", "truncated": False}
    assert (second["line"], second["truncated"], len(second["content"])) == (9, True, KEPT_BYTES)


@given(st.binary(max_size=60), st.integers(1, 7))
def test_lines_do_not_depend_on_how_the_stream_is_cut(content: bytes, size: int) -> None:
    chunks = [content[start : start + size] for start in range(0, len(content), size)]
    expected = [line.removesuffix(b"\r") for line in content.split(b"\n")]
    if content.endswith(b"\n") or not content:
        expected.pop()
    assert list(bounded_lines(chunks, 1_000)) == expected


@given(st.lists(st.binary(max_size=30), max_size=10), st.integers(1, 8))
def test_no_line_is_longer_than_one_byte_over_the_limit(chunks: list[bytes], limit: int) -> None:
    assert all(len(line) <= limit + 1 for line in bounded_lines(chunks, limit))
