"""Answer language and normal forms."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangaassist.language import detect_language, fold_width, normalized, strip_invisible


@pytest.mark.parametrize(
    ("text", "hint", "language"),
    [
        ("Recommend horror manga like Junji Ito", None, "en"),
        ("Recommend horror manga like Junji Ito", "ja", "ja"),
        ("伊藤潤二みたいなホラー漫画のおすすめは？", None, "ja"),
        ("伊藤潤二みたいなホラー漫画のおすすめは？", "en", "ja"),
        ("ﾎﾗｰ漫画", None, "ja"),
        ("漫画一覧", "en", "ja"),
        ("紀伊國屋", None, "ja"),
        ("進撃の巨人", None, "ja"),
        ("ONE PIECEの最新刊はある？", "en", "ja"),
        ("What does 進撃の巨人 mean in English?", None, "en"),
        ("Do you have 呪術廻戦 in stock?", None, "en"),
        ("Do you have 呪術廻戦 in stock?", "ja", "ja"),
        ("请推荐恐怖漫画", "ja", "en"),
        ("有沒有類似的漫畫嗎", None, "en"),
        ("공포 만화 추천해 줘", "ja", "en"),
        ("NARUTO", None, "en"),
        ("NARUTO", "ja", "ja"),
        ("12345", "ja", "ja"),
        ("", None, "en"),
    ],
)
def test_answer_language(text, hint, language):
    assert detect_language(text, hint) == language


def test_normal_form_irons_out_width_case_space_and_the_invisible():
    assert normalized("  Ｒecom\u200bmend\u00a0ﾎﾗｰ\r\nMANGA ") == "recommend ホラー manga"
    assert normalized("what’s — new") == "what's - new"


def test_invisible_characters_go_and_line_breaks_stay():
    assert strip_invisible("a\u202eb\x00c\U000e0041\r\nd\te") == "abc\nd\te"


@given(st.text())
def test_folding_width_keeps_every_position(text):
    folded = fold_width(text)
    assert len(folded) == len(text)
    for before, after in zip(text, folded, strict=True):
        assert before == after or after in "-' " or unicodedata.normalize("NFKC", before) == after


@given(st.text(), st.sampled_from([None, "en", "ja"]))
def test_every_text_has_a_language(text, hint):
    assert detect_language(text, hint) in ("en", "ja")
