"""The guard in the stream: no half of anything, and no waiting without a reason."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mangaassist import guardrails
from mangaassist.guardrails.competitors import competitor_detectors
from mangaassist.guardrails.inline import InlineGuard, scrub
from mangaassist.guardrails.pii import pii_detectors
from tests.unit.guardrails.pieces import PII_PIECES, pii_like_text

_DATA = Path(guardrails.__path__[0]) / "data"
EXAMPLES = {
    "competitor_en": ["Barnes & Noble", "Books-A-Million"],
    "competitor_ja": ["楽天ブックス", "DMMブックス"],
    **{
        row["id"]: row["examples"] for row in json.loads((_DATA / "pii.json").read_text("utf-8"))["detectors"]
    },
}


def stream(chunks: list[str]) -> tuple[list[str], InlineGuard]:
    guard = InlineGuard()
    return [*(guard.feed(chunk) for chunk in chunks), guard.flush()], guard


def cut(text: str, borders: list[int]) -> list[str]:
    places = sorted({0, len(text), *(border % (len(text) + 1) for border in borders)})
    return [text[start:end] for start, end in pairwise(places)]


@pytest.mark.req("GRD-3")
@settings(max_examples=400, deadline=None)
@given(pii_like_text(), st.lists(st.integers(0, 400), max_size=12))
@example("mail taro@example.jp now", [5, 9, 13])
@example("東京都渋谷区神南1-2-3 へ", [1, 3, 9, 10])
def test_any_chunking_gives_what_the_whole_text_gives(text, borders):
    out, _ = stream(cut(text, borders))
    assert "".join(out) == scrub(text)


@pytest.mark.req("GRD-3")
@settings(max_examples=150, deadline=None)
@given(pii_like_text())
def test_character_by_character_gives_what_the_whole_text_gives(text):
    out, _ = stream(list(text))
    assert "".join(out) == scrub(text)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_arbitrary_text_too(text, borders):
    out, _ = stream(cut(text, borders))
    assert "".join(out) == scrub(text)


@pytest.mark.req("GRD-3")
@pytest.mark.parametrize("piece", PII_PIECES)
def test_nothing_of_a_match_leaves_before_it_is_decided(piece):
    guard = InlineGuard()
    assert guard.feed("見て: ") == "見て: "
    assert "".join(guard.feed(character) for character in piece) == ""
    assert guard.feed("。\n") + guard.flush() == scrub(piece) + "。\n"
    assert guard.intervened


@pytest.mark.req("GRD-3")
@pytest.mark.parametrize("detector", [*pii_detectors(), *competitor_detectors()], ids=lambda each: each.id)
def test_every_beginning_of_an_example_waits(detector):
    """The data's own promise: ``unfinished`` covers every prefix of a match."""
    for text in EXAMPLES[detector.id]:
        whole = next(match for match, sound in detector.candidates(text) if sound)
        for end in range(whole.start() + 1, whole.end() + 1):
            guard = InlineGuard()
            assert len(guard.feed(text[:end])) <= whole.start()


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        (["漫画を", "三つ", "紹介します。"], ["漫画を", "三つ", "紹介します。", ""]),
        (["Uzumaki ", "is great. "], ["Uzumaki ", "is great. ", ""]),
        (["Uzum", "aki", " is"], ["", "", "Uzumaki ", "is"]),
        (["全20巻です。"], ["全20巻です。", ""]),
        (["It has 3 ", "volumes, "], ["It has ", "3 volumes, ", ""]),
    ],
)
def test_text_waits_only_for_what_it_could_become(chunks, expected):
    out, guard = stream(chunks)
    assert out == expected
    assert not guard.intervened


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("You can get it at Barnes & Noble.", "You can get it at another store."),
        ("BOOKWALKERで買えます", "another storeで買えます"),
        ("紀伊國屋書店か楽天ＫＯＢＯで", "他のストアか他のストアで"),
        ("Right Stuf Anime has it", "another store has it"),
        ("eBays and Crunchyrolls", "eBays and Crunchyrolls"),
        ("Call me at 202-555-0123!", "Call me at [PHONE]!"),
    ],
)
def test_replacements(text, expected):
    out, guard = stream(list(text))
    assert "".join(out) == expected
    assert guard.intervened == (text != expected)


def test_an_endless_run_is_not_held_back_for_ever():
    guard = InlineGuard()
    sent = sum(len(guard.feed("1" * 50)) for _ in range(40))
    assert sent > 1_500
