"""Titles beside the retrieved ones: where they come from, where they end up, and what happens without them."""

from __future__ import annotations

import asyncio
import gc
import json
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest

from mangaassist.chat import shelf, suggestions
from mangaassist.chat.groundwork import Question
from mangaassist.chat.service import CLOSING_MS
from mangaassist.chat.shelf import Services, Shelves
from mangaassist.chat.stopwatch import Stopwatch
from mangaassist.chat.understanding import Understanding
from mangaassist.errors import DependencyError, DependencyTimeout
from mangaassist.intents.plan import reply_text
from mangaassist.ports import Chunk, ChunkFilter, IntentScore, Vector
from mangaassist.protocol import ContextHints, ErrorCode, dump_frame, frame_adapter
from mangaassist.recommendations import recommendations
from mangaassist.recommendations.popularity import shipped
from mangaassist.sessions.records import Turn
from tests.fakes.clock import leaping
from tests.fakes.store import offer, product, trusted
from tests.fakes.turn import FakeChannel, FakeClassifier, FakeModel, FakeSearch, chunk
from tests.unit.chat.test_service import CONNECTION, World

HORROR = "Recommend horror manga like Junji Ito"
DOWN = DependencyError("personalize", "InternalServerException")


@pytest.fixture
def world() -> World:
    """Two titles near the question, and a recommender that knows three others."""
    world = World(
        model=FakeModel(deque([["Try ", "Uzumaki [1]", " or Sensor [3]."] for _ in range(3)])),
        search=FakeSearch([chunk(1), chunk(2, "Tomie")]),
    )
    world.store.recommended = ["B0TEST0005", "B0TEST0006", "B0TEST0003"]
    return world


@dataclass
class TimedChannel(FakeChannel):
    """Notes when each frame was posted, in milliseconds of the loop's clock."""

    at_ms: list[int] = field(default_factory=list)

    async def post(self, payload: bytes) -> None:
        await super().post(payload)
        self.at_ms.append(round(asyncio.get_running_loop().time() * 1000))


class Waiting(Shelves):
    """Shelves whose clients take as long as ``opening``; ``asked`` is set once somebody wants them."""

    def __init__(self, opening: Callable[[], Awaitable[Services]]) -> None:
        super().__init__(lambda: pytest.fail("never"), on_missing=lambda *_: None)
        self.asked, self._waiting = asyncio.Event(), opening

    async def prepare(self) -> Services:
        self.asked.set()
        return await self._waiting()

    def suggestions(self) -> suggestions.Suggestions:
        return suggestions.Suggestions(self, store_url="", on_fallback=lambda *_: None)


class SilentSearch(FakeSearch):
    """Never answers."""

    async def nearest(self, vector: Vector, *, limit: int, only: ChunkFilter) -> list[Chunk]:
        await asyncio.Event().wait()
        raise AssertionError("never")


async def said(world: World, text: str = HORROR) -> None:
    """One question, to a service that has its clients: what makes them is a thread, whose time is not the clock's."""
    service = world.service()
    await service.story.groundwork.suggestions.prepare()
    body = json.dumps({"action": "message", "message_id": "m1", "text": text})
    await service.handle(
        body, connection_id="c", subject=CONNECTION.subject, request_id="q1", channel=world.channel
    )


def prompt(world: World) -> str:
    return world.model.requests[-1].messages[-1].text


def asked(world: World, question: str) -> list[str]:
    return [about[0] for service, about, _ in world.store.asked if service == question]


