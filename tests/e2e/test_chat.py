"""The whole path: a shopper's question over a real WebSocket, answered by the deployed functions."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import websockets
from websockets.exceptions import ConnectionClosed, InvalidStatus

from mangaassist.protocol import (
    DeltaFrame,
    ErrorFrame,
    PongFrame,
    StartFrame,
    frame_adapter,
)
from tests.e2e.chatting import ENGLISH, JAPANESE, answer, connect, lacking
from tests.e2e.until import until
from tools.twin.supervisor import Twin

pytestmark = pytest.mark.environments("prod")
"""The production templates; what shoppers of a laptop's twin do first is tried on ``local`` as well."""
BOTH = pytest.mark.environments("local", "prod")


@BOTH
@pytest.mark.req("STR-1", "STR-2", "STR-3", "RET-1", "RET-2", "GEN-6")
async def test_a_question_is_answered_token_by_token(twin: Twin) -> None:
    async with await connect(twin) as client:
        frames, shown, final = await answer(client, ENGLISH)
    assert isinstance(frames[0], StartFrame)
    assert [frame.sequence_number for frame in frames] == list(range(len(frames)))
    deltas = [frame for frame in frames if isinstance(frame, DeltaFrame)]
    assert len(deltas) > 10
    assert len(final.cards) >= 3
    assert all(re.fullmatch(r"B0[A-Z0-9]{8}", card.asin) for card in final.cards)
    assert any("Horror" in card.genres for card in final.cards)
    assert any("Junji Ito" in card.creators for card in final.cards)
    assert any(card.title.split(",")[0] in shown for card in final.cards)
    assert "$" not in shown
    metadata = final.metadata
    assert (metadata.intent, metadata.model_tier, metadata.retrieval_mode) == (
        "recommendation",
        "strong",
        "vector",
    )
    assert (metadata.answered_by or "").startswith("stand-in:")
    assert {"embedding", "search", "first_token", "generation", "judgement", "total"} <= set(
        metadata.timings_ms
    )
    assert final.citations


@BOTH
async def test_a_japanese_question_is_answered_in_japanese_from_the_same_facts(twin: Twin) -> None:
    async with await connect(twin) as client:
        _, shown, final = await answer(client, JAPANESE)
    assert re.search(r"[ぁ-んァ-ン]", shown)
    assert final.metadata.language == "ja"
    assert len(final.cards) >= 3
    assert any("Junji Ito" in card.creators for card in final.cards)


async def test_a_question_about_a_product_is_answered_from_its_facts(twin: Twin) -> None:
    async with await connect(twin) as client:
        _, shown, final = await answer(client, "How many volumes does Uzumaki have?")
    assert final.metadata.intent == "product_question"
    assert "Uzumaki" in shown
    assert re.search(r"\d", shown)


@pytest.mark.req("STR-2")
async def test_ten_clients_at_once_get_whole_streams(twin: Twin) -> None:
    async def one(number: int) -> None:
        async with await connect(twin) as client:
            frames, shown, final = await answer(client, ENGLISH if number % 2 else JAPANESE)
            assert [frame.sequence_number for frame in frames] == list(range(len(frames)))
            assert len({frame.response_id for frame in frames}) == 1
            assert shown.strip()
            assert len(final.cards) >= 3

    await asyncio.gather(*(one(number) for number in range(10)))


@BOTH
@pytest.mark.req("STR-4")
async def test_a_client_that_leaves_stops_the_model(twin: Twin, aws: Callable[[str], Any]) -> None:
    models = httpx.Client(base_url=twin.urls().models)
    models.put("/_twin/pace", json={"first_token_ms": 50, "tokens_per_second": 4}).raise_for_status()
    models.delete("/_twin/streams").raise_for_status()
    try:
        client = await connect(twin)
        received = 0
        async for frame in client.ask(ENGLISH):
            received += isinstance(frame, DeltaFrame)
            if received == 2:
                break
        await client.close()
        sent_when_leaving = _only_stream(models)["chunks_sent"]
        stream = await until(lambda: _ended(models), "the model's stream to end")
        assert stream["state"] == "client_gone"
        # The chunk whose delivery found the client gone, and the one the model may have had on its way.
        assert stream["chunks_sent"] <= sent_when_leaving + 2
        assert client.session_id is not None
        await until(lambda: not _connections(twin, aws, client.session_id), "the connection's row to go")
    finally:
        models.delete("/_twin/pace").raise_for_status()
        models.close()


