"""``mangactl chat`` over a real socket."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable

import pytest

from stacks.environments import environment_named
from tests.functional.mangactl.assistant import Assistant, answer, delta, error, final, start
from tools.mangactl import cli
from tools.mangactl.environments import Environment

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(assistant: Assistant, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    class Scripted(Environment):
        def chat_addresses(self) -> tuple[str, str]:
            return assistant.websocket_url, assistant.api_base

    monkeypatch.setattr(Environment, "named", lambda name: Scripted(environment_named(name)))

    def run(*arguments: str) -> tuple[int, str, str]:
        return cli.main(("chat", *arguments)), *capsys.readouterr()

    return run


@pytest.mark.req("OPS-1")
def test_one_question_shows_text_cards_citations_and_timings(assistant: Assistant, run: Run) -> None:
    assistant.scripts.append(answer(start(), delta("Try [red]"), delta("Uzumaki[1]."), final()))
    code, out, _ = run("Recommend horror manga")
    assert code == 0
    # Answers are text, not markup: brackets stay.
    assert "Try [red]Uzumaki[1]." in out
    for told in ("B0ABCDEFGH", "Uzumaki, Vol. 1 (うずまき)", "$9.99", "4.5 (12)", "[1] Uzumaki"):
        assert told in out
    for told in ("first token", "tier economy", "policy 0123456789ab", "a stand-in"):
        assert told in out
    assert assistant.commands[0]["text"] == "Recommend horror manga"


def test_json_prints_each_frame_as_a_line(assistant: Assistant, run: Run) -> None:
    frames = answer(start(), delta("うずまき"), final())
    assistant.scripts.append(frames)
    code, out, _ = run("x", "--json", "--locale", "ja")
    assert code == 0
    printed = [json.loads(line) for line in out.splitlines()]
    assert [frame["type"] for frame in printed] == ["start", "delta", "final"]
    assert printed[2]["cards"][0]["asin"] == "B0ABCDEFGH"
    assert "うずまき" in out


def test_an_error_frame_fails_the_command(assistant: Assistant, run: Run) -> None:
    assistant.scripts.append(answer(start(), error()))
    code, out, err = run("x")
    assert code == 1
    assert err == "mangactl: model_unavailable: Please try again.\n"
    assistant.scripts.append(answer(error("message_refused")))
    code, out, _ = run("x", "--json")
    assert code == 1
    last = json.loads(out.splitlines()[-1])
    assert last["error"]["message"].startswith("message_refused")


def test_a_correction_is_shown_as_one(assistant: Assistant, run: Run) -> None:
    correction = {"type": "correction", "text": "Call us.", "reasons": [{"stage": "pii", "reason": "r"}]}
    assistant.scripts.append(answer(start(), delta("Call 555"), correction, final()))
    assert "corrected (pii):\nCall us." in run("x")[1]


def test_without_a_question_each_line_is_one_on_the_same_session(
    assistant: Assistant, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        assistant.scripts.append(
            answer(start(), delta(f"answer {number}"), final(), response_id=f"r{number}")
        )
    monkeypatch.setattr(sys, "stdin", io.StringIO("first\n\n  \nsecond\n"))
    code, out, _ = run()
    assert code == 0
    assert [command["text"] for command in assistant.commands] == ["first", "second"]
    assert out.index("answer 1") < out.index("answer 2")
    assert len(assistant.connections) == 1


def test_a_lost_connection_is_replaced_and_the_session_goes_on(
    assistant: Assistant, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assistant.scripts.append([*answer(start(), delta("one"), final()), None])
    assistant.scripts.append(answer(start(session_resumed=True), delta("two"), final(), response_id="r2"))
    monkeypatch.setattr(sys, "stdin", io.StringIO("first\nsecond\n"))
    code, out, err = run()
    assert code == 0, err
    assert "two" in out
    assert "the session goes on" in err
    assert [each.get("session_id") for each in assistant.connections] == [None, "s1"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [((" ",), 2, "the question is empty"), (("x", "--locale", "fr"), 2, "--locale")],
)
def test_a_senseless_chat_is_one_line(
    assistant: Assistant, run: Run, arguments: tuple[str, ...], code: int, message: str
) -> None:
    ran, _, err = run(*arguments)
    assert (ran, len(err.strip().splitlines())) == (code, 1)
    assert message in err
    assert assistant.connections == []


def test_a_refused_connection_is_one_line(assistant: Assistant, run: Run) -> None:
    assistant.handshake_status = 401
    code, _, err = run("x")
    assert (code, len(err.strip().splitlines())) == (4, 1)
    assert "status 401" in err


def test_a_broken_response_is_one_line(assistant: Assistant, run: Run) -> None:
    assistant.scripts.append(answer(start(), delta("a"), delta("b"))[::2])
    code, _, err = run("x")
    assert (code, err) == (1, "mangactl: frame 1 of response r1 is missing\n")
