"""A chat client for programs: the terminal chat, the demo, the tests and the benches.

    async with await ChatClient.connect(websocket_url, api_base) as client:
        async for frame in client.ask("Recommend horror manga like Junji Ito"):
            ...

Every frame is validated against the protocol and every response against gaps, so whoever iterates may trust both.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlencode, urlsplit

import httpx
from pydantic import ValidationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.protocol import State
from websockets.typing import Subprotocol

from mangaassist.protocol import (
    CorrectionFrame,
    DeltaFrame,
    ErrorFrame,
    FinalFrame,
    Frame,
    Locale,
    PongFrame,
    StartFrame,
    frame_adapter,
)
from mangaassist.versions import CURRENT_VERSION, SUBPROTOCOL

OPEN_SECONDS: Final = 30.0
"""The gateway waits 29 s for the functions behind a handshake."""
SILENCE_SECONDS: Final = 30.0
"""The service answers a message within 25 s (RES-5), so a longer silence is a failure."""

AnyFrame = StartFrame | DeltaFrame | CorrectionFrame | FinalFrame | ErrorFrame | PongFrame


class ChatError(Exception):
    """Base of what can go wrong between this client and the service; the message says what to do."""


class ConnectFailed(ChatError):
    """No connection; ``status`` is the HTTP status of the refusal, if there was one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


class BrokenResponse(ChatError):
    """The service broke the protocol: an unknown frame, a gap in the sequence, silence, or a closed connection."""


@dataclass(slots=True)
class Answer:
    """What a response adds up to; times are milliseconds since the question was sent."""

    asked_at: float = field(default_factory=time.monotonic)
    text: str = ""
    session_id: str | None = None
    deltas: int = 0
    corrections: int = 0
    first_token_ms: int | None = None
    total_ms: int | None = None
    final: FinalFrame | None = None
    error: ErrorFrame | None = None

    def add(self, frame: Frame) -> None:
        """Take the next frame of the response."""
        elapsed_ms = round((time.monotonic() - self.asked_at) * 1000)
        match frame:
            case StartFrame():
                self.session_id = frame.session_id
            case DeltaFrame():
                self.deltas += 1
                self.text += frame.text
                if self.first_token_ms is None:
                    self.first_token_ms = elapsed_ms
            case CorrectionFrame():
                self.corrections += 1
                self.text = frame.text
            case FinalFrame():
                self.final, self.total_ms = frame, elapsed_ms
            case ErrorFrame():
                self.error, self.total_ms = frame, elapsed_ms
            case _:
                pass


