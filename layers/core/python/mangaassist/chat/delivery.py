"""Frames on their way to one client: stamped, in order, and merged while the gateway asks to slow down.

Every delta is posted as it comes (STR-2). When the management API throttles (429), deltas are held for a short,
growing window and leave as one frame, so that the answer catches up instead of falling further behind. Sequence
numbers are given at the moment of sending, so they have no gap whatever was merged.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from mangaassist.chat.events import TextCorrected, TextDelta, TurnCompleted, TurnEvent, TurnFailed
from mangaassist.errors import DependencyThrottled, DependencyUnavailable
from mangaassist.ports import FrameChannel
from mangaassist.protocol import (
    CorrectionFrame,
    DeltaFrame,
    ErrorFrame,
    FinalFrame,
    Frame,
    StartFrame,
    dump_frame,
)
from mangaassist.versions import CURRENT_VERSION

MAX_HOLD_SECONDS = 0.1
"""Deltas coalesce for at most this long after a throttle (architecture, decision 9)."""
FIRST_RETRY_SECONDS = 0.05
MAX_RETRY_SECONDS = 1.0


class Delivery:
    """One response on its way to one client.

    Raises ``ConnectionGone`` from any method once the client left, and the channel's ``DependencyThrottled`` or
    ``DependencyUnavailable`` when a frame that must not be lost could not be sent within ``patience`` seconds.
    """

    def __init__(
        self,
        channel: FrameChannel,
        response_id: str,
        version: int,
        *,
        patience: Callable[[], float] = lambda: 10.0,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._channel = channel
        self._response_id = response_id
        self._version = version
        self._patience = patience
        self._clock = clock
        self._pause = pause
        self._held = ""
        self._hold_until = 0.0
        self.sent: list[Frame] = []
        self.throttles = 0

    @property
    def text(self) -> str:
        """The answer as the client has it."""
        text = ""
        for frame in self.sent:
            if isinstance(frame, DeltaFrame):
                text += frame.text
            elif isinstance(frame, CorrectionFrame):
                text = frame.text
        return text

    def transcript(self) -> tuple[str, ...]:
        """The frames sent so far, each in the current protocol version, for a later resend."""
        return tuple(dump_frame(frame, CURRENT_VERSION).decode() for frame in self.sent)

    @property
    def ended(self) -> bool:
        """Whether the client has been sent the response's last frame."""
        return bool(self.sent) and isinstance(self.sent[-1], FinalFrame | ErrorFrame)

    async def relay(self, frame: Frame) -> None:
        """Send a frame that has its number already."""
        await self._must_send(lambda _: frame)

    async def start(self, *, session_id: str, message_id: str, resumed: bool) -> None:
        """Open the response."""
        await self._must_send(
            lambda number: StartFrame(
                response_id=self._response_id,
                sequence_number=number,
                session_id=session_id,
                message_id=message_id,
                protocol_version=self._version,
                session_resumed=resumed,
            )
        )

    async def send(self, event: TurnEvent) -> None:
        """Send what the turn has to say."""
        if isinstance(event, TextDelta):
            await self._delta(event.text)
            return
        await self.flush()
        await self._must_send(lambda number: self._frame(event, number))

    def preview(self, event: TurnEvent) -> Frame:
        """The frame ``event`` will be, once everything held back is flushed."""
        return self._frame(event, len(self.sent))

    async def flush(self) -> None:
        """Send the text that is held back."""
        if self._held:
            text, self._held = self._held, ""
            await self._must_send(lambda number: self._frame(TextDelta(text), number))

    async def _delta(self, text: str) -> None:
        self._held += text
        if self._clock() < self._hold_until:
            return
        try:
            await self._post(self._frame(TextDelta(self._held), len(self.sent)))
        except DependencyThrottled:
            self.throttles += 1
            self._hold_until = self._clock() + MAX_HOLD_SECONDS
        except DependencyUnavailable:
            # The frame may have arrived: only the very same one may be sent under its number again.
            await self.flush()
        else:
            self._held = ""

    async def _must_send(self, build: Callable[[int], Frame]) -> None:
        """Send a frame that nothing can stand in for: wait out throttles with back-off and full jitter."""
        give_up = self._clock() + self._patience()
        ceiling = FIRST_RETRY_SECONDS
        while True:
            try:
                await self._post(build(len(self.sent)))
                return
            except (DependencyThrottled, DependencyUnavailable) as error:
                self.throttles += isinstance(error, DependencyThrottled)
                if self._clock() >= give_up:
                    raise
                await self._pause(random.uniform(0, ceiling))  # noqa: S311 - jitter, not a secret
                ceiling = min(ceiling * 2, MAX_RETRY_SECONDS)

    async def _post(self, frame: Frame) -> None:
        await self._channel.post(dump_frame(frame, self._version))
        self.sent.append(frame)

    def _frame(self, event: TurnEvent, number: int) -> Frame:
        match event:
            case TextDelta(text):
                return DeltaFrame(response_id=self._response_id, sequence_number=number, text=text)
            case TextCorrected(text, reasons):
                return CorrectionFrame(
                    response_id=self._response_id, sequence_number=number, text=text, reasons=list(reasons)
                )
            case TurnCompleted():
                return FinalFrame(
                    response_id=self._response_id,
                    sequence_number=number,
                    cards=list(event.cards),
                    buttons=list(event.buttons),
                    citations=list(event.citations),
                    metadata=event.metadata,
                )
            case TurnFailed(code, message, retryable):
                return ErrorFrame(
                    response_id=self._response_id,
                    sequence_number=number,
                    code=code,
                    message=message,
                    retryable=retryable,
                )
