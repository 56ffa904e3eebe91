"""One command of one client, answered: the turn's story, its delivery and its record."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

from mangaassist.chat.delivery import Delivery
from mangaassist.chat.events import TextDelta, TurnCompleted, TurnFailed, TurnUnderstood
from mangaassist.chat.replies import failure
from mangaassist.chat.stopwatch import Stopwatch
from mangaassist.chat.turn import Question, TurnStory
from mangaassist.errors import (
    ConnectionGone,
    DeadlineExceeded,
    DependencyError,
    MangaAssistError,
    SessionExpired,
    UnknownResponse,
)
from mangaassist.guardrails.admission import admit
from mangaassist.ports import FrameChannel, SessionStore
from mangaassist.protocol import (
    ErrorCode,
    MessageCommand,
    PongFrame,
    ResendCommand,
    dump_frame,
    frame_adapter,
    new_response_id,
    parse_command,
)
from mangaassist.sessions.records import Connection, Turn, TurnStatus
from mangaassist.versions import CURRENT_VERSION

HISTORY_TURNS = 3
"""Turns of the session that enter the prompt."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What happened to a command, for logs and metrics."""

    outcome: str
    response_id: str
    frames: int = 0
    throttles: int = 0
    error: MangaAssistError | None = None
    error_code: ErrorCode | None = None
    """What the client was told went wrong."""
    completed: TurnCompleted | None = None
    intent: str | None = None
    """What the question was taken to be; ``None`` when there was none, or the turn broke before that."""
    gaps_ms: tuple[int, ...] = ()
    """The silences between two pieces of the answer."""


