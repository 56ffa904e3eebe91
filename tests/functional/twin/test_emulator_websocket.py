"""The patches of WebSocket APIs, each against a stock emulator: where stock is right, the patch can go."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.functional.twin import socket_application
from tests.functional.twin.emulators import Emulator, until
from tests.functional.twin.socket_application import OFFERED


@dataclass(frozen=True)
class Deployed:
    """The socket application on one emulator."""

    emulator: Emulator
    api_id: str
    message_function: str

    def open(self, *, offered: list[str] | None = None, query: str = "", **options: Any) -> Any:
        url = self.emulator.socket_url(self.api_id) + query
        return connect(url, subprotocols=OFFERED if offered is None else offered, **options)  # type: ignore[arg-type]

    def clear(self) -> None:
        for path in self.emulator.scratch.iterdir():
            path.unlink()

    def note(self, name: str) -> dict[str, Any]:
        """What a function wrote down, once it has."""
        path = self.emulator.scratch / name
        return json.loads(until(lambda: path.read_text() if path.exists() else None))


def deployed(emulator: Emulator) -> Deployed:
    outputs = emulator.deploy(
        "socket",
        socket_application.resources(str(emulator.scratch)),
        Api={"Ref": "Api"},
        Message={"Ref": "MessageFunction"},
    )
    return Deployed(emulator, outputs["Api"], outputs["Message"])


@pytest.fixture(scope="module")
def stock_api(stock: Emulator) -> Deployed:
    return deployed(stock)


@pytest.fixture(scope="module")
def patched_api(patched: Emulator) -> Deployed:
    return deployed(patched)


@pytest.fixture(autouse=True)
def clean(stock_api: Deployed, patched_api: Deployed) -> None:
    stock_api.clear()
    patched_api.clear()


async def tell(api: Deployed, socket: ClientConnection, **command: Any) -> dict[str, Any]:
    """Send a frame and return what its function saw."""
    await socket.send(json.dumps(command))
    return await asyncio.to_thread(api.note, command["name"])


async def test_authorizer_context_and_routes_reach_the_functions(patched_api: Deployed) -> None:
    async with patched_api.open() as socket:
        message = await tell(patched_api, socket, action="message", name="a")
        assert message["route"] == "message"
        assert message["authorizer"] == {"subject": "guest-1", "kind": "guest", "principalId": "guest"}
        assert (await tell(patched_api, socket, action="unheard-of", name="b"))["route"] == "$default"
        await socket.send("no JSON at all: 漫画")
        plain = await asyncio.to_thread(patched_api.note, "unnamed")
        assert (plain["route"], plain["body"], plain["base64"]) == ("$default", "no JSON at all: 漫画", False)


async def test_who_is_not_let_in_gets_the_gateways_answers(patched_api: Deployed) -> None:
    for offered, status in (([], 401), (["mangaassist", "forged"], 403)):
        with pytest.raises(InvalidStatus) as refused:
            await patched_api.open(offered=offered)
        assert refused.value.response.status_code == status


async def test_websocket_handshake_echoes_the_subprotocol(stock_api: Deployed, patched_api: Deployed) -> None:
    async with stock_api.open() as socket:
        assert socket.subprotocol is None, "upstream echoes it now: remove websocket_handshake"
    async with patched_api.open() as socket:
        assert socket.subprotocol == "mangaassist"
    async with patched_api.open(offered=["let-me-in"]) as socket:
        assert socket.subprotocol is None


async def test_websocket_handshake_refuses_with_the_functions_status(
    stock_api: Deployed, patched_api: Deployed
) -> None:
    statuses = []
    for api in (stock_api, patched_api):
        with pytest.raises(InvalidStatus) as refused:
            await api.open(query="?refuse=1")
        statuses.append(refused.value.response.status_code)
    assert statuses == [403, 400]


async def test_websocket_frames_overlap_on_one_connection(stock_api: Deployed, patched_api: Deployed) -> None:
    outcomes = []
    for api, patience in ((stock_api, 1.0), (patched_api, 15.0)):
        async with api.open() as socket:
            for me, other in (("a", "b"), ("b", "a")):
                await socket.send(
                    json.dumps({"action": "message", "name": me, "meet": [me, other], "patience": patience})
                )
            outcomes.append((await asyncio.to_thread(api.note, "a"))["met"])
    assert outcomes == [False, True]


async def test_websocket_functions_serve_two_connections_at_once(
    stock_api: Deployed, patched_api: Deployed
) -> None:
    outcomes = []
    for api, patience in ((stock_api, 1.0), (patched_api, 15.0)):
        async with api.open() as one, api.open() as two:
            for socket, me, other in ((one, "a", "b"), (two, "b", "a")):
                await socket.send(
                    json.dumps({"action": "message", "name": me, "meet": [me, other], "patience": patience})
                )
            notes = [await asyncio.to_thread(api.note, name) for name in ("a", "b")]
            outcomes.append(all(note["met"] for note in notes))
    assert outcomes == [False, True]


async def test_websocket_functions_write_their_logs(stock_api: Deployed, patched_api: Deployed) -> None:
    lines = []
    for api in (stock_api, patched_api):
        async with api.open() as socket:
            await tell(api, socket, action="message", name="logged")
        lines.append(await asyncio.to_thread(logged, api))
    assert not lines[0], "upstream logs WebSocket invocations now: look at websocket_functions"
    assert any("said" in line for line in lines[1])


def logged(api: Deployed) -> list[str]:
    """Log lines of the message function; waits for them only where they are expected to come."""
    logs = api.emulator.client("logs")

    def events() -> list[str]:
        try:
            found = logs.filter_log_events(logGroupName=f"/aws/lambda/{api.message_function}")["events"]
        except ClientError:
            return []
        return [event["message"] for event in found]

    until(lambda: events() or not is_patched(api))
    return events()


def is_patched(api: Deployed) -> bool:
    return api.emulator.running.name == "tools.twin.emulator"


async def test_a_failing_function_answers_the_gateways_frame_and_tells_nothing(
    stock_api: Deployed, patched_api: Deployed
) -> None:
    async with stock_api.open() as socket:
        await socket.send(json.dumps({"action": "message", "fail": True}))
        assert "a secret of the handler" in await socket.recv(), "upstream keeps it to itself now"
    async with patched_api.open() as socket:
        await socket.send(json.dumps({"action": "message", "fail": True}))
        answer = json.loads(await socket.recv())
        assert answer["message"] == "Internal server error"
        assert set(answer) == {"message", "connectionId", "requestId"}
        assert (await tell(patched_api, socket, action="message", name="after"))["route"] == "message"


async def test_return_values_are_not_sent_to_the_client(stock_api: Deployed, patched_api: Deployed) -> None:
    async with stock_api.open() as socket:
        await tell(stock_api, socket, action="message", name="returned")
        assert await socket.recv() == "a return value", "upstream drops it now: look at websocket_frames"
    async with patched_api.open() as socket:
        await tell(patched_api, socket, action="message", name="returned")
        await socket.send(json.dumps({"action": "message", "fail": True}))
        assert json.loads(await socket.recv())["message"] == "Internal server error"


async def test_websocket_limits_close_with_the_gateways_codes(
    stock_api: Deployed, patched_api: Deployed
) -> None:
    text = json.dumps({"action": "message", "name": "large", "filler": "x" * 40_000})
    parts = [text[:30_000], text[30_000:]]
    async with stock_api.open() as socket:
        await socket.send(text)
        assert await asyncio.to_thread(stock_api.note, "large"), (
            "upstream has limits now: look at websocket_limits"
        )
    async with patched_api.open() as socket:
        await socket.send(parts)
        assert len((await asyncio.to_thread(patched_api.note, "large"))["body"]) == len(text)
    assert await closing_code(patched_api, text) == 1009
    assert await closing_code(patched_api, ["x" * 30_000] * 5) == 1009
    assert await closing_code(patched_api, b"\x00\x01") == 1003


async def closing_code(api: Deployed, frame: str | bytes | list[str]) -> int:
    """Send a frame and return the code the server closes with."""
    # The server leaves it to the client to end the connection after its last word.
    async with api.open(close_timeout=0.1) as socket:
        with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012 - the server may close during the send
            await socket.send(frame)
            while True:
                await socket.recv()
        assert closed.value.rcvd is not None
        return closed.value.rcvd.code


async def test_text_that_is_not_utf8_closes_the_connection_and_only_it(patched_api: Deployed) -> None:
    async with patched_api.open() as broken, patched_api.open() as whole:
        await broken.send(b"\xff\xfe", text=True)
        with pytest.raises(ConnectionClosed):
            await broken.recv()
        assert (await tell(patched_api, whole, action="message", name="whole"))["route"] == "message"


async def test_websocket_load_survives_a_frame_that_nests_too_deep(
    stock_api: Deployed, patched_api: Deployed
) -> None:
    deep = "[" * 20_000
    async with stock_api.open() as socket:
        await socket.send(deep)
        await asyncio.wait_for(socket.wait_closed(), 30)
    async with patched_api.open() as socket:
        await socket.send(deep)
        assert (await tell(patched_api, socket, action="message", name="after"))["route"] == "message"


async def test_posting_to_a_connection_and_after_it_is_gone(patched_api: Deployed) -> None:
    async with patched_api.open() as socket:
        connection = Path(patched_api.emulator.scratch, "connected").read_text()
        await asyncio.to_thread(management_post, patched_api, connection, "こんにちは")
        assert await socket.recv() == "こんにちは"
    with pytest.raises(ClientError) as gone:
        await asyncio.to_thread(management_post, patched_api, connection, "late")
    assert gone.value.response["ResponseMetadata"]["HTTPStatusCode"] == 410


async def test_websocket_close_code_reaches_the_disconnect_function(
    stock_api: Deployed, patched_api: Deployed
) -> None:
    codes = []
    for api in (stock_api, patched_api):
        async with api.open() as socket:
            connection = Path(api.emulator.scratch, "connected").read_text()
            await socket.close(1001, "page left")
        codes.append((await asyncio.to_thread(api.note, f"gone-{connection}"))["code"])
    assert codes == [1006, 1001]


async def test_websocket_gone_answers_410_as_soon_as_the_client_left(
    stock_api: Deployed, patched_api: Deployed
) -> None:
    outcomes = []
    for api in (stock_api, patched_api):
        async with api.open():
            connection = Path(api.emulator.scratch, "connected").read_text()
        outcomes.append(await asyncio.to_thread(accepted_after_close, api, connection))
    assert outcomes[0], "upstream forgets a connection at once now: remove websocket_gone"
    assert not outcomes[1]


def accepted_after_close(api: Deployed, connection: str) -> bool:
    """Whether the gateway still takes a message although the client has completed the closing handshake."""
    try:
        management_post(api, connection, "late")
    except ClientError:
        return False
    return True


def management_post(api: Deployed, connection: str, text: str) -> None:
    endpoint = api.emulator.socket_url(api.api_id).replace("ws:", "http:")
    client = api.emulator.client("apigatewaymanagementapi", endpoint=endpoint)
    client.post_to_connection(ConnectionId=connection, Data=text.encode())