@pytest.mark.req("CAT-4")
async def test_recommended_titles_stand_behind_the_retrieved_ones_with_their_reason(world: World) -> None:
    await world.say(HORROR)
    blocks = prompt(world).split("<product_data ")[1:]
    assert [block.splitlines()[1] for block in blocks] == [
        "title: Uzumaki",
        "title: Tomie",
        "title: Sensor",
        "title: Smashed",
        "title: Gyo",
    ]
    assert ["recommended: suggested to this shopper" in block for block in blocks] == [
        False,
        False,
        True,
        True,
        True,
    ]
    # What the catalogue says of them is all that the index would have said.
    assert {*blocks[2].splitlines()[2:8]} == {
        "creators: Junji Ito",
        "creators_ja: 伊藤潤二",
        "year: 1998",
        "volumes: 3",
        "genres: Horror",
        "demographic: Seinen",
    }
    assert asked(world, "for_user") == [CONNECTION.subject]
    cards = {card["asin"]: card.get("recommended") for card in world.final["cards"]}
    assert cards == {"B0TEST0001": None, "B0TEST0005": "for_you", "B0TEST0002": None}
    card = next(card for card in world.final["cards"] if card["asin"] == "B0TEST0005")
    assert card["url"] == "https://store.example/manga/MG00005"
    assert card["price"]["amount"] == "7.49"
    assert world.final["metadata"]["recommended_by"] == "personalize"
    assert world.final["metadata"]["degraded"] == []
    assert [citation["title"] for citation in world.final["citations"]] == ["Uzumaki", "Sensor"]
    assert world.judge.allowed == [[f"B0TEST000{number}" for number in (1, 2, 5, 6, 3)]]


async def test_a_series_is_offered_once(world: World) -> None:
    world.store.recommended = ["B0TEST0001", "B0TEST0005"]
    await world.say(HORROR)
    assert prompt(world).count("title: Uzumaki") == 1
    assert prompt(world).count("<product_data ") == 3
    assert "found nothing" not in world.model.requests[-1].system


async def test_a_recommender_that_only_knows_what_was_found_has_proposed_nothing(world: World) -> None:
    world.store.recommended = ["B0TEST0001", "B0TEST0002"]
    await world.say(HORROR)
    assert "recommended: " not in prompt(world)
    assert world.final["metadata"].get("recommended_by") is None


@pytest.mark.parametrize("service", ["catalogue", "pricing"])
async def test_facts_late_for_suggestions_and_in_time_for_cards_are_no_lack_of_the_cards(
    world: World, service: str
) -> None:
    signal = world.store.signals[service] = asyncio.Event()
    world.store.broken[service] = DependencyTimeout(service, "deadline")
    asking = asyncio.ensure_future(world.say(HORROR))
    await signal.wait()
    del world.store.broken[service]
    await asking
    assert world.final["metadata"]["degraded"] == ["recommendations"]
    assert all(card["price"] for card in world.final["cards"])
    assert "price" not in world.model.requests[-1].system.split("live source")[1]


@pytest.mark.req("CAT-4")
async def test_three_volumes_of_a_series_are_one_suggestion(world: World) -> None:
    for number in (7, 8):
        volume = replace(product(number, "Sensor"), series_id="MG00005")
        world.store.products[volume.asin] = volume
        world.store.offers_[volume.asin], world.store.trust_[volume.asin] = offer(number), trusted(number)
    world.store.recommended = ["B0TEST0005", "B0TEST0007", "B0TEST0008", "B0TEST0006"]
    await world.say(HORROR)
    assert prompt(world).count("title: Sensor\n") == 1
    assert "title: Smashed\n" in prompt(world), "the next series moves up"


async def test_clients_of_an_older_version_get_the_cards_they_know(world: World) -> None:
    world.sessions.open = replace(CONNECTION, protocol_version=2)
    await world.say(HORROR)
    assert len(world.final["cards"]) == 3
    assert not any("recommended" in card for card in world.final["cards"])


@pytest.mark.req("CAT-4", "RES-4")
@pytest.mark.parametrize(
    "failure", [DOWN, DependencyTimeout("personalize", "deadline")], ids=["down", "late"]
)
async def test_without_the_recommender_popular_titles_are_suggested(
    world: World, failure: DependencyError
) -> None:
    popular = next(title for title in shipped().most_read(["Horror"]) if not title.mature)
    world.store.products[popular.asin] = replace(product(7, "Popular"), asin=popular.asin)
    world.store.offers_[popular.asin] = replace(offer(7), asin=popular.asin)
    world.store.trust_[popular.asin] = replace(trusted(7), asin=popular.asin)
    world.store.broken["recommendations"] = failure
    await world.say(HORROR)
    assert "title: Popular\n" in prompt(world)
    assert "recommended: popular with readers" in prompt(world)
    assert "suggested to" not in prompt(world)
    assert world.final["metadata"]["recommended_by"] == "popularity"
    assert world.final["metadata"]["degraded"] == ["recommendations"]
    assert world.unsuggested == [("recommendations", failure.reason)]
    assert [card.get("recommended") for card in world.final["cards"]] == [None, "popular", None]


