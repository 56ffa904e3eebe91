"""Stage 1: sure where it answers, silent where it is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangaassist.intents import rules
from mangaassist.intents.intents import Intent
from mangaassist.phrases import compiled

SURE = {
    Intent.RECOMMENDATION: [
        "Recommend horror manga like Junji Ito",
        "伊藤潤二みたいなホラー漫画のおすすめは？",
        "Can you suggest a cozy slice-of-life manga for rainy days?",
        "I'm looking for a dark fantasy series with a female lead",
        "Any good manga about cooking?",
        "what should I read after Vinland Saga",
        "I need something like Berserk but shorter",
        "Ｒｅｃｏｍｍｅｎｄ me something scary",
        "If I loved Monster, what else would I enjoy?",
        "Which romance manga would you recommend to a beginner?",
        "泣ける漫画を教えて",
        "鬼滅の刃のような作品を探しています",
        "完結済みでおすすめのマンガある？",
        "次に何を読めばいい？",
        "推荐一些像伊藤润二的恐怖漫画",
        "有沒有推薦的愛情漫畫",
        "有没有好看的热血漫画",
        "이토 준지 같은 공포 만화 추천해 줘",
        "재미있는 만화 있어요?",
    ],
    Intent.PRODUCT_QUESTION: [
        "How many volumes does Uzumaki have?",
        "who wrote Monster?",
        "Is Vagabond still on hiatus?",
        "Do you sell Yotsuba in hardcover?",
        "is volume 3 of Dorohedoro in stock",
        "うずまきは全何巻ですか",
        "この漫画の作者は誰ですか？",
        "ベルセルクはまだ連載していますか",
        "呪術廻戦の在庫はありますか",
        "进击的巨人一共有多少卷？",
        "这本书是谁画的",
        "원피스는 몇 권까지 나왔나요?",
    ],
    Intent.ORDER_STATUS: [
        "Where is my order?",
        "track my package",
        "When will my order arrive?",
        "has my parcel shipped yet",
        "what's the status of order 00012345",
        "注文した商品はいつ届きますか",
        "荷物の追跡をしたい",
        "我的订单到哪了",
        "查询快递",
        "제 주문 언제 도착하나요",
        "택배 조회",
    ],
    Intent.RETURN_REQUEST: [
        "I want to return this manga",
        "How do I request a refund?",
        "My copy arrived damaged.",
        "返品したいです",
        "届いた本が破れていました",
        "我想退货",
        "환불하고 싶어요",
    ],
    Intent.PROMOTION: [
        "Are there any discounts today?",
        "do you have a promo code",
        "What's on sale?",
        "Is Vinland Saga on sale?",
        "今やっているセールはありますか",
        "クーポンを使いたい",
        "有什么优惠吗",
        "할인 쿠폰 있나요",
    ],
    Intent.FAQ: [
        "Which payment methods do you accept?",
        "do you ship to Germany",
        "What is your return policy?",
        "how do I reset my password",
        "支払い方法を教えてください",
        "送料はいくらですか",
        "支持哪些付款方式",
        "배송비가 얼마예요",
    ],
    Intent.CHITCHAT: [
        "hi",
        "Hello there!",
        "thanks a lot!",
        "how are you?",
        "are you a robot?",
        "tell me a joke",
        "こんにちは！",
        "ありがとうございます",
        "あなたは誰ですか？",
        "你好！",
        "谢谢",
        "안녕하세요",
        "감사합니다",
    ],
    Intent.ESCALATION: [
        "let me talk to a human",
        "I want to speak with a manager",
        "real person please",
        "オペレーターにつないでください",
        "担当者と話したい",
        "转人工客服",
        "상담원 연결해 주세요",
    ],
    Intent.OUT_OF_SCOPE: [
        "what's the weather like in Osaka today",
        "set an alarm for 7",
        "book me a flight to Tokyo",
        "Recommend a good restaurant in Kyoto",
        "明日の天気は？",
        "アラームをセットして",
        "今天天气怎么样",
        "내일 날씨 어때",
    ],
}

UNSURE = [
    "",
    "   ",
    "Uzumaki",
    "うずまき",
    "hmm",
    "the second one",
    # Two intents at once.
    "Recommend me a manga and tell me where my order is",
    "I want a refund, let me talk to a human",
    "おすすめの漫画と、注文がいつ届くかを教えて",
    # A word of one intent inside the world of another.
    "Is there a manga about the weather in Tokyo?",
    "What is the reading order of my series?",
    "a manga where the hero deals with a refund clerk",
    # "On sale" as in "out".
    "When is volume 5 on sale?",
    "Is volume 5 on sale yet?",
    "cancel my order",
    "注文をキャンセルしたい",
    "推荐一家餐厅",
    "맛집 추천해 줘",
]


@pytest.mark.req("INT-1", "INT-2")
@pytest.mark.parametrize(
    ("intent", "text"), [(intent, text) for intent, texts in SURE.items() for text in texts]
)
def test_sure_utterances(intent, text):
    found = rules.match(text)
    assert found is not None
    assert found.intent is intent


@pytest.mark.req("INT-2")
@pytest.mark.parametrize("text", UNSURE)
def test_silent_when_not_sure(text):
    assert rules.match(text) is None


def test_a_long_text_is_never_decided():
    question = "Recommend horror manga like Junji Ito. "
    assert rules.match(question) is not None
    assert rules.match(question * 10) is None


def test_every_rule_is_well_formed_and_has_its_own_id():
    seen = set()
    for language in rules.LANGUAGES:
        rule_set = rules.rule_set((language,))
        assert rule_set.sure
        for phrase in (*rule_set.sure, *rule_set.against):
            assert phrase.id.startswith(f"{language}.")
            assert phrase.id not in seen
            assert {Intent(kind) for kind in phrase.kind.split()}
            assert not compiled(phrase.pattern).search(""), f"{phrase.id} matches nothing at all"
            seen.add(phrase.id)


@pytest.mark.parametrize("language", rules.LANGUAGES)
def test_every_language_can_decide_every_intent(language):
    assert {Intent(phrase.kind) for phrase in rules.rule_set((language,)).sure} == set(Intent)


@pytest.mark.parametrize(
    "text",
    [
        "looking for " + "a-" * 140,
        "hi " * 99,
        "any " * 75,
        "my " * 100,
        "おすすめ" * 70,
        "漫画を" * 99,
        "推荐" * 140,
    ],
)
def test_repetitive_texts_are_answered_at_all(text):
    """These took seconds with a careless pattern; the suite's own time-out would tell."""
    rules.match(text[: rules.MAXIMUM_CHARACTERS])


@given(st.text(max_size=400))
def test_any_text_is_survived(text):
    found = rules.match(text)
    assert found is None or found.intent in Intent
