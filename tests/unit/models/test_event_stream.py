"""Event stream frames, read back by botocore's own parser."""

from __future__ import annotations

import json

from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from tools.twin.models import event_stream


@given(st.lists(st.text(max_size=200), min_size=1, max_size=5))
def test_botocore_reads_what_was_written(texts: list[str]) -> None:
    buffer = EventStreamBuffer()
    frames = b"".join(event_stream.event("contentBlockDelta", {"delta": {"text": text}}) for text in texts)
    for byte in range(0, len(frames), 7):  # frames arrive in any pieces
        buffer.add_data(frames[byte : byte + 7])
    read = list(buffer)
    assert [json.loads(frame.payload)["delta"]["text"] for frame in read] == texts
    assert all(
        frame.headers
        == {
            ":event-type": "contentBlockDelta",
            ":content-type": "application/json",
            ":message-type": "event",
        }
        for frame in read
    )


def test_an_exception_frame_names_itself() -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(event_stream.exception("throttlingException", "Too many tokens"))
    (frame,) = buffer
    assert frame.headers[":message-type"] == "exception"
    assert frame.headers[":exception-type"] == "throttlingException"
    assert json.loads(frame.payload) == {"message": "Too many tokens"}