async def test_where_no_recommender_is_deployed_nothing_is_missed(world: World) -> None:
    world.store.recommended = ()
    await world.say(HORROR)
    assert world.final["metadata"]["degraded"] == []
    assert world.unsuggested == []


async def test_everything_may_be_silent_and_the_answer_still_comes(world: World) -> None:
    world.store.broken |= dict.fromkeys(("recommendations", "catalogue", "pricing", "trust", "reviews"))
    world.enrichment_ms = world.suggestions_ms = 20
    await world.say(HORROR)
    assert world.final["metadata"]["degraded"] == ["recommendations", "catalogue", "pricing", "reviews"]
    assert [card["title"] for card in world.final["cards"]] == ["Uzumaki, Vol. 1", "Tomie, Vol. 1"]
    assert world.final["metadata"].get("recommended_by") is None


@pytest.mark.req("CAT-4")
async def test_a_counterfeit_or_sold_out_title_is_not_suggested(world: World) -> None:
    world.store.trust_["B0TEST0005"] = replace(trusted(5), listing_trust_score=0.1)
    world.store.offers_["B0TEST0006"] = offer(6, stock=0)
    await world.say(HORROR)
    assert "title: Sensor" not in prompt(world)
    assert "title: Smashed" not in prompt(world)
    assert "title: Gyo" in prompt(world)


async def test_on_a_product_page_titles_like_it_come_first(world: World) -> None:
    await world.say("Recommend something like this", context_hints={"product_asin": "B0TEST0004"})
    assert asked(world, "similar_to") == ["B0TEST0004"]
    assert prompt(world).index("title: Sensor") < prompt(world).index("title: Uzumaki")
    assert "recommended: similar to a title the shopper looks at" in prompt(world)
    assert world.final["citations"][0]["title"] == "Sensor"


@pytest.mark.parametrize("language", ["en", "ja"])
async def test_more_like_these_means_the_last_cards_and_none_of_those_again(
    world: World, language: str
) -> None:
    await world.say(HORROR)
    shown = [card["asin"] for card in world.final["cards"]]
    await world.say(reply_text("more_like_this", language), message_id="m2")
    assert asked(world, "similar_to") == shown
    assert "B0TEST0005" in shown
    suggested = [block for block in prompt(world).split("<product_data ")[1:] if "recommended: " in block]
    assert [block.splitlines()[1] for block in suggested] == ["title: Smashed", "title: Gyo"]


async def test_without_a_history_nothing_is_told_twice(world: World) -> None:
    world.sessions.history_error = DependencyError("sessions", "InternalServerError")
    await world.say(HORROR)
    assert world.types == ["start", "error"]
    assert world.channel.frames[-1]["code"] == ErrorCode.INTERNAL.value
    assert [str(each) for each in world.failures] == [str(world.sessions.history_error)]


@pytest.mark.parametrize(
    "frames",
    [
        (),
        ("{",),
        ("null",),
        ('{"type": "final", "cards": null}',),
        ('{"type": "final", "cards": [{"title": "no ASIN"}]}',),
        ('{"type": "delta", "response_id": "r-1", "sequence_number": 1, "text": "abandoned"}',),
        ('{"type": "of-a-later-protocol"}',),
    ],
)
async def test_a_history_without_cards_or_sense_costs_no_answer(
    world: World, frames: tuple[str, ...]
) -> None:
    await world.say(HORROR)
    world.sessions.turns[0] = replace(world.sessions.turns[0], frames=frames)
    await world.say(HORROR, message_id="m2")
    assert world.final["metadata"]["recommended_by"] == "personalize"
    assert world.failures == []


