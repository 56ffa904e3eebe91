"""How titles and names are compared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalogue.names import normalised, romaji, spellings, squeezed, without_volume


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("  ONE  Piece ", "one piece"),
        ("ＵＺＵＭＡＫＩ", "uzumaki"),
        ("ウズマキ", "うずまき"),
        ("ｳｽﾞﾏｷ", "うずまき"),
        ("Shuumatsu no Walküre", "shuumatsu no walkure"),
        ("It's Girls' Fault", "its girls fault"),
        ("Kaguya-sama: Love Is War", "kaguya sama love is war"),
        ("Straße", "strasse"),
        ("伊藤　潤二", "伊藤 潤二"),
        ("か゛", "か"),
        ("が", "が"),
        ("アイシールド21", "あいしーるど21"),
        ("!?", ""),
    ],
)
def test_width_case_accents_and_script_do_not_count(text: str, name: str) -> None:
    assert normalised(text) == name


@pytest.mark.parametrize(
    ("kana", "latin"),
    [
        ("うずまき", "uzumaki"),
        ("しんげきのきょじん", "shingekinokyojin"),
        ("しょうねん", "shounen"),
        ("けっこん", "kekkon"),
        ("まっちゃ", "matcha"),
        ("らーめん", "raamen"),
        ("ふぁいと", "faito"),
        ("ゆうぎ王", "yuugi王"),
        ("っ", ""),
        ("", ""),
    ],
)
def test_kana_in_romaji(kana: str, latin: str) -> None:
    assert romaji(kana) == latin


@pytest.mark.parametrize(
    ("query", "title", "volume"),
    [
        ("Monster vol. 3", "Monster", 3),
        ("Monster, Volume 12", "Monster", 12),
        ("モンスター 第3巻", "モンスター", 3),
        ("モンスター１２巻", "モンスター", 12),
        ("20th Century Boys", "20th Century Boys", None),
        ("Eyeshield 21", "Eyeshield 21", None),
        ("vol. 3", "vol. 3", None),
        ("3巻", "3巻", None),
        (", vol. 3", ", vol. 3", None),
        ("Monster 第 3 巻  ", "Monster", 3),
        # In the time of its length; of its length cubed, this would not end.
        (" " * 20_000 + "x", " " * 20_000 + "x", None),
    ],
)
def test_a_volume_asked_for_at_the_end(query: str, title: str, volume: int | None) -> None:
    assert without_volume(query) == (title, volume)


def test_kana_are_also_looked_up_in_romaji() -> None:
    assert spellings("ウズマキ") == ("うずまき", "uzumaki")
    assert spellings("渦巻き") == ("渦巻き",)
    assert spellings("…") == ()
    # Marks that have no sound of their own have no romaji.
    assert [spellings(mark) for mark in ("ー", "ッ", "っ っ")] == [("ー",), ("っ",), ("っ っ",)]


@given(st.text(max_size=40))
def test_any_text_has_a_stable_name(text: str) -> None:
    name = normalised(text)
    assert normalised(name) == name
    assert " " not in squeezed(name)
    spellings(text)
    without_volume(text)
