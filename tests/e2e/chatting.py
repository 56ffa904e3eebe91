"""Asking the deployed assistant as a page does."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from mangaassist.protocol import CorrectionFrame, DeltaFrame, FinalFrame
from tools.chat_client import ChatClient
from tools.twin.supervisor import Twin

ENGLISH = "Recommend horror manga like Junji Ito"
JAPANESE = "伊藤潤二みたいなホラー漫画のおすすめは？"
PATIENCE_SECONDS = 60

asked_again: Counter[str] = Counter()
"""Answers that ``lacking`` did not take, by what else they lacked; the run's summary shows it, so that nothing hides here."""


async def connect(twin: Twin, **options: Any) -> ChatClient:
    """A client of this twin as a guest."""
    return await ChatClient.connect(twin.urls().websocket, twin.urls().api, **options)


async def answer(client: ChatClient, text: str) -> tuple[list[Any], str, FinalFrame]:
    """All frames of the answer, the text that stays on the page, and the last frame, which has to be ``final``."""
    frames = [frame async for frame in client.ask(text)]
    final = frames[-1]
    assert isinstance(final, FinalFrame), final
    shown = ""
    for frame in frames:
        if isinstance(frame, DeltaFrame):
            shown += frame.text
        elif isinstance(frame, CorrectionFrame):
            shown = frame.text
    return frames, shown, final


async def lacking(twin: Twin, text: str, *missed: str) -> tuple[str, FinalFrame]:
    """Text and last frame of an answer to ``text`` that lacks ``missed``, in this order, and nothing else.

    The budgets of a turn are for a machine at rest. A busy one may miss those of other parts, too, which the answer then
    names: it is asked again until only ``missed`` are missing, for a minute. So is a circuit that an earlier fault opened.

    Raises:
        AssertionError: one of ``missed`` was there, or others were missing to the end.
    """
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        async with await connect(twin) as client:
            _, shown, final = await answer(client, text)
        degraded = final.metadata.degraded
        if degraded == list(missed):
            return shown, final
        assert set(missed) <= set(degraded), f"{missed} should be missing, and {degraded} are"
        asked_again[", ".join(sorted(set(degraded) - set(missed))) or "in another order"] += 1
        assert time.monotonic() < give_up, f"{degraded} stayed missing for {PATIENCE_SECONDS} s"