@pytest.mark.parametrize("version", [1, 2])
async def test_cards_of_an_older_protocol_count_as_shown(world: World, version: int) -> None:
    await world.say(HORROR)
    turn = world.sessions.turns[0]
    assert '"B0TEST0005"' in turn.frames[-1]
    old = dump_frame(frame_adapter.validate_json(turn.frames[-1]), version).decode()
    world.sessions.turns[0] = replace(turn, frames=(*turn.frames[:-1], old))
    await world.say(HORROR, message_id="m2")
    assert "title: Sensor\n" not in prompt(world)
    assert "title: Smashed\n" in prompt(world)


async def test_a_history_that_failed_beside_a_dropped_suggestion_is_nobodys_loose_end(world: World) -> None:
    loop, loose = asyncio.get_running_loop(), list[str]()
    loop.set_exception_handler(lambda _, context: loose.append(context["message"]))

    failed = asyncio.Event()

    async def endless() -> Services:
        await asyncio.Event().wait()
        raise AssertionError("never")

    async def broken() -> list[Turn]:
        await clients.asked.wait()
        failed.set()
        raise DependencyError("sessions", "InternalServerError")

    clients = Waiting(endless)
    question = Question("q1", "hmm", "guest-1", ContextHints(), broken)
    groundwork = replace(
        world.service().story.groundwork,
        suggestions=clients.suggestions(),
        shelves=clients,
        understanding=Understanding(
            FakeClassifier(IntentScore("chitchat", 0.9), until=failed), on_fallback=lambda reason: None
        ),
    )
    assert (
        await groundwork.lay(question, "hmm spirals and dread, anything?", Stopwatch(5_000))
    ).history == ()
    del question, groundwork
    for _ in range(3):
        # What was cancelled ends in the loop's next rounds, and only then can it be found loose.
        await asyncio.sleep(0)
    gc.collect()
    assert loose == []


@pytest.mark.req("RET-5")
async def test_suggestions_alone_carry_an_answer(world: World) -> None:
    world.embedder.error = DependencyError("embedding", "ThrottlingException")
    world.model.scripts = deque([["Sensor [1] and Smashed [2]."]])
    await world.say(HORROR)
    metadata = world.final["metadata"]
    assert (metadata["retrieval_mode"], metadata["degraded"]) == ("fallback", ["embedding"])
    assert "found nothing for this question: say so first" in world.model.requests[-1].system
    assert metadata["recommended_by"] == "personalize"
    assert [card["asin"] for card in world.final["cards"]] == ["B0TEST0005", "B0TEST0006", "B0TEST0003"]


@pytest.mark.req("RES-5")
def test_a_silent_recommender_takes_its_budget_of_the_first_token_and_no_more(world: World) -> None:
    world.store.broken["recommendations"] = None
    channel = world.channel = TimedChannel()
    leaping(said(world))
    first = next(
        at for at, frame in zip(channel.at_ms, channel.frames, strict=True) if frame["type"] == "delta"
    )
    assert 0 < first <= recommendations.BUDGET_MS
    assert world.unsuggested == [("recommendations", "late")]


@pytest.mark.req("RES-5")
def test_suggestions_take_their_budget_and_no_more_whatever_is_silent(world: World) -> None:
    world.store.broken |= dict.fromkeys(("recommendations", "catalogue", "pricing", "trust", "reviews"))
    channel = world.channel = TimedChannel()
    leaping(said(world))
    first = next(
        at for at, frame in zip(channel.at_ms, channel.frames, strict=True) if frame["type"] == "delta"
    )
    assert first <= suggestions.BUDGET_MS + shelf.BUDGET_MS


@pytest.mark.req("RES-5", "RES-6")
def test_a_turn_that_ends_among_its_speculations_leaves_none_behind(world: World) -> None:
    world.store.broken |= dict.fromkeys(("recommendations", "catalogue", "pricing", "trust", "reviews"))
    world.classifier = FakeClassifier(IntentScore("recommendation", 0.9), until=asyncio.Event())
    world.search = SilentSearch([])
    world.deadline_ms = CLOSING_MS + 200

    async def ask() -> set[str]:
        await said(world, "hmm spirals and dread, anything?")
        # The clock leaps: this waits for everything that is due, and for no time.
        await asyncio.sleep(0.001)
        return {task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()} if task}

    assert leaping(ask()) == set()
    assert world.types == ["start", "error"]
    assert world.channel.frames[-1]["code"] == ErrorCode.DEADLINE_EXCEEDED.value
    assert asked(world, "for_user") == [CONNECTION.subject]


