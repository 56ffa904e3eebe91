"""One command of one client, answered: the turn's story, its delivery and its record."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

from mangaassist.chat.delivery import Delivery
from mangaassist.chat.events import StoryEvent, TextDelta, TurnCompleted, TurnFailed, TurnUnderstood
from mangaassist.chat.replies import failure
from mangaassist.chat.stopwatch import Stopwatch
from mangaassist.chat.turn import Question, TurnStory
from mangaassist.errors import (
    ConnectionGone,
    DeadlineExceeded,
    DependencyError,
    MangaAssistError,
    NothingToResend,
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
CLOSING_MS = 1_000
"""Kept back from the deadline, so that a turn that runs out of time can still say so."""
LEAST_PATIENCE_SECONDS = 2.0
"""An error frame is worth so much patience even after the deadline; the gateway's 29 s allow for it."""
GRACE_MS = 250
"""Of that, what a stage with a bound of its own (the judge) has to close the turn better than by an error."""


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
    patience_seconds: float = 10.0
    """How long a frame waits out a gateway that throttles or fails; less when the turn has less time left."""

    async def handle(
        self,
        body: str | bytes | None,
        *,
        connection_id: str,
        subject: str,
        request_id: str,
        channel: FrameChannel,
    ) -> Observed:
        """Answer one client frame. Nothing a client sends, and nothing that breaks behind us, makes this raise."""
        stopwatch = Stopwatch(self.deadline_ms - CLOSING_MS)
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
                    return await self._resend(command, connection, channel, stopwatch)
                case _:
                    pong = PongFrame(response_id=response_id, sequence_number=0)
                    await self._delivery(channel, response_id, version, stopwatch).relay(pong)
                    return Observed("pong", response_id, frames=1)
        except ConnectionGone as gone:
            return await self._gone(connection_id, response_id, gone)
        except Exception as error:
            known = error if isinstance(error, MangaAssistError) else None
            if known is None or isinstance(error, DependencyError):
                self.on_turn_failed(response_id, error)
            delivery = self._delivery(channel, response_id, version, stopwatch)
            told = failure(error)
            try:
                await delivery.send(told)
            except ConnectionGone as gone:
                return await self._gone(connection_id, response_id, gone)
            except Exception as undeliverable:
                self.on_turn_failed(response_id, undeliverable)
            outcome = "refused" if known else "failed"
            return Observed(
                outcome, response_id, frames=len(delivery.sent), error=known, error_code=told.code
            )

    def _delivery(
        self, channel: FrameChannel, response_id: str, version: int, stopwatch: Stopwatch
    ) -> Delivery:
        def patience() -> float:
            left = (self.deadline_ms - stopwatch.elapsed_ms()) / 1000
            return min(self.patience_seconds, max(LEAST_PATIENCE_SECONDS, left))

        return Delivery(channel, response_id, version, patience=patience)

    async def _gone(self, connection_id: str, response_id: str, gone: ConnectionGone) -> Observed:
        """The client left; a row that could not be deleted expires by itself."""
        try:
            await self.sessions.forget_connection(connection_id)
        except Exception as error:
            self.on_turn_failed(response_id, error)
        return Observed("gone", response_id, error=gone)

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
            return await self._replay(before, version, channel, stopwatch, from_sequence=0)
        delivery = self._delivery(channel, response_id, version, stopwatch)
        question = Question(
            request_id=request_id,
            text=command.text,
            shopper=connection.subject,
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
                while (event := await self._next(events, stopwatch)) is not None:
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
                # A response ends once, whatever breaks after its last frame.
                if not delivery.ended:
                    await delivery.send(told)
            except DependencyError as undeliverable:
                self.on_turn_failed(response_id, undeliverable)
            finally:
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

    @staticmethod
    async def _next(events: AsyncGenerator[StoryEvent], stopwatch: Stopwatch) -> StoryEvent | None:
        """The turn's next event; a stage that has no bound of its own ends with the turn's time."""
        try:
            async with asyncio.timeout((stopwatch.remaining_ms("turn") + GRACE_MS) / 1000):
                return await anext(events, None)
        except TimeoutError:
            raise stopwatch.exceeded("turn") from None

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
        self, command: ResendCommand, connection: Connection, channel: FrameChannel, stopwatch: Stopwatch
    ) -> Observed:
        turn = await self.sessions.turn_by_response(connection.session_id, command.response_id)
        if turn is None:
            raise UnknownResponse(command.response_id)
        return await self._replay(
            turn, connection.protocol_version, channel, stopwatch, from_sequence=command.from_sequence
        )

    async def _replay(
        self, turn: Turn, version: int, channel: FrameChannel, stopwatch: Stopwatch, *, from_sequence: int
    ) -> Observed:
        missed = turn.frames[from_sequence:]
        if not missed:
            # Silence would leave the client waiting for a frame that does not exist.
            raise NothingToResend(turn.response_id)
        delivery = self._delivery(channel, turn.response_id, version, stopwatch)
        for text in missed:
            await delivery.relay(frame_adapter.validate_json(text))
        return Observed("replayed", turn.response_id, frames=len(missed))


@dataclass(slots=True)
class _Record:
    """Writes the turn once, however it ended. Only a complete turn that could not be written is an error."""

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
        if status == "complete":
            await self.service.sessions.save_turn(turn)
            return
        # The client has been told how the turn ended: a store that fails now must not end it a second time.
        try:
            await self.service.sessions.save_turn(turn)
        except Exception as error:
            self.service.on_turn_failed(self.response_id, error)
        try:
            await self.service.sessions.release_message(session_id, self.command.message_id)
        except Exception as error:
            self.service.on_turn_failed(self.response_id, error)
