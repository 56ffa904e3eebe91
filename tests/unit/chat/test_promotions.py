"""What is reduced: told from the services' facts in the shopper's language, and honest where they are silent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mangaassist.chat.promotions import MOST_TOLD
from mangaassist.errors import DependencyError, DependencyTimeout
from mangaassist.intents.plan import reply_text
from mangaassist.ports import IntentScore
from mangaassist.recommendations.popularity import PopularTitle
from mangaassist.store.facts import Promotion
from tests.fakes.store import offer, product, promotion, trusted
from tests.fakes.turn import FakeClassifier
from tests.unit.chat.test_service import World

ENGLISH = "What's on sale?"
JAPANESE = "セールはありますか"
DOWN = DependencyError("promotions", "503")


@pytest.fixture
def world() -> World:
    """Nothing but what each test lays out; questions that no rule is sure of are about promotions."""
    world = World(classifier=FakeClassifier(IntentScore("promotion", 0.99)))
    world.model.scripts.clear()
    return world


def text(world: World) -> str:
    assert world.types == ["start", "delta", "final"]
    return world.channel.frames[1]["text"]


def titles(world: World) -> list[str]:
    return [card["title"] for card in world.final["cards"]]


@pytest.mark.req("INT-5", "STR-3")
async def test_what_runs_is_told_without_a_model_and_shown_with_its_price(world: World) -> None:
    world.store.running_ = [
        promotion(1, 20, 1, 2, 3, 4, 99, title=("Ghost night", "怪談の夜"), code="BOO20"),
        promotion(2, 5, title=("Newcomers' week", "デビュー応援"), ends_at="2026-11-22T18:30:00Z"),
    ]
    await world.say(ENGLISH)
    assert text(world).splitlines() == [
        "These promotions are running right now:",
        "- Ghost night (20% off; through 30 November 2026 UTC; on Uzumaki, Tomie, Gyo and 2 more series; "
        "code BOO20)",
        "- Newcomers' week (5% off; until 22 November 2026, 18:30 UTC; every series)",
    ]
    assert titles(world) == ["Uzumaki, Vol. 1", "Tomie, Vol. 1", "Gyo, Vol. 1"]
    card = world.final["cards"][0]
    assert (card["price"]["amount"], card["list_price"]["amount"]) == ("7.49", "12.99")
    assert card["url"] == "https://store.example/manga/MG00001"
    metadata = world.final["metadata"]
    assert (metadata["intent"], metadata["intent_source"]) == ("promotion", "rules")
    assert metadata["retrieval_mode"] == "none"
    assert metadata["guardrail_action"] == "none"
    assert metadata["degraded"] == []
    assert not {"model_tier", "model_id", "answered_by", "prompt_template"} & set(metadata)
    assert world.model.requests == []
    assert world.judge.texts == []
    assert world.sessions.turns[0].answer == text(world)


async def test_a_japanese_question_is_answered_in_japanese(world: World) -> None:
    world.store.products["B0TEST0001"] = replace(product(1), title_ja="うずまき")
    world.store.running_ = [
        promotion(1, 20, 1, 2, 9, title=("Ghost night", "怪談の夜：２０％オフ"), code="BOO20"),
        promotion(2, 5, title=("Newcomers' week", ""), ends_at="2026-11-22T18:30:00Z"),
    ]
    await world.say(JAPANESE)
    assert text(world).splitlines() == [
        "現在開催中のセールはこちらです。",
        "・怪談の夜：２０％オフ（UTC 2026年11月30日まで、対象は『うずまき』『Tomie』ほか1作品、コードはBOO20）",
        "・Newcomers' week（5%オフ、UTC 2026年11月22日 18:30まで、全作品対象）",
    ]
    assert world.final["metadata"]["language"] == "ja"


@pytest.mark.parametrize(
    ("title", "percent", "is_said"),
    [("Ghosts: 20% off", 20, False), ("Ghosts: 20 % off", 20, False), ("Ghosts: 120% fun", 20, True)],
)
async def test_the_reduction_is_said_once(world: World, title: str, percent: int, is_said: bool) -> None:
    world.store.running_ = [promotion(1, percent, title=(title, "怪談"))]
    await world.say(ENGLISH)
    assert (f"({percent}% off; " in text(world)) == is_said


async def test_a_promotion_without_an_end_in_sight_states_none(world: World) -> None:
    world.store.running_ = [promotion(1, ends_at="2100-01-01T00:00:00Z")]
    await world.say(ENGLISH)
    assert text(world).splitlines()[1:] == ["- Ghost night (20% off; every series)"]


async def test_a_title_of_another_team_stays_one_short_line(world: World) -> None:
    world.store.running_ = [promotion(1, title=("Ghost\nnight \u202e{title} " + "x" * 300, "怪談"))]
    await world.say(ENGLISH)
    assert text(world).splitlines()[1].startswith("- Ghost night {title} xxx")
    assert len(text(world).splitlines()) == 2
    assert len(text(world).splitlines()[1]) < 200


@pytest.mark.parametrize(
    ("question", "words"), [(ENGLISH, "taken off at the checkout"), (JAPANESE, "お会計時")]
)
@pytest.mark.parametrize("at_checkout", [True, False])
async def test_what_the_checkout_takes_off_is_not_in_the_prices_shown(
    world: World, question: str, words: str, at_checkout: bool
) -> None:
    world.store.running_ = [replace(promotion(1, 20, 2), at_checkout=at_checkout)]
    await world.say(question)
    assert (words in text(world)) == at_checkout


async def test_the_largest_reductions_are_told_and_the_others_counted(world: World) -> None:
    world.store.running_ = [
        promotion(number, number, title=(f"Night {number}", "夜")) for number in range(1, 9)
    ]
    await world.say(ENGLISH)
    lines = text(world).splitlines()
    assert [line.split(" (")[0] for line in lines[1 : 1 + MOST_TOLD]] == [
        f"- Night {number}" for number in (8, 7, 6, 5, 4)
    ]
    assert lines[1 + MOST_TOLD :] == ["The store's front page lists 3 more."]


@pytest.mark.parametrize(
    "running",
    [
        [],
        [promotion(1, ends_at="2026-11-20T12:00:00Z")],
        [promotion(1, starts_at="2026-11-20T12:00:01Z")],
        [promotion(1, 0)],
    ],
    ids=["none", "expired", "not-yet", "nothing-off"],
)
@pytest.mark.parametrize(("question", "language"), [(ENGLISH, "en"), (JAPANESE, "ja")])
async def test_when_nothing_runs_that_is_said(
    world: World, running: list[Promotion], question: str, language: str
) -> None:
    world.store.running_ = running
    await world.say(question)
    assert text(world) == reply_text("promotions_none", "ja" if language == "ja" else "en")
    assert world.final["cards"] == []
    assert world.final["metadata"]["degraded"] == []


@pytest.mark.req("RES-4", "RES-5")
@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (DOWN, "503"),
        (DependencyError("promotions", "promotions.0.title: missing"), "promotions.0.title: missing"),
        (DependencyTimeout("promotions", "deadline"), "deadline"),
        (None, "budget"),
    ],
    ids=["down", "garbage", "late", "silent"],
)
@pytest.mark.parametrize(("question", "language"), [(ENGLISH, "en"), (JAPANESE, "ja")])
async def test_without_the_service_the_answer_says_so(
    world: World, failure: DependencyError | None, reason: str, question: str, language: str
) -> None:
    world.store.running_ = [promotion(1, 20, 1)]
    world.store.broken["promotions"] = failure
    world.enrichment_ms = 20
    await world.say(question)
    assert text(world) == reply_text("promotion", "ja" if language == "ja" else "en")
    assert world.final["cards"] == []
    assert world.final["metadata"]["degraded"] == ["promotions"]
    assert world.unshelved == [("promotions", reason)]


@pytest.mark.req("RES-4")
@pytest.mark.parametrize("failure", [DependencyError("x", "503"), None], ids=["down", "silent"])
async def test_without_the_catalogue_series_are_counted(
    world: World, failure: DependencyError | None
) -> None:
    world.store.running_ = [promotion(1, 20, 1, 2)]
    world.store.broken["catalogue"] = failure
    world.enrichment_ms = 20
    await world.say("Is Uzumaki on sale?")
    assert text(world).splitlines()[1] == "- Ghost night (20% off; through 30 November 2026 UTC; on 2 series)"
    assert world.final["cards"] == []
    assert world.final["metadata"]["degraded"] == ["catalogue"]
    assert [service for service, _ in world.unshelved] == ["catalogue"]


@pytest.mark.req("STR-3", "RES-4")
async def test_without_prices_the_cards_state_none(world: World) -> None:
    world.store.running_ = [promotion(1, 20, 1)]
    world.store.broken |= {"pricing": DOWN, "trust": DOWN, "reviews": DOWN}
    await world.say(ENGLISH)
    (card,) = world.final["cards"]
    assert not {"price", "list_price", "in_stock", "price_as_of", "rating"} & set(card)
    assert world.final["metadata"]["degraded"] == ["pricing", "trust", "reviews"]


async def test_a_late_promotions_service_leaves_the_catalogue_its_time(world: World) -> None:
    world.store.running_ = [promotion(1, 20, 1)]
    await world.say(ENGLISH)
    given = {service: deadline_ms for service, _, deadline_ms in world.store.asked}
    assert given["promotions"] <= 480
    assert 480 < given["catalogue"] <= 640
    assert 640 < given["pricing"] <= 800


async def test_what_cannot_be_had_is_not_shown(world: World) -> None:
    world.store.products |= {
        "B0TEST0001": replace(product(1), buyable=False),
        "B0TEST0002": replace(product(2, "Tomie"), mature=True),
    }
    world.store.offers_["B0TEST0003"] = offer(3, stock=0)
    world.store.trust_["B0TEST0004"] = replace(trusted(4), listing_trust_score=0.1)
    world.store.running_ = [promotion(1, 30, 1, 2, 3, 5), promotion(2, 20, 4, 6)]
    await world.say(ENGLISH)
    lines = text(world).splitlines()
    assert "on Gyo, Sensor and 2 more series" in lines[1]
    assert "on Remina, Smashed" in lines[2]
    assert titles(world) == ["Sensor, Vol. 1", "Smashed, Vol. 1"]


async def test_every_promotion_has_a_card_before_one_has_two(world: World) -> None:
    world.store.running_ = [promotion(1, 30, 1, 2, 3), promotion(2, 20, 4, 5)]
    await world.say(ENGLISH)
    assert titles(world) == ["Uzumaki, Vol. 1", "Remina, Vol. 1", "Tomie, Vol. 1"]


async def test_books_whose_price_is_reduced_are_shown_first(world: World) -> None:
    world.store.offers_ |= {
        "B0TEST0001": offer(1, list_price=None),
        "B0TEST0002": offer(2, "9.99", list_price="9.99"),
    }
    world.store.running_ = [promotion(1, 30, 1, 2, 3), promotion(2, 20, 4)]
    await world.say(ENGLISH)
    assert titles(world) == ["Remina, Vol. 1", "Gyo, Vol. 1", "Uzumaki, Vol. 1"]


async def test_of_many_series_the_most_read_are_named(world: World) -> None:
    world.store.popular = [
        PopularTitle(f"B0TEST{number:04}", f"MG{number:05}", (), mature=number == 4) for number in (4, 6, 5)
    ]
    world.store.running_ = [promotion(1, 30, *range(1, 7))]
    await world.say(ENGLISH)
    assert "on Smashed, Sensor, Uzumaki and 3 more series" in text(world)
    assert titles(world) == ["Smashed, Vol. 1", "Sensor, Vol. 1", "Uzumaki, Vol. 1"]


@pytest.mark.parametrize("question", ["Is Uzumaki on sale?", "any discounts on uzumaki?"])
async def test_the_title_that_was_asked_about_comes_first(world: World, question: str) -> None:
    world.store.offers_["B0TEST0001"] = offer(1, stock=0)
    world.store.running_ = [
        promotion(1, 30, 2, title=("Tomie's night", "夜")),
        promotion(2, 20, 1, 3),
        promotion(3, 5, title=("Newcomers' week", "週")),
    ]
    await world.say(question)
    lines = text(world).splitlines()
    assert lines[0] == "Uzumaki is part of these promotions:"
    assert [line.split(" (")[0] for line in lines[1:]] == [
        "- Ghost night",
        "- Newcomers' week",
        "Also running:",
        "- Tomie's night",
    ]
    # Out of stock, and shown all the same: it was asked for by name.
    assert titles(world) == ["Uzumaki, Vol. 1", "Tomie, Vol. 1", "Gyo, Vol. 1"]


async def test_a_title_that_is_not_reduced_is_said_to_be_none(world: World) -> None:
    world.store.running_ = [promotion(1, 30, 2)]
    await world.say("Is Uzumaki on sale?")
    assert text(world).splitlines()[:2] == ["Uzumaki is in no promotion right now.", "Also running:"]
    assert titles(world) == ["Uzumaki, Vol. 1", "Tomie, Vol. 1"]


async def test_a_title_that_the_store_does_not_know_is_no_title(world: World) -> None:
    world.store.running_ = [promotion(1, 30, 2)]
    await world.say("Is Nonesuch on sale?")
    assert text(world).splitlines()[0] == "These promotions are running right now:"
