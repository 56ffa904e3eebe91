"""Custom resource that puts the chat page into its bucket.

On create and update it copies the files of the page's asset (a zip) into the bucket, writes ``config.json`` and removes
what an earlier page left behind; on delete it empties the bucket, so that the bucket itself can go. The bucket is the
page's alone.

Properties: ``SourceBucket`` and ``SourceKey`` (the asset), ``TargetBucket``, ``Config`` (JSON in text).
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mangaassist.adapters.clients import client
from mangaassist.adapters.custom_resource import Event, answer
from mangaassist.observability import logger, observed
from mangaassist.tracing import PathType

CONFIG: Final = "config.json"
ENTRY: Final = "index.html"
MAX_ASSET_BYTES: Final = 10 * 1024 * 1024
MAX_FILE_BYTES: Final = 5 * 1024 * 1024
MAX_PAGE_BYTES: Final = 20 * 1024 * 1024
MAX_FILES: Final = 300

CONTENT_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
REVALIDATE: Final = "no-cache"
"""File names carry no hash, so a browser must ask before it mixes modules of two versions."""
KEEP_A_DAY: Final = "public, max-age=86400"
LONG_LIVED: Final = frozenset({".ico", ".png", ".svg", ".webp", ".woff2"})


class PageError(ValueError):
    """The page cannot be published; the message says why and what to change."""


class PageConfig(BaseModel):
    """``config.json``: where the page connects to."""

    model_config = ConfigDict(extra="forbid")

    environment: str = Field(min_length=1)
    websocket_url: str = Field(pattern=r"^wss?://")
    api_base: str = Field(pattern=r"^(https?://.+)?$")
    protocol_version: int = Field(ge=1)


@observed(PathType.ASYNC_BACKGROUND)
def handler(event: dict[str, Any], context: Any) -> None:
    """CloudFormation's create, update or delete."""
    answer(event, context, lambda request: act(request, client("s3")))


def act(event: Event, s3: Any) -> str:
    """Publish the page, or remove it; returns the physical id, one per bucket.

    A new bucket is therefore a new resource, and CloudFormation has the page removed from the old one.
    """
    properties = event["ResourceProperties"]
    bucket = properties["TargetBucket"]
    if bucket == properties["SourceBucket"]:
        raise PageError("TargetBucket is the bucket of the assets; the page needs one of its own.")
    files = {} if event["RequestType"] == "Delete" else _page(properties, s3)
    # The entry goes last: who loads the page meanwhile gets no entry that asks for modules not there yet.
    for name in sorted(files, key=lambda name: (name == ENTRY, name)):
        _put(s3, bucket, name, files[name])
    gone = _keys(s3, bucket) - files.keys()
    for key in sorted(gone):
        s3.delete_object(Bucket=bucket, Key=key)
    logger().info("page published" if files else "page removed", files=len(files), removed=len(gone))
    return f"page-{bucket}"


def page_config(text: str) -> PageConfig:
    """The page's settings.

    Raises:
        PageError: a setting is missing, unknown or malformed.
    """
    try:
        return PageConfig.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(["Config", *map(str, first["loc"])])
        raise PageError(f"{where}: {first['msg']}.") from None


def page_files(archive: bytes) -> dict[str, bytes]:
    """The files of a page's zip, by their key in the bucket.

    Raises:
        PageError: the zip is broken, too large, or holds something that is not a page's file.
    """
    try:
        with zipfile.ZipFile(BytesIO(archive)) as opened:
            files = dict(_members(opened))
    # What zipfile raises for damage, encryption and methods it does not know.
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, zlib.error) as error:
        raise PageError(f"The page's asset is not a readable zip file: {error}.") from None
    if ENTRY not in files:
        raise PageError(f"The page's asset has no {ENTRY} at its top.")
    return files


def _members(opened: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    members = [member for member in opened.infolist() if not member.is_dir()]
    if len(members) > MAX_FILES:
        raise PageError(f"The page has {len(members)} files; at most {MAX_FILES} are allowed.")
    seen = {CONFIG}
    left = MAX_PAGE_BYTES
    for member in members:
        name = key_of(member)
        if name in seen:
            raise PageError(f"{name} comes twice; the page must not bring it itself a second time.")
        seen.add(name)
        limit = min(MAX_FILE_BYTES, left)
        # The declared size is only the archive's word; what can be read is what counts.
        with opened.open(member) as source:
            content = source.read(limit + 1)
        if len(content) > limit:
            raise PageError(
                f"{name} is too large; at most {MAX_FILE_BYTES} bytes a file and {MAX_PAGE_BYTES} in all are allowed."
            )
        left -= len(content)
        yield name, content


def key_of(member: zipfile.ZipInfo) -> str:
    """Where a member of the zip goes; it must be an ordinary file below the top.

    Raises:
        PageError: it is a link, leaves the page's folder, or has an extension without a content type.
    """
    # ``filename`` was cut at NUL bytes and normalized; the name as it was stored is the one to judge.
    name = member.orig_filename
    path = PurePosixPath(name)
    strange = "\\" in name or ":" in name or not name.isprintable()
    if strange or path.is_absolute() or ".." in path.parts or str(path) != name:
        raise PageError(f"{name!r} is not a plain path inside the page.")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise PageError(f"{name} is a link; put the file itself into the page.")
    if path.suffix not in CONTENT_TYPES:
        raise PageError(f"{name} has no known content type; the page may hold {' '.join(CONTENT_TYPES)}.")
    return name


def _page(properties: dict[str, str], s3: Any) -> dict[str, bytes]:
    config = page_config(properties["Config"])
    found = s3.get_object(Bucket=properties["SourceBucket"], Key=properties["SourceKey"])
    size = found["ContentLength"]
    if size > MAX_ASSET_BYTES:
        raise PageError(f"The page's asset has {size} bytes; at most {MAX_ASSET_BYTES} are allowed.")
    return {**page_files(found["Body"].read()), CONFIG: config.model_dump_json(indent=2).encode()}


def _put(s3: Any, bucket: str, key: str, content: bytes) -> None:
    suffix = PurePosixPath(key).suffix
    s3.put_object(
        Bucket=bucket,
        Key=key,
        Body=content,
        ContentType=CONTENT_TYPES[suffix],
        CacheControl=KEEP_A_DAY if suffix in LONG_LIVED else REVALIDATE,
    )


def _keys(s3: Any, bucket: str) -> set[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {found["Key"] for page in pages for found in page.get("Contents", ())}