@dataclass(frozen=True, slots=True)
class ChatService:
    """Answers the commands of clients; ``clock`` gives epoch seconds."""

    sessions: SessionStore
    story: TurnStory
    deadline_ms: int
    session_ttl_seconds: int
    on_turn_failed: Callable[[str, BaseException], None]
    """Told the response id and the error of every turn that broke, for the log; the client gets a safe sentence."""
    clock: Callable[[], float] = time.time

    async def handle(
        self,
        body: str | bytes | None,
        *,
        connection_id: str,
        subject: str,
        request_id: str,
        channel: FrameChannel,
    ) -> Observed:
        """Answer one client frame. Nothing a client sends makes this raise."""
        stopwatch = Stopwatch(self.deadline_ms)
        response_id = new_response_id()
        version = CURRENT_VERSION
        try:
            with stopwatch.stage("session"):
                connection = await self.sessions.connection(connection_id)
            if connection is not None:
                version = connection.protocol_version
            command = parse_command(body)
            if connection is None or connection.subject != subject:
                raise SessionExpired(connection.session_id if connection else connection_id)
            match command:
                case MessageCommand():
                    return await self._answer(
                        command, connection, request_id, response_id, channel, stopwatch
                    )
                case ResendCommand():
                    return await self._resend(command, connection, channel)
                case _:
                    await channel.post(
                        dump_frame(PongFrame(response_id=response_id, sequence_number=0), version)
                    )
                    return Observed("pong", response_id, frames=1)
        except ConnectionGone as gone:
            await self.sessions.forget_connection(connection_id)
            return Observed("gone", response_id, error=gone)
        except MangaAssistError as error:
            delivery = Delivery(channel, response_id, version)
            told = failure(error)
            try:
                await delivery.send(told)
            except ConnectionGone:
                await self.sessions.forget_connection(connection_id)
            return Observed(
                "refused", response_id, frames=len(delivery.sent), error=error, error_code=told.code
            )

    async def _answer(
        self,
        command: MessageCommand,
        connection: Connection,
        request_id: str,
        response_id: str,
        channel: FrameChannel,
        stopwatch: Stopwatch,
    ) -> Observed:
        session_id, version = connection.session_id, connection.protocol_version
        lease_seconds = self.deadline_ms // 1000 + 5
        with stopwatch.stage("session"):
            before = await self.sessions.claim_message(
                session_id, command.message_id, response_id, lease_seconds=lease_seconds
            )
        if before is not None:
            return await self._replay(before, version, channel, from_sequence=0)
        delivery = Delivery(channel, response_id, version)
        question = Question(
            request_id=request_id,
            text=command.text,
            hints=command.context_hints,
            history=lambda: self.sessions.recent_turns(session_id, HISTORY_TURNS),
        )
        record = _Record(self, command, connection, response_id, delivery)
        intent: str | None = None
        try:
            await delivery.start(
                session_id=session_id, message_id=command.message_id, resumed=connection.session_resumed
            )
            async with aclosing(self.story.tell(question, stopwatch)) as events:
                async for event in events:
                    if isinstance(event, TurnUnderstood):
                        intent = event.intent
                        continue
                    if isinstance(event, TurnCompleted):
                        event = await self._complete(event, delivery, record)
                        return Observed(
                            "answered",
                            response_id,
                            frames=len(delivery.sent),
                            throttles=delivery.throttles,
                            completed=event,
                            intent=intent,
                            gaps_ms=stopwatch.laps_ms(),
                        )
                    await delivery.send(event)
                    stopwatch.mark("first_text_posted")
                    if isinstance(event, TextDelta):
                        stopwatch.lap()
                    if isinstance(event, TurnFailed):
                        await record.write("failed")
                        return Observed(
                            event.code.value,
                            response_id,
                            frames=len(delivery.sent),
                            error_code=event.code,
                            intent=intent,
                            gaps_ms=stopwatch.laps_ms(),
                        )
            raise DeadlineExceeded("turn", self.deadline_ms)
        except ConnectionGone:
            await record.write("abandoned")
            raise
        except Exception as error:
            self.on_turn_failed(response_id, error)
            told = failure(error)
            try:
                await delivery.send(told)
            except DependencyError as undeliverable:
                self.on_turn_failed(response_id, undeliverable)
            await record.write("failed")
            known = error if isinstance(error, MangaAssistError) else None
            return Observed(
                "failed",
                response_id,
                frames=len(delivery.sent),
                error=known,
                error_code=told.code,
                intent=intent,
                gaps_ms=stopwatch.laps_ms(),
            )

    async def _complete(self, event: TurnCompleted, delivery: Delivery, record: _Record) -> TurnCompleted:
        """Store the turn, then send its end: a final frame lost on its way can be asked for again."""
        await delivery.flush()
        try:
            await record.write("complete", event)
        except DependencyError as error:
            # The shopper has the whole answer; a transcript that could not be written must not take it back.
            self.on_turn_failed(record.response_id, error)
            metadata = event.metadata
            event = replace(
                event,
                metadata=metadata.model_copy(update={"degraded": [*metadata.degraded, error.dependency]}),
            )
        await delivery.send(event)
        return event

    async def _resend(
        self, command: ResendCommand, connection: Connection, channel: FrameChannel
    ) -> Observed:
        turn = await self.sessions.turn_by_response(connection.session_id, command.response_id)
        if turn is None:
            raise UnknownResponse(command.response_id)
        return await self._replay(
            turn, connection.protocol_version, channel, from_sequence=command.from_sequence
        )

    async def _replay(
        self, turn: Turn, version: int, channel: FrameChannel, *, from_sequence: int
    ) -> Observed:
        missed = turn.frames[from_sequence:]
        for text in missed:
            await channel.post(dump_frame(frame_adapter.validate_json(text), version))
        return Observed("replayed", turn.response_id, frames=len(missed))


@dataclass(slots=True)
class _Record:
    """Writes the turn once, however it ended."""

    service: ChatService
    command: MessageCommand
    connection: Connection
    response_id: str
    delivery: Delivery
    written: bool = False

    async def write(self, status: TurnStatus, completed: TurnCompleted | None = None) -> None:
        if self.written:
            return
        self.written = True
        now = int(self.service.clock())
        frames = self.delivery.transcript()
        if completed is not None:
            final = self.delivery.preview(completed)
            frames = (*frames, dump_frame(final, CURRENT_VERSION).decode())
        session_id = self.connection.session_id
        turn = Turn(
            session_id=session_id,
            response_id=self.response_id,
            message_id=self.command.message_id,
            # The verbatim store is redacted (SES-2): what the shopper typed is never kept as typed.
            question=admit(self.command.text).text,
            answer=completed.answer if completed else self.delivery.text,
            intent=completed.intent if completed else "",
            status=status,
            frames=frames,
            created_at=now,
            expires_at=now + self.service.session_ttl_seconds,
        )
        await self.service.sessions.save_turn(turn)
        if status != "complete":
            await self.service.sessions.release_message(session_id, self.command.message_id)
