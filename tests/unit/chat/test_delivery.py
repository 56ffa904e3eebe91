"""Frames keep their order and their numbers, whatever the gateway does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangaassist.chat.delivery import Delivery
from mangaassist.chat.events import TextDelta, TurnFailed
from mangaassist.errors import ConnectionGone, DependencyThrottled, DependencyUnavailable
from mangaassist.protocol import ErrorCode
from tests.fakes.turn import FakeChannel

THROTTLED = DependencyThrottled("connections", "LimitExceededException")


class Clock:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def pause(self, seconds: float) -> None:
        self.now += seconds


def delivery(channel: FakeChannel, clock: Clock | None = None) -> Delivery:
    clock = clock or Clock()
    return Delivery(channel, "r", 2, clock=clock, pause=clock.pause)


@pytest.mark.req("STR-2")
async def test_every_chunk_leaves_as_it_came() -> None:
    channel = FakeChannel()
    sending = delivery(channel)
    await sending.start(session_id="s", message_id="m", resumed=False)
    for text in ("Try ", "う", "ずまき", "."):
        await sending.send(TextDelta(text))
    assert [frame["sequence_number"] for frame in channel.frames] == [0, 1, 2, 3, 4]
    assert [frame.get("text") for frame in channel.frames] == [None, "Try ", "う", "ずまき", "."]


@given(
    texts=st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=30),
    throttled=st.sets(st.integers(0, 40), max_size=15),
    steps=st.lists(st.sampled_from([0.0, 0.03, 0.2]), min_size=30, max_size=30),
)
@pytest.mark.req("STR-2")
async def test_throttling_loses_nothing_and_leaves_no_gap(
    texts: list[str], throttled: set[int], steps: list[float]
) -> None:
    clock = Clock()
    channel = FakeChannel(failures=dict.fromkeys(throttled, THROTTLED))
    sending = delivery(channel, clock)
    for text, step in zip(texts, steps, strict=False):
        await sending.send(TextDelta(text))
        clock.now += step
    await sending.send(TurnFailed(ErrorCode.INTERNAL, "x", retryable=True))
    frames = channel.frames
    assert "".join(frame.get("text", "") for frame in frames) == "".join(texts)
    assert [frame["sequence_number"] for frame in frames] == list(range(len(frames)))
    assert frames[-1]["type"] == "error"


async def test_deltas_merge_while_the_gateway_throttles() -> None:
    clock = Clock()
    channel = FakeChannel(failures={0: THROTTLED})
    sending = delivery(channel, clock)
    for text in "abc":
        await sending.send(TextDelta(text))
    clock.now += 0.2
    await sending.send(TextDelta("d"))
    assert [frame["text"] for frame in channel.frames] == ["abcd"]
    assert sending.throttles == 1


async def test_a_client_that_left_is_told_at_once() -> None:
    sending = delivery(FakeChannel(failures={1: ConnectionGone("c")}))
    await sending.send(TextDelta("a"))
    with pytest.raises(ConnectionGone):
        await sending.send(TextDelta("b"))
    assert sending.text == "a"


async def test_patience_with_a_gateway_that_never_recovers_ends() -> None:
    clock = Clock()
    channel = FakeChannel(failures=dict.fromkeys(range(1000), THROTTLED))
    sending = delivery(channel, clock)
    with pytest.raises(DependencyThrottled):
        await sending.send(TurnFailed(ErrorCode.INTERNAL, "x", retryable=True))
    assert 10 <= clock.now < 12


@pytest.mark.req("STR-2")
async def test_a_frame_that_may_have_arrived_is_sent_again_as_it_was() -> None:
    channel = FakeChannel(failures=dict.fromkeys((1, 2), DependencyUnavailable("connections", "500")))
    sending = delivery(channel)
    for text in "abc":
        await sending.send(TextDelta(text))
    assert [(frame["sequence_number"], frame["text"]) for frame in channel.frames] == [
        (0, "a"),
        (1, "b"),
        (2, "c"),
    ]
    assert sending.throttles == 0
    assert not sending.ended
    await sending.send(TurnFailed(ErrorCode.INTERNAL, "x", retryable=True))
    assert sending.ended
