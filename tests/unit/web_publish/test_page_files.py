"""What a page's zip may hold."""

from __future__ import annotations

import stat
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from lambdas.web_publish import handler as web_publish
from lambdas.web_publish.handler import PageError, key_of, page_config, page_files

WEB = Path(__file__).resolve().parents[3] / "web"


def zipped(
    files: dict[str, bytes] | list[tuple[str, bytes]], compression: int = zipfile.ZIP_DEFLATED
) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items() if isinstance(files, dict) else files:
            archive.writestr(name, content)
    return buffer.getvalue()


def test_the_page_of_this_repository_can_be_published() -> None:
    files = {path.relative_to(WEB).as_posix(): path.read_bytes() for path in WEB.rglob("*") if path.is_file()}
    assert page_files(zipped(files)) == files


def test_folders_are_kept_as_keys() -> None:
    assert set(page_files(zipped({"index.html": b"", "img/": b"", "img/a.png": b"x"}))) == {
        "index.html",
        "img/a.png",
    }


@pytest.mark.parametrize(
    "name",
    [
        "../index.html",
        "a/../../b.js",
        "/etc/a.js",
        "C:/a.js",
        "a\\..\\b.js",
        "./a.js",
        "a//b.js",
        "a\x00.js",
        "a\n.js",
    ],
)
def test_a_name_that_leaves_the_page_is_refused(name: str) -> None:
    # zipfile cleans a name when a member is made; an attacker's archive was not made by zipfile.
    member = zipfile.ZipInfo("a.js")
    member.orig_filename = name
    with pytest.raises(PageError, match="not a plain path"):
        key_of(member)


def test_a_traversing_archive_is_refused_as_a_whole() -> None:
    with pytest.raises(PageError, match="not a plain path"):
        page_files(zipped({"index.html": b"", "../outside.js": b""}))


def test_a_link_is_refused() -> None:
    link = zipfile.ZipInfo("a.js")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(PageError, match="is a link"):
        key_of(link)


def test_an_unknown_kind_of_file_is_refused() -> None:
    with pytest.raises(PageError, match=r"notes\.docx has no known content type"):
        page_files(zipped({"index.html": b"", "notes.docx": b""}))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("twice", ["index.html", "config.json"])
def test_a_file_that_comes_twice_is_refused(twice: str) -> None:
    with pytest.raises(PageError, match="comes twice"):
        page_files(zipped([("index.html", b"1"), (twice, b"2"), (twice, b"3")]))


def test_a_page_without_entry_is_refused() -> None:
    with pytest.raises(PageError, match=r"no index\.html"):
        page_files(zipped({"page/index.html": b""}))


def test_a_file_that_unpacks_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_publish, "MAX_FILE_BYTES", 1000)
    page_files(zipped({"index.html": b"x" * 1000}))
    with pytest.raises(PageError, match="too large"):
        page_files(zipped({"index.html": b"x" * 1001}))


def test_a_page_that_unpacks_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_publish, "MAX_PAGE_BYTES", 1500)
    with pytest.raises(PageError, match=r"b\.js is too large"):
        page_files(zipped({"index.html": b"x" * 1000, "b.js": b"x" * 501}))


def test_too_many_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_publish, "MAX_FILES", 2)
    with pytest.raises(PageError, match="3 files"):
        page_files(zipped({"index.html": b"", "a.js": b"", "b.js": b""}))


def test_damage_is_told_apart_from_emptiness() -> None:
    whole = zipped({"index.html": b"a page " * 200})
    broken = bytearray(whole)
    broken[45] ^= 0xFF
    for archive in (b"", b"not a zip", whole[:-30], bytes(broken)):
        with pytest.raises(PageError, match="not a readable zip"):
            page_files(archive)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "Config: "),
        ("[]", "Config: "),
        ('{"environment": "dev"}', r"Config\.websocket_url: Field required"),
        (
            '{"environment":"dev","websocket_url":"https://x","api_base":"","protocol_version":2}',
            r"Config\.websocket_url: ",
        ),
        (
            '{"environment":"dev","websocket_url":"wss://x","api_base":"","protocol_version":2,"extra":1}',
            r"Config\.extra: ",
        ),
        (
            '{"environment":"dev","websocket_url":"wss://x","api_base":"javascript:1","protocol_version":2}',
            r"Config\.api_base: ",
        ),
    ],
)
def test_a_wrong_setting_is_named(text: str, complaint: str) -> None:
    with pytest.raises(PageError, match=complaint):
        page_config(text)
