"""Publishing into moto's S3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from lambdas.web_publish import handler as web_publish
from lambdas.web_publish.handler import PageError, act
from tests.unit.web_publish.test_page_files import zipped

CONFIG = {
    "environment": "dev",
    "websocket_url": "wss://chat.example/live",
    "api_base": "",
    "protocol_version": 2,
}
PAGE = {"index.html": b"<!doctype html>", "app.js": b"1", "style.css": b"2", "img/a.png": b"3"}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        for bucket in ("assets", "page", "other-page"):
            client.create_bucket(Bucket=bucket)
        yield client


def event(s3: Any, kind: str, files: dict[str, bytes] | None = None, **properties: str) -> dict[str, Any]:
    """A request of CloudFormation, with its asset uploaded."""
    if files is not None:
        s3.put_object(Bucket="assets", Key="page.zip", Body=zipped(files))
    defaults = {
        "SourceBucket": "assets",
        "SourceKey": "page.zip",
        "TargetBucket": "page",
        "Config": json.dumps(CONFIG),
    }
    return {"RequestType": kind, "ResourceProperties": defaults | properties}


def keys(s3: Any, bucket: str = "page") -> set[str]:
    return {found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", [])}


def test_create_copies_the_files_with_their_types(s3: Any) -> None:
    assert act(event(s3, "Create", PAGE), s3) == "page-page"
    assert keys(s3) == {*PAGE, "config.json"}
    stored = {key: s3.get_object(Bucket="page", Key=key) for key in keys(s3)}
    assert {key: found["ContentType"] for key, found in stored.items()} == {
        "index.html": "text/html; charset=utf-8",
        "app.js": "text/javascript; charset=utf-8",
        "style.css": "text/css; charset=utf-8",
        "config.json": "application/json; charset=utf-8",
        "img/a.png": "image/png",
    }
    assert {key: found["CacheControl"] for key, found in stored.items()} == {
        **dict.fromkeys(["index.html", "app.js", "style.css", "config.json"], "no-cache"),
        "img/a.png": "public, max-age=86400",
    }
    assert json.loads(stored["config.json"]["Body"].read()) == CONFIG
    assert stored["app.js"]["Body"].read() == b"1"


def test_update_removes_what_is_gone(s3: Any) -> None:
    act(event(s3, "Create", PAGE), s3)
    act(event(s3, "Update", {"index.html": b"new", "chat.js": b"4"}), s3)
    assert keys(s3) == {"index.html", "chat.js", "config.json"}
    assert s3.get_object(Bucket="page", Key="index.html")["Body"].read() == b"new"


def test_a_refused_page_leaves_the_old_one_alone(s3: Any) -> None:
    act(event(s3, "Create", PAGE), s3)
    with pytest.raises(PageError):
        act(event(s3, "Update", {"index.html": b"new", "tool.exe": b""}), s3)
    with pytest.raises(PageError):
        act(event(s3, "Update", {"index.html": b"new"}, Config="{}"), s3)
    assert keys(s3) == {*PAGE, "config.json"}
    assert s3.get_object(Bucket="page", Key="index.html")["Body"].read() == b"<!doctype html>"


def test_another_bucket_is_another_resource(s3: Any) -> None:
    assert act(event(s3, "Update", PAGE, TargetBucket="other-page"), s3) == "page-other-page"


def test_delete_empties_the_bucket_for_good(s3: Any) -> None:
    act(event(s3, "Create", PAGE), s3)
    act(event(s3, "Delete"), s3)
    assert keys(s3) == set()
    s3.delete_bucket(Bucket="page")


def test_delete_needs_no_asset(s3: Any) -> None:
    act(event(s3, "Create", PAGE), s3)
    s3.delete_object(Bucket="assets", Key="page.zip")
    act(event(s3, "Delete", Config="nonsense"), s3)
    assert keys(s3) == set()


def test_more_objects_than_one_listing_holds_are_removed(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "10")  # S3's own thousand, made small
    for number in range(25):
        s3.put_object(Bucket="page", Key=f"old-{number}.js", Body=b"")
    act(event(s3, "Create", {"index.html": b""}), s3)
    assert keys(s3) == {"index.html", "config.json"}


@pytest.mark.parametrize("kind", ["Create", "Delete"])
def test_the_assets_bucket_is_never_the_target(s3: Any, kind: str) -> None:
    with pytest.raises(PageError, match="one of its own"):
        act(event(s3, kind, PAGE, TargetBucket="assets"), s3)
    assert keys(s3, "assets") == {"page.zip"}


def test_an_asset_too_large_is_not_even_read(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_publish, "MAX_ASSET_BYTES", 10)
    with pytest.raises(PageError, match="at most 10 are allowed"):
        act(event(s3, "Create", PAGE), s3)


def test_a_missing_asset_is_an_error(s3: Any) -> None:
    with pytest.raises(ClientError, match="NoSuchKey"):
        act(event(s3, "Create"), s3)
