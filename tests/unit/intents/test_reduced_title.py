"""Titles in questions about promotions: those that are named, and what only stands in their place."""

from __future__ import annotations

import pytest

from mangaassist.intents.reduced_title import MAXIMUM_CHARACTERS, title_asked_about


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("Is Vinland Saga on sale?", "Vinland Saga"),
        ("is the manga Vinland Saga currently on sale", "Vinland Saga"),
        ("Hi, is One Piece still reduced?", "One Piece"),
        ("are there any discounts on Vinland Saga right now?", "Vinland Saga"),
        ("Do you have a promo code for 20th Century Boys?", "20th Century Boys"),
        ('is "Horror House" on sale', "Horror House"),
        ("any price cuts on Dr. Stone", "Dr. Stone"),
        ("any deals for the whole series of Berserk today", "Berserk"),
        ("「ヴィンランド・サガ」はセール中ですか", "ヴィンランド・サガ"),
        ("ヴィンランド・サガは今セール中ですか？", "ヴィンランド・サガ"),
        ("うずまきの割引はある？", "うずまき"),
        ("進撃の巨人って安くなってる?", "進撃の巨人"),
    ],
)
def test_a_title_is_taken_as_it_is_written(question: str, title: str) -> None:
    assert title_asked_about(question) == title


@pytest.mark.parametrize(
    "question",
    [
        "What's on sale?",
        "Are there any discounts today?",
        "what manga is on sale",
        "is anything on sale",
        "is it on sale?",
        "are there any deals on horror manga?",
        "any offers for students?",
        "do you have a promo code for my first order",
        "When is the next sale?",
        "tell me the offers",
        "セールはありますか",
        "今やっているセールはありますか",
        "今のセールは？",
        "クーポンを使いたい",
        "ホラー漫画のセールは？",
        "何かセールはある？",
        "有什么优惠吗",
        "",
    ],
)
def test_a_question_about_nothing_in_particular_has_no_title(question: str) -> None:
    assert title_asked_about(question) is None


def test_a_long_text_is_not_searched() -> None:
    assert title_asked_about("Is Uzumaki on sale? " + "x" * MAXIMUM_CHARACTERS) is None
