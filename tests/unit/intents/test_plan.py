"""Every intent has a plan, and every prepared reply exists in both languages."""

from __future__ import annotations

import json

import pytest

from mangaassist.intents import plan
from mangaassist.intents.intents import Intent
from mangaassist.language import detect_language

WITHOUT_LIVE_SERVICE = (
    Intent.ORDER_STATUS,
    Intent.RETURN_REQUEST,
    Intent.FAQ,
    Intent.ESCALATION,
)


@pytest.mark.req("INT-5")
@pytest.mark.parametrize("intent", Intent)
def test_an_intent_is_answered_by_a_task_or_by_a_reply(intent):
    chosen = plan.plan_for(intent)
    assert (chosen.task is None) != (chosen.reply is None)
    assert chosen.task is not None or not chosen.retrieval


@pytest.mark.req("INT-5")
def test_chitchat_needs_no_model():
    assert plan.plan_for(Intent.CHITCHAT).task is None


@pytest.mark.parametrize("intent", [Intent.RECOMMENDATION, Intent.PRODUCT_QUESTION])
def test_catalogue_questions_are_grounded(intent):
    chosen = plan.plan_for(intent)
    assert chosen.retrieval
    assert chosen.task == "answer_synthesis"


@pytest.mark.parametrize("intent", WITHOUT_LIVE_SERVICE)
def test_what_is_not_there_yet_is_not_pretended(intent):
    reply = plan.plan_for(intent).reply
    assert "can't" in plan.reply_text(reply, "en") or "don't have" in plan.reply_text(reply, "en")
    assert "まだ" in plan.reply_text(reply, "ja")


def test_replies_are_in_the_language_they_claim():
    replies = json.loads((plan._FOLDER / "replies.json").read_text("utf-8"))
    assert {"refused", "more_like_this"} <= set(replies)
    for texts in replies.values():
        assert set(texts) == {"en", "ja"}
        for language, text in texts.items():
            assert detect_language(text) == language


def test_an_unknown_reply_is_an_error():
    with pytest.raises(KeyError):
        plan.reply_text("no-such-reply", "en")