def _connections(twin: Twin, aws: Callable[[str], Any], session_id: str) -> list[Any]:
    scan = aws("dynamodb").scan(
        TableName=twin.outputs()["Sessions"]["SessionsTableName"],
        FilterExpression="sk = :sk AND session_id = :session",
        ExpressionAttributeValues={":sk": {"S": "CONNECTION"}, ":session": {"S": session_id}},
    )
    return scan["Items"]


def _only_stream(models: httpx.Client) -> dict[str, Any]:
    streams = models.get("/_twin/streams").json()["streams"]
    assert len(streams) == 1
    return streams[0]


def _ended(models: httpx.Client) -> dict[str, Any] | None:
    stream = _only_stream(models)
    return stream if stream["state"] != "running" else None


@pytest.mark.req("STR-12")
@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("", "malformed"),
        ("hello", "malformed"),
        ("[]", "malformed"),
        ('{"action":"fly"}', "unknown_action"),
        ('{"action":"message","message_id":"m"}', "malformed"),
        ('{"action":"message","message_id":"m","text":' + '"' + "x" * 5_000 + '"}', "malformed"),
    ],
)
async def test_a_malformed_frame_leaves_the_connection_open(
    twin: Twin, frame: str | bytes, code: str
) -> None:
    async with await connect(twin) as client:
        await client.socket.send(frame)
        refused = frame_adapter.validate_json(await asyncio.wait_for(client.socket.recv(), 20))
        assert isinstance(refused, ErrorFrame)
        assert refused.code == code
        assert "Traceback" not in refused.message
        await client.socket.send('{"action":"ping"}')
        pong = frame_adapter.validate_json(await asyncio.wait_for(client.socket.recv(), 20))
        assert isinstance(pong, PongFrame)


