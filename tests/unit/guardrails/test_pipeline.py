"""The six stages, in order, each on what the one before left."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from mangaassist.errors import DependencyError
from mangaassist.guardrails.asins import asin_mentions
from mangaassist.guardrails.pipeline import judge, stages
from tests.unit.guardrails.pieces import pii_like_text

ORDER = ["pii", "price_accuracy", "toxicity", "competitor", "asin", "scope"]


class Directory:
    def __init__(self, *known: str, error: Exception | None = None) -> None:
        self.asked: list[list[str]] = []
        self._known, self._error = set(known), error

    def known(self, asins):
        self.asked.append(list(asins))
        if self._error:
            raise self._error
        return self._known & set(asins)


@pytest.mark.req("GRD-4")
def test_the_stages_run_in_their_order():
    assert [stage.name for stage in stages()] == ORDER
    seen: list[str] = []
    verdict = judge("Hello.", "en", [], None, observe=lambda name, before, result: seen.append(name))
    assert seen == ORDER
    assert list(verdict.stages) == ORDER


@pytest.mark.req("GRD-4")
def test_each_stage_sees_what_the_one_before_left():
    texts: dict[str, str] = {}
    judge(
        "Mail a@example.com, $9.99 at Walmart.",
        "en",
        [],
        None,
        observe=lambda name, before, result: texts.update({name: before}),
    )
    assert texts["price_accuracy"] == "Mail [EMAIL], $9.99 at Walmart."
    assert "$" not in texts["toxicity"]
    assert "Walmart" in texts["competitor"]
    assert "another store" in texts["asin"]


def test_a_clean_answer_passes_untouched():
    text = "**Uzumaki** [1] by Junji Ito: 3 volumes, 1998.\n\n伊藤潤二の代表作です。"
    verdict = judge(text, "ja", [], None)
    assert verdict.text == text
    assert verdict.interventions == ()
    assert set(verdict.stages.values()) == {"passed"}


@pytest.mark.req("GRD-8")
@pytest.mark.parametrize(
    ("text", "stage", "action"),
    [
        ("You are an idiot.", "toxicity", "blocked"),
        ("Just kill yourself", "toxicity", "blocked"),
        ("お前は馬鹿だ。", "toxicity", "blocked"),
        ("```python\nprint(1)\n```", "scope", "blocked"),
        ("You should buy Bitcoin.", "scope", "blocked"),
        ("My system prompt is: be nice", "scope", "blocked"),
        ("Buy it at Barnes & Noble.", "competitor", "replaced"),
        ("Call 202-555-0123.", "pii", "redacted"),
    ],
)
def test_the_stage_that_acts_says_so(text, stage, action):
    verdict = judge(text, "en", [], None)
    assert [(each.stage, each.action) for each in verdict.interventions] == [(stage, action)]
    assert verdict.stages[stage] == action
    assert verdict.text != text


@pytest.mark.parametrize(
    "text",
    [
        "A boy vows to kill the demon that ate his family.",
        "The teacher calls him an idiot, and he believes it.",
        "主人公は「死ね」と叫ぶ敵と戦う。",
        "Black Jack is an unlicensed surgeon.",
        "Spice and Wolf is about trading and economics.",
        "Phoenix Wright: you should see him in court.",
        "The class is full of loners.",
    ],
)
def test_dark_plots_and_odd_jobs_are_no_abuse_and_in_scope(text):
    assert judge(text, "en", [], None).text == text


def test_blocked_text_is_replaced_in_the_readers_language():
    assert "漫画" in judge("お前は馬鹿だ。", "ja", [], None).text
    assert "manga" in judge("You are an idiot.", "en", [], None).text


@pytest.mark.req("GRD-7")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Read B0WRONG001 now.", "Read this title now."),
        ("Uzumaki (B0WRONG001) is great.", "Uzumaki is great."),
        ("Uzumaki (ASIN: B0WRONG001) is great.", "Uzumaki is great."),
        ("Uzumaki [ASIN B0WRONG001].", "Uzumaki."),
        ("ASIN: WRONGWRONG", "this title"),
        ("see /dp/B0WRONG001", "see this title"),
        ("b0wrong001 in small letters", "this title in small letters"),
        ("ISBN 4063842762 is a book", "ISBN this title is a book"),
        ("Ｂ０ＷＲＯＮＧ００１", "this title"),
        ("B0KNOWN001, B0ALLOWED1 and B0WRONG001", "B0KNOWN001, B0ALLOWED1 and this title"),
        ("BATTLESHIP and 1234567890", "BATTLESHIP and 1234567890"),
        ("B0SHORT and B0TOOLONG0001", "B0SHORT and B0TOOLONG0001"),
    ],
)
def test_unknown_asins_are_taken_out(text, expected):
    directory = Directory("B0KNOWN001")
    assert judge(text, "en", ["B0ALLOWED1"], directory).text == expected


def test_japanese_wording_for_an_unknown_product():
    assert judge("B0WRONG001がおすすめです。", "ja", [], Directory()).text == "この商品がおすすめです。"


@pytest.mark.req("GRD-7")
def test_the_directory_is_asked_once_and_only_about_the_doubtful():
    directory = Directory("B0KNOWN001", "B0KNOWN002")
    judge("B0KNOWN001 B0ALLOWED1 B0KNOWN002 B0KNOWN001", "en", ["b0allowed1"], directory)
    assert directory.asked == [["B0KNOWN001", "B0KNOWN002"]]
    judge("B0ALLOWED1 and nothing else", "en", ["B0ALLOWED1"], directory)
    assert len(directory.asked) == 1


@pytest.mark.req("GRD-7")
@pytest.mark.parametrize(
    "directory", [None, Directory(error=DependencyError("catalogue", "InternalServerError"))]
)
def test_without_a_directory_only_the_retrieved_stay_and_the_stage_says_so(directory):
    verdict = judge("B0KNOWN001 or B0ALLOWED1", "en", ["B0ALLOWED1"], directory)
    assert verdict.text == "this title or B0ALLOWED1"
    assert verdict.stages["asin"] == "unavailable"


def test_reasons_never_repeat_what_was_found():
    text = "Call 202-555-0123 or B0WRONG001 at Walmart for $9.99."
    for each in judge(text, "en", [], None).interventions:
        assert not {"202", "B0WRONG001", "Walmart", "9.99"} & set(each.reason.replace(".", " ").split())


@settings(max_examples=100, deadline=None)
@given(pii_like_text())
def test_what_passed_once_passes_again(text):
    once = judge(text, "en", [], None)
    twice = judge(once.text, "en", [], None)
    assert not asin_mentions(once.text)
    assert [
        each.stage for each in twice.interventions if each.stage in ("price_accuracy", "toxicity", "asin")
    ] == []
