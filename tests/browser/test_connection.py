"""The client library: nothing is lost and nothing is doubled, whatever the network does."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from mangaassist.protocol import ErrorCode
from mangaassist.versions import CURRENT_VERSION
from tests.browser.chat_server import PATIENCE_SECONDS, Answer, ChatServer, refusal
from tests.browser.conftest import Visit, Visitor


def test_connects_with_a_token_in_the_subprotocol_never_in_the_address(visit: Visit) -> None:
    connection = visit.connected()
    assert connection.query == {"protocol_version": str(CURRENT_VERSION)}
    assert [connection.token] == visit.server.tokens_issued


@pytest.mark.req("STR-17")
def test_a_drop_mid_stream_loses_and_doubles_nothing(visit: Visit) -> None:
    first = visit.connected()
    answer = visit.ask(first, "Horror?")
    frames = [
        answer.start(),
        *[answer.delta(f"{word} ") for word in ["one", "two", "three", "four", "five"]],
        answer.final(),
    ]
    first.send(*frames[:3])
    expect(visit.answer).to_have_text("one two ")
    first.drop()

    second = visit.connected()
    assert second.query["session_id"] == "session-1"
    assert second.token == first.token
    gap = second.next_resend()
    assert (gap.response_id, gap.from_sequence) == ("response-1", 3)
    second.send(*frames[2:], *frames[3:])
    expect(visit.turns.last).to_have_attribute("data-phase", "done")
    expect(visit.answer).to_have_text("one two three four five ")
    expect(visit.live).to_contain_text("Connected again.")
    assert second.silent


@pytest.mark.req("STR-5")
def test_a_missing_frame_is_asked_for_and_later_ones_wait(visit: Visit) -> None:
    connection = visit.connected()
    answer = visit.ask(connection, "Horror?")
    start, one, two, three, final = (
        answer.start(),
        answer.delta("one "),
        answer.delta("two "),
        answer.delta("three"),
        answer.final(),
    )
    connection.send(start, one, three)
    gap = connection.next_resend()
    assert (gap.response_id, gap.from_sequence) == ("response-1", 2)
    expect(visit.answer).to_have_text("one ")
    connection.send(two, three, final)
    expect(visit.answer).to_have_text("one two three")
    expect(visit.turns.last).to_have_attribute("data-phase", "done")


def test_frames_out_of_order_are_put_in_order(visitor: Visitor, server: ChatServer) -> None:
    server.client_timings["gap"] = 60_000
    visit = visitor()
    connection = visit.connected()
    answer = visit.ask(connection, "Horror?")
    start, one, two, final = answer.start(), answer.delta("one "), answer.delta("two"), answer.final()
    connection.send(final, two, start, one)
    expect(visit.turns.last).to_have_attribute("data-phase", "done")
    expect(visit.answer).to_have_text("one two")
    assert connection.silent


def test_a_lost_start_is_asked_for_too(visit: Visit) -> None:
    connection = visit.connected()
    answer = visit.ask(connection, "Horror?")
    start, one, final = answer.start(), answer.delta("one"), answer.final()
    connection.send(one, final)
    assert connection.next_resend().from_sequence == 0
    connection.send(start, one, final)
    expect(visit.answer).to_have_text("one")
    expect(visit.turns.last).to_have_attribute("data-phase", "done")


def test_a_response_the_server_forgot_is_asked_for_again_under_the_same_id(visit: Visit) -> None:
    first = visit.connected()
    answer = visit.ask(first, "Horror?")
    start = answer.start()
    first.send(start, answer.delta("old words "))
    expect(visit.answer).to_have_text("old words ")
    first.drop()

    second = visit.connected()
    second.next_resend()
    second.send(refusal(ErrorCode.UNKNOWN_RESPONSE, retryable=False))
    question = second.next_message()
    assert question.message_id == start.message_id
    again = Answer(question, response_id="response-2")
    second.send(again.start(resumed=True), again.delta("new words"), again.final())
    expect(visit.answer).to_have_text("new words")
    expect(visit.turns).to_have_count(1)
    expect(visit.page.locator(".error")).to_have_count(0)


def test_an_abandoned_response_is_asked_for_again(visitor: Visitor, server: ChatServer) -> None:
    """The server stops writing when the client is gone: its stored frames end without an end."""
    server.client_timings["resendSilence"] = 500
    visit = visitor()
    first = visit.connected()
    answer = visit.ask(first, "Horror?")
    start, lost = answer.start(), answer.delta("old, lost ")
    first.send(start)
    first.drop()

    second = visit.connected()
    second.next_resend()
    second.send(lost)
    expect(visit.answer).to_have_text("old, lost ")
    question = second.next_message()
    assert question.message_id == start.message_id
    again = Answer(question, response_id="response-2")
    second.send(again.start(), again.delta("new"), again.final())
    expect(visit.answer).to_have_text("new")


def test_a_replay_of_the_same_response_fills_in_without_doubling(
    visitor: Visitor, server: ChatServer
) -> None:
    server.client_timings["resendSilence"] = 500
    visit = visitor()
    first = visit.connected()
    answer = visit.ask(first, "Horror?")
    frames = [
        answer.start(),
        answer.delta("one "),
        answer.delta("two "),
        answer.delta("three"),
        answer.final(),
    ]
    first.send(*frames[:3])
    expect(visit.answer).to_have_text("one two ")
    first.drop()
    second = visit.connected()
    second.next_resend()
    second.next_message()
    second.send(*frames)
    expect(visit.turns.last).to_have_attribute("data-phase", "done")
    expect(visit.answer).to_have_text("one two three")


@pytest.mark.req("SES-7")
def test_a_message_still_in_progress_is_waited_for(visit: Visit) -> None:
    connection = visit.connected()
    answer = visit.ask(connection, "Horror?")
    connection.send(refusal(ErrorCode.MESSAGE_IN_PROGRESS))
    again = connection.next_message()
    assert again.text == "Horror?"
    connection.send(answer.start(), answer.delta("Here."), answer.final())
    expect(visit.answer).to_have_text("Here.")
    expect(visit.page.locator(".error")).to_have_count(0)


def test_an_answer_that_broke_with_our_connection_is_mended_unseen(visit: Visit) -> None:
    first = visit.connected()
    answer = visit.ask(first, "Horror?")
    first.send(answer.start(), answer.delta("half "))
    expect(visit.answer).to_have_text("half ")
    first.drop()
    second = visit.connected()
    second.next_resend()
    second.send(answer.error(ErrorCode.INTERNAL, "broke", retryable=True))
    again = Answer(second.next_message(), response_id="response-2")
    second.send(again.start(), again.delta("whole"), again.final())
    expect(visit.answer).to_have_text("whole")
    expect(visit.page.locator(".error")).to_have_count(0)


def test_a_question_asked_without_connection_goes_out_later(visit: Visit) -> None:
    first = visit.connected()
    visit.server.refuse = lambda token: True
    first.drop()
    expect(visit.chat).not_to_have_attribute("data-state", "online")
    visit.input.fill("Still there?")
    visit.input.press("Enter")
    expect(visit.page.get_by_text("Your question is kept")).to_be_visible()
    visit.server.refuse = lambda token: False

    second = visit.connected()
    answer = Answer(second.next_message())
    second.send(answer.start(), answer.delta("Yes."), answer.final())
    expect(visit.answer).to_have_text("Yes.")
    assert second.silent


@pytest.mark.req("STR-17")
def test_pings_keep_the_line_and_find_a_dead_one(visitor: Visitor, server: ChatServer) -> None:
    server.client_timings |= {"pingInterval": 50, "pongTimeout": 150}
    visit = visitor()
    first = visit.connected()
    for _ in range(2):
        assert server.pings.get(timeout=PATIENCE_SECONDS) is first
    first.deaf = True
    second = visit.connected()
    assert second is not first


def test_an_unused_page_rests_until_it_is_used(visitor: Visitor, server: ChatServer) -> None:
    server.client_timings |= {"sleepAfter": 0}
    visit = visitor()
    visit.server.next_connection().drop()
    expect(visit.chat).to_have_attribute("data-state", "asleep")
    visit.input.fill("Good morning")
    visit.input.press("Enter")
    assert server.next_connection().next_message().text == "Good morning"


def test_an_expired_token_is_renewed(visitor: Visitor, server: ChatServer) -> None:
    server.token_lifetime_seconds = 0
    visit = visitor()
    first = visit.connected()
    first.drop()
    second = visit.connected()
    assert server.tokens_issued == [first.token, second.token]


def test_a_token_that_is_refused_is_replaced(visit: Visit) -> None:
    first = visit.connected()
    visit.server.refuse = lambda token: token == first.token
    first.drop()
    second = visit.connected()
    assert second.token != first.token
    second.drop()
    assert visit.connected().token == second.token


def test_an_outage_does_not_cost_the_token_and_the_session(visit: Visit) -> None:
    first = visit.connected()
    answer = visit.ask(first, "Horror?")
    first.send(answer.start(), answer.delta("Yes."), answer.final())
    expect(visit.answer).to_have_text("Yes.")
    tried: list[str] = []

    def refuse(token: str) -> bool:
        tried.append(token)
        return tried.count(first.token) <= 3

    visit.server.refuse = refuse
    first.drop()
    second = visit.connected()
    assert second.token == first.token
    assert second.query["session_id"] == "session-1"
    assert set(tried) > {first.token}, "a new token was worth a try, but not worth the session"


def test_an_expired_session_starts_anew_and_says_so(visit: Visit) -> None:
    first = visit.connected()
    answer = visit.ask(first, "Horror?")
    first.send(answer.start(), answer.delta("Yes."), answer.final())
    expect(visit.answer).to_have_text("Yes.")
    first.drop()
    second = visit.connected()
    later = visit.ask(second, "And now?", response_id="response-2", session_id="session-2")
    second.send(later.start(), later.delta("Fresh."), later.final())
    expect(visit.turns.last.locator(".note-session-lost")).to_contain_text(
        "Your earlier conversation has expired"
    )
    second.drop()
    assert visit.connected().query["session_id"] == "session-2"


def test_a_session_that_ends_under_way_is_opened_again(visit: Visit) -> None:
    first = visit.connected()
    visit.ask(first, "Horror?")
    first.send(refusal(ErrorCode.SESSION_EXPIRED, retryable=False))
    second = visit.connected()
    answer = Answer(second.next_message())
    second.send(answer.start(), answer.delta("Yes."), answer.final())
    expect(visit.answer).to_have_text("Yes.")


def test_the_gateways_own_errors_lead_to_another_try(visit: Visit) -> None:
    connection = visit.connected()
    answer = visit.ask(connection, "Horror?")
    connection.send_raw(
        json.dumps({"message": "Internal server error", "connectionId": "c", "requestId": "r"})
    )
    assert connection.next_message().text == "Horror?"
    connection.send(answer.start(), answer.delta("Yes."), answer.final())
    expect(visit.answer).to_have_text("Yes.")


def test_noise_on_the_line_changes_nothing(visit: Visit) -> None:
    connection = visit.connected()
    answer = visit.ask(connection, "Horror?")
    stranger = Answer(answer.question, response_id="stranger")
    stranger.start()
    connection.send(answer.start(), answer.delta("Yes"))
    for noise in ("", "not json", "[]", "null", '{"type":"banner","response_id":"x","sequence_number":0}'):
        connection.send_raw(noise)
    connection.send(stranger.delta("foreign words"), answer.delta("."), answer.final())
    expect(visit.turns.last).to_have_attribute("data-phase", "done")
    expect(visit.answer).to_have_text("Yes.")


def test_a_silent_server_ends_in_an_offer_to_try_again(visitor: Visitor, server: ChatServer) -> None:
    server.client_timings |= {"silence": 60}
    visit = visitor()
    connection = visit.connected()
    answer = visit.ask(connection, "Horror?")
    for _ in range(4):
        assert connection.next_message().message_id == answer.question.message_id
    expect(visit.page.locator(".error")).to_contain_text("Something went wrong on our side.")
    visit.page.get_by_role("button", name="Try again").click()
    assert connection.next_message().message_id == answer.question.message_id


def test_a_reload_keeps_the_conversation_and_goes_on_with_the_question(visit: Visit) -> None:
    first = visit.connected()
    answer = visit.ask(first, "Horror?")
    first.send(answer.start(), answer.delta("Yes."), answer.final())
    expect(visit.turns.last).to_have_attribute("data-phase", "done")
    open_question = visit.ask(first, "More?", response_id="response-2")
    first.send(open_question.start(), open_question.delta("Half an answ"))
    expect(visit.answer).to_have_text("Half an answ")

    visit.page.reload()
    second = visit.connected()
    assert second.query["session_id"] == "session-1"
    question = second.next_message()
    assert question.message_id == open_question.question.message_id
    again = Answer(question, response_id="response-3")
    second.send(again.start(), again.delta("A whole answer."), again.final())
    expect(visit.page.locator(".answer-text")).to_have_text(["Yes.", "A whole answer."])


def test_a_new_conversation_leaves_the_old_one_behind(visit: Visit) -> None:
    first = visit.connected()
    answer = visit.ask(first, "Horror?")
    first.send(answer.start(), answer.delta("Yes."), answer.final())
    expect(visit.answer).to_have_text("Yes.")
    visit.page.get_by_role("button", name="New conversation").click()
    second = visit.connected()
    assert "session_id" not in second.query
    expect(visit.turns).to_have_count(0)
    expect(visit.page.get_by_role("heading", name="What would you like to read next?")).to_be_visible()
    fresh = visit.ask(second, "Romance?", session_id="session-2")
    second.send(fresh.start(), fresh.delta("Yes."), fresh.final())
    expect(visit.page.locator(".note-session-lost")).to_have_count(0)


def test_blocked_storage_only_makes_the_page_forgetful(visitor: Visitor) -> None:
    blocked = """for (const kind of ["localStorage", "sessionStorage"]) {
      Object.defineProperty(window, kind, { get() { throw new DOMException("denied", "SecurityError"); } });
    }"""
    visit = visitor(init_script=blocked)
    connection = visit.connected()
    answer = visit.ask(connection, "Horror?")
    connection.send(answer.start(), answer.delta("Yes."), answer.final())
    expect(visit.answer).to_have_text("Yes.")
    visit.page.get_by_role("button", name="日本語").click()
    expect(visit.page.get_by_role("heading", level=1)).to_have_text("マンガアシスト")


def test_missing_settings_say_so(visitor: Visitor, server: ChatServer) -> None:
    server.config_status = 503
    visit = visitor(tolerate_errors=True)
    expect(visit.page.get_by_role("alert")).to_contain_text("its settings could not be loaded")
    server.config_status = 200
    visit.page.get_by_role("button", name="Try again").click()
    visit.connected()
