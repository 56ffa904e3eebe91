from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangaassist.catalogue.records import MAXIMUM_LINE_BYTES, RejectedLine, SeriesRecord, read_line
from tests.unit.catalogue.fakes import line, record

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def reason(content: bytes) -> str:
    with pytest.raises(RejectedLine) as caught:
        read_line(content)
    return caught.value.reason


def with_volume(**changes: Any) -> bytes:
    volumes = record()["volumes"]
    return line(volumes=[{**volumes[0], **changes}, volumes[1]])


def test_a_good_line_is_the_record_it_says() -> None:
    assert read_line(line()).model_dump(mode="json", exclude_none=True) == record()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not one JSON object"),
        (b"{", "not one JSON object"),
        (b'{"a":1} {"b":2}', "not one JSON object"),
        (b"[1]", "record: Input should be an object"),
        (b"\x00\xff\xfe", "not UTF-8 (byte 1)"),
        (b" " * (MAXIMUM_LINE_BYTES + 1), "more than"),
        (line(year="1998"), "year: Input should be a valid integer"),
        (line(genres=[]), "genres_source must be none exactly when there are no genres"),
        (line(genres=["Horror\n"]), "genres.0: must be one line of printable text"),
        (line(creators=[]), "creators: List should have at least 1 item"),
        (line(surprise=1), "record has a field the feed does not know"),
        (with_volume(asin="B0"), "volumes.0.asin: String should match"),
        (with_volume(price=9.99), "volumes.0.price: Input should be a valid string"),
        (with_volume(price="9.9"), "volumes.0.price: String should match"),
        (with_volume(price="-9.99"), "volumes.0.price: String should match"),
        (with_volume(list_price="9.98"), "volumes.0: list_price is below price"),
        (with_volume(asin=record()["volumes"][1]["asin"]), "two volumes share an ASIN"),
        (with_volume(volume=2), "two volumes share a number"),
    ],
)
def test_a_bad_line_is_rejected_with_what_to_mend(content: bytes, told: str) -> None:
    assert told in reason(content)


def test_a_reason_repeats_nothing_of_the_line() -> None:
    assert "secret" not in reason(line(secret_note="x", year="a secret", titles={"en": "secret"}))


@given(st.binary(max_size=200))
def test_bytes_are_read_or_rejected_never_anything_else(content: bytes) -> None:
    reason(content)


@given(field=st.sampled_from(sorted(record())), value=json_values)
def test_a_field_of_any_value_is_read_or_rejected(field: str, value: Any) -> None:
    content = json.dumps({**record(), field: value}).encode()
    with suppress(RejectedLine):
        read = read_line(content)
        # Whatever is accepted survives the way out and in again.
        assert SeriesRecord.model_validate_json(read.model_dump_json()) == read


@given(st.text(min_size=1))
def test_a_title_of_any_text_is_kept_as_it_is_or_rejected(title: str) -> None:
    content = json.dumps({**record(), "titles": {"en": title, "romaji": "x"}}).encode()
    with suppress(RejectedLine):
        assert read_line(content).titles.en == title


@pytest.mark.parametrize("title", ["a\nb", "a\x00", " a", "a\u2028b", "\ue000", "x" * 301])
def test_a_title_that_is_no_line_of_text_is_rejected(title: str) -> None:
    assert reason(line(titles={"en": title, "romaji": "x"})).startswith("titles.en: ")


def test_japanese_full_width_spaces_are_text() -> None:
    assert (
        read_line(line(titles={"en": "x", "romaji": "x", "ja": "進撃の　巨人"})).titles.ja == "進撃の　巨人"
    )
