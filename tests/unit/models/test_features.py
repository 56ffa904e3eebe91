"""Lexical features: what reads alike shares them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.models.small.features import features, names, normalize


def likeness(one: str, other: str) -> float:
    a, b = features(one), features(other)
    return sum(min(a[key], b[key]) for key in a.keys() & b.keys()) / max(sum(a.values()), sum(b.values()))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Junji Itou", "junji ito"),
        ("Shuuzou Oshimi", "Shuzo Oshimi"),
        ("Pokémon", "POKEMON"),
        ("ＡＢＣ", "abc"),
        ("ﾎﾗｰ", "ホラー"),
    ],
)
def test_spellings_of_one_name_are_one(one: str, other: str) -> None:
    assert features(one) == features(other)


def test_kana_keep_their_marks() -> None:
    assert normalize("がぎぱ") == "がぎぱ"
    assert features("がく") != features("かく")


def test_a_misspelling_is_nearer_than_another_word() -> None:
    assert likeness("Uzumaki", "Uzumki") > 3 * likeness("Uzumaki", "Mushishi")


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("How many volumes does Slam Dunk have?", "Slam Dunk"),
        ("20世紀少年は完結していますか", "20世紀少年"),
        ("who wrote 「うずまき」?", "うずまき"),
    ],
)
def test_a_question_may_name_what_a_document_is_called(question: str, title: str) -> None:
    document = f"{title} / Another Title\nSome Creator / 誰か\nHorror ホラー"
    assert len(names(document)) == 4
    assert names(question) & names(document)


@given(st.text())
def test_every_text_has_features(text: str) -> None:
    assert features(text)
    assert all(weight > 0 for weight in features(text).values())
