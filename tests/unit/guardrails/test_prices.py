"""No price survives without a pricing service, and nothing but prices goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangaassist.guardrails.prices import PriceAccuracy, price_mentions
from mangaassist.guardrails.stages import JudgementContext

NOTE = {"en": "Check the product page for current pricing.", "ja": "現在の価格は商品ページでご確認ください。"}

ENGLISH = [
    ("$9.99", ""),
    ("Uzumaki is $9.99 today.", "Uzumaki today."),
    ("Uzumaki costs $9.99 and has 3 volumes.", "Uzumaki and has 3 volumes."),
    ("A classic. It is priced at 9.99.", "A classic."),
    ("A classic, priced at 9.99 dollars.", "A classic."),
    ("Get it for 9.99 USD. A classic.", "A classic."),
    ("USD 9.99 per volume. A classic.", "A classic."),
    ("US$9.99 buys a classic", "buys a classic"),
    ("Volume 1 ($9.99) and volume 2 ($10.99) are great.", "Volume 1 and volume 2 are great."),
    ("Volume 1 (list price $12.99, now $9.99) is great.", "Volume 1 is great."),
    ("Spirals! Prices range from $5 to $12.", "Spirals!"),
    ("The box set goes for $1,299.00.", "The box set goes."),
    ("€9.99 or £8. A classic.", "A classic."),
    ("Only 12 dollars each, a steal. A classic.", "A classic."),
    ("A bargain at 9 bucks", "A bargain"),
    ("Save 20% off today! A classic.", "A classic."),
    ("Now 50% off the list price. A classic.", "A classic."),
    ("Available at half price. A classic.", "A classic."),
    ("A classic for 4.99 each", "A classic"),
    ("A classic. It sells for about 15.", "A classic."),
    ("A classic. It costs 12.", "A classic."),
    ("A classic for about 1,200 yen.", "A classic."),
    ("A classic for ¥1,200.", "A classic."),
    ("A classic for JPY 1200.", "A classic."),
    ("A classic ＄９．９９ ok", "A classic ok"),
    ("Uzumaki, $9.99, is great.", "Uzumaki, is great."),
    ("$9.99-$12.99 for spirals", "for spirals"),
    ("A classic at $0.99/volume", "A classic"),
]

JAPANESE = [
    ("うずまきは1,200円です。", "うずまき。"),
    ("価格は1,200円です。全3巻。", "全3巻。"),
    ("¥500で買えます。", "で買えます。"),
    ("￥５００です。名作です。", "名作です。"),
    ("１，２００円（税込）です。名作です。", "名作です。"),
    ("約千円です。名作です。", "名作です。"),
    ("20%オフです。名作です。", "名作です。"),
    ("3割引で販売中。名作です。", "名作です。"),
    ("半額！名作です。", "名作です。"),
    ("うずまき（¥1,200）は名作です。", "うずまきは名作です。"),
    ("500円〜800円。名作です。", "名作です。"),
    ("参考価格は1200円前後です。名作です。", "名作です。"),
    ("15ドルです。名作です。", "名作です。"),
    ("名作で、税込み1,320円です。", "名作で。"),
]

UNTOUCHED = [
    "Rated 4.50 by 120 readers, 3 volumes, 1998.",
    "It costs 3 lives to save him.",
    "The price of freedom is high.",
    "Volume 12 of 25 is out.",
    "It is 4.5/5, at 4.50 stars.",
    "Chapter 9.99?",
    "Million Yen Women has 4 volumes.",
    "100% recommended, 20th Century Boys.",
    "for 3 volumes at 10 o'clock",
    "『100万円の女たち』がおすすめです。",
    "全3巻、1998年。評価は4.5です。",
    "半分まで読んだ。円満な結末。",
    "三人の主人公が円になって踊る。",
    "Half the story is about prices.",
]


def judged(text, language="en"):
    return PriceAccuracy().apply(text, JudgementContext(language, frozenset(), None))


@pytest.mark.req("GRD-6")
@pytest.mark.parametrize(("text", "rest"), ENGLISH)
def test_english_prices_go_and_the_note_comes(text, rest):
    result = judged(text)
    gap = "" if not rest else " " if rest[-1] in ".!" else "\n"
    assert result.text == f"{rest}{gap}{NOTE['en']}"
    assert result.outcome == "removed"
    assert [each.action for each in result.interventions] == ["removed"]


@pytest.mark.req("GRD-6")
@pytest.mark.parametrize(("text", "rest"), JAPANESE)
def test_japanese_prices_go_and_the_note_comes(text, rest):
    assert judged(text, "ja").text == f"{rest}{NOTE['ja']}"


@pytest.mark.req("GRD-6")
@pytest.mark.parametrize("text", UNTOUCHED)
@pytest.mark.parametrize("language", ["en", "ja"])
def test_what_is_no_price_stays(text, language):
    result = judged(text, language)
    assert result.text == text
    assert result.outcome == "passed"
    assert result.interventions == ()


def test_the_note_is_not_repeated():
    once = judged("A classic for $9.99.").text
    assert judged(f"{once} Only $5.").text == once


@pytest.mark.req("GRD-6")
@given(
    st.text("abc 漫画。. ,", max_size=20),
    st.sampled_from(["${0}", "{0} USD", "priced at {0}", "{0}円", "¥{0}", "${0} off", "£{0}", "{0} dollars"]),
    st.decimals("0.01", "9999.99", places=2),
    st.text(" 漫画。.,", max_size=20),
)
def test_no_amount_of_money_is_left(before, form, amount, after):
    text = f"{before} {form.format(amount)} {after}"
    assert price_mentions(text)
    left = judged(text).text
    assert str(amount) not in left
    assert not price_mentions(left)