@pytest.mark.req("STR-12")
async def test_a_binary_frame_closes_its_own_connection_only(twin: Twin) -> None:
    # API Gateway takes text frames alone and closes with 1003; the function never sees the frame.
    async with await connect(twin) as other:
        client = await connect(twin)
        await client.socket.send(b"\xff\xfe\x00\x01")
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(client.socket.recv(), 20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1003
        await other.socket.send('{"action":"ping"}')
        pong = frame_adapter.validate_json(await asyncio.wait_for(other.socket.recv(), 20))
        assert isinstance(pong, PongFrame)


@pytest.mark.req("SEC-1")
async def test_a_handshake_without_a_good_token_is_refused(twin: Twin) -> None:
    for subprotocols in (None, ["mangaassist"], ["mangaassist", "not.a.token"]):
        with pytest.raises(InvalidStatus) as refused:
            await websockets.connect(
                twin.urls().websocket,
                subprotocols=subprotocols and list(map(websockets.Subprotocol, subprotocols)),
            )
        assert refused.value.response.status_code in (401, 403)


@pytest.mark.req("SEC-1")
async def test_an_expired_token_is_refused(twin: Twin, aws: Callable[[str], Any]) -> None:
    from mangaassist.sessions import guest_token

    secrets = aws("secretsmanager")
    arn = next(each["ARN"] for each in secrets.list_secrets()["SecretList"] if "GuestToken" in each["Name"])
    secret = secrets.get_secret_value(SecretId=arn)["SecretString"]
    token, _ = guest_token.issue(secret, ttl_seconds=60, now=1_000_000)
    with pytest.raises(InvalidStatus) as refused:
        await websockets.connect(
            twin.urls().websocket,
            subprotocols=[websockets.Subprotocol("mangaassist"), websockets.Subprotocol(token)],
        )
    assert refused.value.response.status_code == 403


@pytest.mark.req("STR-1")
async def test_versions_are_served_side_by_side(twin: Twin) -> None:
    async with await connect(twin, protocol_version=1) as old, await connect(twin, protocol_version=2) as new:
        _, _, old_final = await answer(old, ENGLISH)
        _, _, new_final = await answer(new, ENGLISH)
    assert all(card.rating is None for card in old_final.cards)
    assert any(card.rating is not None for card in new_final.cards)


@BOTH
async def test_a_session_goes_on_after_a_reconnect(twin: Twin) -> None:
    async with await connect(twin) as client:
        frames, _, final = await answer(client, ENGLISH)
        session_id, token = client.session_id, client.token
    async with await connect(twin, session_id=session_id, token=token) as again:
        resumed, _, _ = await answer(again, "How many volumes does Uzumaki have?")
        assert resumed[0].session_id == session_id
        assert resumed[0].session_resumed
        await again.socket.send(
            json.dumps(
                {"action": "resend", "response_id": final.response_id, "from_sequence": len(frames) - 1}
            )
        )
        repeated = frame_adapter.validate_json(await asyncio.wait_for(again.socket.recv(), 20))
        assert repeated == final
    async with await connect(twin, session_id=session_id) as stranger:
        fresh, _, _ = await answer(stranger, ENGLISH)
        assert fresh[0].session_id != session_id
        assert not fresh[0].session_resumed


@pytest.mark.req("GEN-4")
async def test_a_throttled_model_is_replaced_by_the_next_of_its_chain(twin: Twin) -> None:
    twin.set_fault("bedrock-runtime", {"kind": "throttle", "share": 1.0, "match": "sonnet"})
    async with await connect(twin) as client:
        _, shown, final = await answer(client, ENGLISH)
    assert final.metadata.model_tier == "economy"
    assert shown


async def test_without_any_model_the_client_is_told_to_try_again(twin: Twin) -> None:
    twin.set_fault("bedrock-runtime", {"kind": "throttle", "share": 1.0, "match": "converse"})
    async with await connect(twin) as client:
        frames = [frame async for frame in client.ask(ENGLISH)]
        assert isinstance(frames[-1], ErrorFrame)
        assert (frames[-1].code, frames[-1].retryable) == ("model_unavailable", True)
        twin.clear_faults()
        await answer(client, ENGLISH)


@pytest.mark.req("RET-5")
async def test_without_search_the_answer_states_its_limits(twin: Twin) -> None:
    twin.set_fault("search", {"kind": "error", "share": 1.0, "status": 503})
    async with await connect(twin) as client:
        _, told, product_question = await answer(client, "Is Uzumaki finished?")
    ideas, final = await lacking(twin, ENGLISH, "search")
    assert product_question.cards == []
    assert "found no matching products" in told
    # Ideas need no search; and none of them passes for what it found.
    assert "found nothing for this" in ideas
    assert [card.recommended for card in final.cards].count(None) == 0
    for each in (product_question, final):
        assert each.metadata.retrieval_mode == "fallback"
        assert "search" in each.metadata.degraded


@pytest.mark.req("RES-6")
@pytest.mark.parametrize("kind", ["truncate", "garbage"])
async def test_a_broken_model_stream_ends_in_an_error_frame(twin: Twin, kind: str) -> None:
    twin.set_fault("bedrock-runtime", {"kind": kind, "share": 1.0})
    async with await connect(twin) as client:
        frames = [frame async for frame in client.ask(ENGLISH)]
    last = frames[-1]
    assert isinstance(last, ErrorFrame)
    assert last.retryable


@pytest.mark.req("SES-1")
def test_session_items_expire(twin: Twin, aws: Callable[[str], Any]) -> None:
    table = twin.outputs()["Sessions"]["SessionsTableName"]
    described = aws("dynamodb").describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert described["AttributeName"] == "expires_at"
    assert described["TimeToLiveStatus"] in ("ENABLED", "ENABLING")
    items = aws("dynamodb").scan(TableName=table)["Items"]
    assert items
    assert all("expires_at" in item for item in items)


@pytest.mark.req("OBS-1", "SEC-2")
async def test_one_request_id_runs_through_the_logs_and_no_personal_data(
    twin: Twin, aws: Callable[[str], Any]
) -> None:
    mail = "hanako.yamada@example.com"
    async with await connect(twin) as client:
        _, _, final = await answer(client, f"I am {mail}. {ENGLISH}")
    request_id = final.metadata.request_id

    def groups_with_it() -> set[str] | None:
        found = {name for name, text in _logs(aws) if request_id in text}
        return found if len(found) >= 2 else None

    found = await until(groups_with_it, "the request id in two functions' logs")
    assert any("Message" in name or "message" in name for name in found)
    assert any("Guardrail" in name or "guardrail" in name for name in found)
    assert all(mail not in text for _, text in _logs(aws))
    table = twin.outputs()["Sessions"]["SessionsTableName"]
    assert mail not in json.dumps(aws("dynamodb").scan(TableName=table)["Items"])


def _logs(aws: Callable[[str], Any]) -> list[tuple[str, str]]:
    logs = aws("logs")
    found: list[tuple[str, str]] = []
    for page in logs.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            name = group["logGroupName"]
            events = logs.filter_log_events(logGroupName=name).get("events", [])
            found.append((name, "\n".join(event["message"] for event in events)))
    return found


@BOTH
def test_every_process_is_healthy(twin: Twin) -> None:
    status = twin.status()
    assert status.is_running
    assert all(process.is_healthy for process in status.processes)
    assert status.memory_bytes > 0
