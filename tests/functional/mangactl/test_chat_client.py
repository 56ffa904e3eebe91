"""The chat client trusts nothing: frames are validated, gaps noticed, refusals named."""

from __future__ import annotations

from typing import Any

import pytest

from mangaassist.protocol import DeltaFrame, ErrorFrame, FinalFrame, PongFrame, StartFrame
from tests.functional.mangactl.assistant import Assistant, Script, answer, delta, error, final, start
from tools.chat_client import Answer, BrokenResponse, ChatClient, ConnectFailed


async def connect(assistant: Assistant, **options: Any) -> ChatClient:
    return await ChatClient.connect(assistant.websocket_url, assistant.api_base, **options)


async def test_a_question_yields_its_response_and_adds_up(assistant: Assistant) -> None:
    assistant.scripts.append(answer(start(), delta("うず"), delta("まき"), final()))
    collected = Answer()
    async with await connect(assistant) as client:
        frames = []
        async for frame in client.ask("ホラーは？", "ja"):
            collected.add(frame)
            frames.append(type(frame))
        assert client.session_id == "s1"
    assert frames == [StartFrame, DeltaFrame, DeltaFrame, FinalFrame]
    assert (collected.text, collected.deltas, collected.session_id) == ("うずまき", 2, "s1")
    assert collected.final is not None
    command = assistant.commands[0]
    assert (command["action"], command["text"]) == ("message", "ホラーは？")
    assert command["context_hints"] == {"locale": "ja"}
    assert assistant.connections == [{"protocol_version": "3", "token": "a.guest.token"}]


async def test_a_correction_replaces_the_text(assistant: Assistant) -> None:
    correction = {"type": "correction", "text": "B", "reasons": [{"stage": "pii", "reason": "r"}]}
    assistant.scripts.append(answer(start(), delta("A"), correction, final()))
    collected = Answer()
    async with await connect(assistant) as client:
        async for frame in client.ask("x"):
            collected.add(frame)
    assert (collected.text, collected.corrections) == ("B", 1)


async def test_a_session_is_resumed_with_its_id_and_its_token(assistant: Assistant) -> None:
    async with await connect(assistant, protocol_version=1, session_id="s7", token="t.o.k"):
        pass
    assert assistant.connections == [{"protocol_version": "1", "session_id": "s7", "token": "t.o.k"}]


async def test_a_resend_begins_where_it_was_asked_to(assistant: Assistant) -> None:
    assistant.scripts.append(answer(start(), delta("a"), delta("b"), final())[2:])
    async with await connect(assistant) as client:
        frames = [frame async for frame in client.resend("r1", 2)]
    assert [frame.sequence_number for frame in frames] == [2, 3]
    assert assistant.commands == [{"action": "resend", "response_id": "r1", "from_sequence": 2}]


async def test_an_unknown_response_is_an_answer_not_a_gap(assistant: Assistant) -> None:
    assistant.scripts.append(answer(error("unknown_response")))
    async with await connect(assistant) as client:
        frames = [frame async for frame in client.resend("r9", 5)]
    assert isinstance(frames[0], ErrorFrame)


async def test_ping_is_answered(assistant: Assistant) -> None:
    assistant.scripts.append(answer({"type": "pong"}))
    async with await connect(assistant) as client:
        assert isinstance(await client.ping(), PongFrame)


WHOLE = answer(start(), delta("a"), delta("b"), final())


async def test_a_frame_that_was_sent_again_is_passed_on_once(assistant: Assistant) -> None:
    assistant.scripts.append([WHOLE[0], WHOLE[1], WHOLE[0], WHOLE[1], WHOLE[1], *WHOLE[2:]])
    async with await connect(assistant) as client:
        frames = [frame async for frame in client.ask("x")]
    assert [frame.sequence_number for frame in frames] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ([WHOLE[0], WHOLE[2]], "frame 1 of response r1 is missing"),
        (WHOLE[1:], "frame 0 of response r1 is missing"),
        ([WHOLE[0], *answer(delta("x"), response_id="r2")], "a frame of response r2 came within response r1"),
        ([*WHOLE[:2], {**error(), "response_id": "r1", "sequence_number": 0}], "frame 2 of response r1"),
        (['{"message": "Internal server error"}'], "something that is no frame"),
        ([{**WHOLE[1], "text": 7}], "something that is no frame"),
        (["not json"], "something that is no frame"),
        ([b"\xff\xfe"], "something that is no frame"),
        ([*WHOLE[:2], None], "closed the connection"),
    ],
)
async def test_a_broken_response_is_noticed(assistant: Assistant, script: Script, problem: str) -> None:
    assistant.scripts.append(script)
    async with await connect(assistant) as client:
        with pytest.raises(BrokenResponse, match=problem):
            async for _ in client.ask("x"):
                pass


async def test_silence_ends(assistant: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.chat_client.SILENCE_SECONDS", 0.05)
    assistant.scripts.append([])
    async with await connect(assistant) as client:
        with pytest.raises(BrokenResponse, match="silent"):
            async for _ in client.ask("x"):
                pass


async def test_a_refused_handshake_names_its_status(assistant: Assistant) -> None:
    assistant.handshake_status = 403
    with pytest.raises(ConnectFailed, match="status 403") as refused:
        await connect(assistant)
    assert refused.value.status == 403


async def test_a_refused_token_names_its_status(assistant: Assistant) -> None:
    assistant.token_status = 503
    with pytest.raises(ConnectFailed, match="status 503"):
        await connect(assistant)
    assert assistant.connections == []


async def test_nobody_there_is_named(assistant: Assistant) -> None:
    nowhere = "127.0.0.1:1"
    with pytest.raises(ConnectFailed, match="guest-tokens does not answer"):
        await ChatClient.connect(assistant.websocket_url, f"http://{nowhere}")
    with pytest.raises(ConnectFailed, match="does not answer"):
        await ChatClient.connect(f"ws://{nowhere}/live", assistant.api_base)