def test_a_slow_history_is_not_the_recommenders_fault(world: World) -> None:
    heard: list[tuple[str, str]] = []

    async def ask() -> suggestions.Suggested:
        offered = world.store.suggestions(world.store.shelves(), heard)
        await offered.prepare()
        never = asyncio.get_running_loop().create_future()
        found = await offered.of(HORROR, ContextHints(), "guest-1", never, Stopwatch(25_000))
        assert not never.cancelled(), "the turn still waits for it"
        return found

    assert leaping(ask()) == suggestions.Suggested(degraded=("recommendations",))
    assert heard == [("history", "late")]


@pytest.mark.req("INT-6")
async def test_they_are_sought_while_the_question_is_understood(world: World) -> None:
    # The last thing that suggestions need is asked for before the classifier has answered, or this never ends.
    signal = world.store.signals["trust"] = asyncio.Event()
    world.classifier = FakeClassifier(IntentScore("recommendation", 0.9), until=signal)
    async with asyncio.timeout(5):
        await world.say("hmm spirals and dread, anything?")
    assert "suggested to this shopper" in prompt(world)


@pytest.mark.req("INT-6")
@pytest.mark.parametrize("intent", ["product_question", "chitchat"])
async def test_what_the_intent_does_not_need_is_dropped(world: World, intent: str) -> None:
    world.store.broken["recommendations"] = None
    signal = world.store.signals["recommendations"] = asyncio.Event()
    world.classifier = FakeClassifier(IntentScore(intent, 0.9), until=signal)
    async with asyncio.timeout(5):
        await world.say("hmm spirals and dread, anything?")
    assert asked(world, "for_user") == [CONNECTION.subject]
    assert world.types[-1] == "final"
    assert world.final["metadata"].get("recommended_by") is None
    assert world.final["metadata"]["degraded"] == []
    assert not any(
        "recommended: " in message.text for each in world.model.requests for message in each.messages
    )
    assert json.dumps(world.final).count("recommended") == 0


@pytest.mark.parametrize("question", ["What is popular?", "人気の漫画は？"])
async def test_who_asks_for_what_is_popular_gets_that_first_and_nobodys_taste(
    world: World, question: str
) -> None:
    popular = shipped().most_read()[0]
    world.store.products[popular.asin] = replace(product(7, "Popular"), asin=popular.asin)
    world.store.offers_[popular.asin] = replace(offer(7), asin=popular.asin)
    world.store.trust_[popular.asin] = replace(trusted(7), asin=popular.asin)
    await world.say(question)
    assert "for_user" not in {service for service, _, _ in world.store.asked}
    assert prompt(world).index("title: Popular") < prompt(world).index("title: Uzumaki")
    assert world.final["metadata"]["recommended_by"] == "popularity"
    assert world.final["cards"][0]["recommended"] == "popular"


async def test_a_word_of_an_index_does_not_pass_for_a_suggestion(world: World) -> None:
    world.search.chunks = [chunk(1, recommended="for_you"), chunk(2, "Tomie", recommended={"anything": 1})]
    world.store.recommended = ()
    await world.say(HORROR)
    assert "recommended: " not in prompt(world)
    assert not any("recommended" in card for card in world.final["cards"])


async def test_the_next_volume_is_no_title_like_it(world: World) -> None:
    world.store.products["B0TEST0005"] = replace(product(5, "Uzumaki"), series_id="MG00004", volume=2)
    await world.say("Recommend something like this", context_hints={"product_asin": "B0TEST0004"})
    assert "asin: B0TEST0005" not in prompt(world)
    assert "asin: B0TEST0006" in prompt(world)