class ChatClient:
    """One connection, over ``socket``; ``token`` and ``session_id`` let a later one resume the same session."""

    def __init__(self, socket: ClientConnection, token: str, protocol_version: int) -> None:
        self.socket = socket
        self.token = token
        self.protocol_version = protocol_version
        self.session_id: str | None = None

    @classmethod
    async def connect(
        cls,
        websocket_url: str,
        api_base: str,
        protocol_version: int = CURRENT_VERSION,
        session_id: str | None = None,
        *,
        token: str | None = None,
    ) -> Self:
        """Open a connection.

        Args:
            websocket_url: of the stage, without a query.
            api_base: where ``/v1/chat/guest-tokens`` is.
            protocol_version: to ask for.
            session_id: to resume; it needs the token it was made with.
            token: a guest token; a new one is fetched without it.

        Raises:
            ConnectFailed: nobody there, or refused.
        """
        token = token or await guest_token(api_base)
        query = {"protocol_version": str(protocol_version)} | (
            {"session_id": session_id} if session_id else {}
        )
        try:
            socket = await connect(
                f"{websocket_url}?{urlencode(query)}",
                subprotocols=[Subprotocol(SUBPROTOCOL), Subprotocol(token)],
                open_timeout=OPEN_SECONDS,
                max_size=1024 * 1024,
                # A proxy of this machine does not know the way to a twin on this machine.
                proxy=None if _is_local(websocket_url) else True,
            )
        except InvalidStatus as error:
            status = error.response.status_code
            raise ConnectFailed(
                f"{websocket_url} refused the connection with status {status}", status
            ) from None
        except (OSError, TimeoutError, InvalidHandshake) as error:
            raise ConnectFailed(f"{websocket_url} does not answer ({type(error).__name__})") from None
        return cls(socket, token, protocol_version)

    async def ask(
        self, text: str, locale: Locale | None = None, *, message_id: str | None = None
    ) -> AsyncIterator[AnyFrame]:
        """Send a question and yield its response, which ends with a ``final`` or an ``error`` frame.

        Raises:
            BrokenResponse: the service broke the protocol.
        """
        command: dict[str, object] = {
            "action": "message",
            "message_id": message_id or uuid.uuid4().hex,
            "text": text,
        }
        if locale:
            command["context_hints"] = {"locale": locale}
        await self.send(json.dumps(command, ensure_ascii=False))
        async for frame in self.response():
            yield frame

    async def resend(self, response_id: str, from_sequence: int = 0) -> AsyncIterator[AnyFrame]:
        """Yield a finished response once more, from ``from_sequence`` on."""
        command = {"action": "resend", "response_id": response_id, "from_sequence": from_sequence}
        await self.send(json.dumps(command))
        async for frame in self.response(from_sequence):
            yield frame

    async def ping(self) -> AnyFrame:
        """Keep the connection alive; returns the answer."""
        await self.send(json.dumps({"action": "ping"}))
        return await self.receive()

    async def send(self, data: str | bytes) -> None:
        """Send a frame as it is, well-formed or not."""
        try:
            await self.socket.send(data)
        except ConnectionClosed as error:
            raise BrokenResponse(f"the connection is closed ({_close_code(error)}); connect again") from None

    async def receive(self) -> AnyFrame:
        """The next frame, validated."""
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                raw = await self.socket.recv()
        except ConnectionClosed as error:
            raise BrokenResponse(f"the service closed the connection ({_close_code(error)})") from None
        except TimeoutError:
            raise BrokenResponse(f"the service was silent for {SILENCE_SECONDS:.0f} s") from None
        try:
            frame = frame_adapter.validate_json(raw)
        except ValidationError:
            # API Gateway's own words, such as "Internal server error", or a frame this version does not know.
            raise BrokenResponse(f"the service sent something that is no frame: {raw[:200]!r}") from None
        if isinstance(frame, StartFrame):
            self.session_id = frame.session_id
        return frame

    async def response(self, from_sequence: int = 0) -> AsyncIterator[AnyFrame]:
        """Frames up to the end of one response, each once, checked for gaps and for frames of another response."""
        response_id: str | None = None
        expected = from_sequence
        while True:
            frame = await self.receive()
            response_id = response_id or frame.response_id
            if frame.response_id != response_id:
                raise BrokenResponse(
                    f"a frame of response {frame.response_id} came within response {response_id}"
                )
            # An error that answers the command itself, such as an unknown response, counts from 0.
            refused = (
                isinstance(frame, ErrorFrame) and frame.sequence_number == 0 and expected == from_sequence
            )
            if frame.sequence_number < expected and not isinstance(frame, ErrorFrame):
                # Delivery is at least once: a frame that may not have arrived is sent again under its number.
                continue
            if frame.sequence_number != expected and not refused:
                raise BrokenResponse(f"frame {expected} of response {response_id} is missing")
            expected += 1
            yield frame
            if isinstance(frame, FinalFrame | ErrorFrame):
                return

    @property
    def is_open(self) -> bool:
        """Whether a question can be sent."""
        return self.socket.state is State.OPEN

    async def close(self) -> None:
        """Leave politely."""
        await self.socket.close()

    def abandon(self) -> None:
        """Leave as a lost network does: without a word."""
        self.socket.transport.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def guest_token(api_base: str) -> str:
    """A fresh identity for an anonymous shopper.

    Raises:
        ConnectFailed: nobody there, or refused.
    """
    url = f"{api_base.rstrip('/')}/v1/chat/guest-tokens"
    try:
        async with httpx.AsyncClient(timeout=OPEN_SECONDS, trust_env=not _is_local(url)) as http:
            response = await http.post(url)
    except httpx.HTTPError as error:
        raise ConnectFailed(f"{url} does not answer ({type(error).__name__})") from None
    if response.status_code != 201:
        raise ConnectFailed(
            f"{url} refused a guest token with status {response.status_code}", response.status_code
        )
    return str(response.json()["token"])


def _close_code(error: ConnectionClosed) -> str:
    return f"code {error.rcvd.code}" if error.rcvd else "without a close frame"


def _is_local(url: str) -> bool:
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
