"""The protocol at its border: what is let in, what goes out, and that nothing a client sends can break it."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangaassist.errors import MalformedCommand, UnknownProtocolVersion
from mangaassist.protocol import (
    MAX_COMMAND_BYTES,
    DeltaFrame,
    ErrorCode,
    FinalFrame,
    MessageCommand,
    PingCommand,
    ResendCommand,
    dump_frame,
    frame_adapter,
    new_response_id,
    parse_command,
)
from mangaassist.versions import CURRENT_VERSION, negotiate_version, offered_token

FINAL = {
    "type": "final",
    "response_id": "r",
    "sequence_number": 3,
    "cards": [
        {
            "asin": "B0TEST0001",
            "series_id": "MG00001",
            "title": "Uzumaki, Vol. 1",
            "price": {"amount": "9.99", "currency": "USD"},
            "in_stock": True,
            "url": "https://store.example/manga/MG00001",
            "rating": {"average": 4.5, "count": 12},
        }
    ],
    "buttons": [],
    "citations": [],
    "metadata": {
        "request_id": "q",
        "intent": "recommendation",
        "intent_source": "rules",
        "intent_confidence": 1.0,
        "language": "en",
        "guardrail_action": "none",
        "retrieval_mode": "vector",
        "timings_ms": {"total": 12},
    },
}


def test_commands_are_read() -> None:
    message = parse_command('{"action":"message","message_id":"m-1","text":"こんにちは"}')
    assert isinstance(message, MessageCommand)
    assert message.text == "こんにちは"
    assert message.context_hints.surface == "web"
    assert isinstance(parse_command('{"action":"ping"}'), PingCommand)
    resend = parse_command(b'{"action":"resend","response_id":"r","from_sequence":4}')
    assert isinstance(resend, ResendCommand)
    assert resend.from_sequence == 4


@pytest.mark.req("STR-12")
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (None, ErrorCode.MALFORMED),
        ("", ErrorCode.MALFORMED),
        ("hello", ErrorCode.MALFORMED),
        (b"\xff\xfe\x00", ErrorCode.MALFORMED),
        ("\ud800", ErrorCode.MALFORMED),
        ("[1]", ErrorCode.MALFORMED),
        ("[" * 20_000, ErrorCode.MALFORMED),
        ("{}", ErrorCode.UNKNOWN_ACTION),
        ('{"action":{"a":1}}', ErrorCode.UNKNOWN_ACTION),
        ('{"action":"fly"}', ErrorCode.UNKNOWN_ACTION),
        ('{"action":"message"}', ErrorCode.MALFORMED),
        ('{"action":"message","message_id":"m","text":""}', ErrorCode.MALFORMED),
        ('{"action":"message","message_id":"m","text":42}', ErrorCode.MALFORMED),
        ('{"action":"message","message_id":"a b","text":"x"}', ErrorCode.MALFORMED),
        ('{"action":"message","message_id":"m","text":"x","admin":true}', ErrorCode.MALFORMED),
        ('{"action":"resend","response_id":"r","from_sequence":-1}', ErrorCode.MALFORMED),
        (
            '{"action":"message","message_id":"m","text":"' + "x" * MAX_COMMAND_BYTES + '"}',
            ErrorCode.TOO_LARGE,
        ),
    ],
)
def test_malformed_commands_are_refused_with_a_sentence(body: str | bytes | None, code: ErrorCode) -> None:
    with pytest.raises(MalformedCommand) as refused:
        parse_command(body)
    assert refused.value.code == code
    assert refused.value.sentence.endswith(".")


@pytest.mark.req("STR-12")
@given(st.one_of(st.text(max_size=200), st.binary(max_size=200)))
def test_no_input_raises_anything_else(body: str | bytes) -> None:
    with contextlib.suppress(MalformedCommand):
        parse_command(body)


@pytest.mark.parametrize("field", ["message_id", "context_hints"])
def test_a_refusal_never_repeats_what_was_sent(field: str) -> None:
    command = {"action": "message", "message_id": "m", "text": "hi", field: "4111 1111 1111 1111"}
    with pytest.raises(MalformedCommand) as refused:
        parse_command(json.dumps(command))
    assert field in refused.value.sentence
    assert "4111" not in refused.value.sentence


@pytest.mark.req("STR-1")
def test_version_one_cards_have_no_rating_and_version_two_cards_do() -> None:
    final = frame_adapter.validate_python(FINAL)
    assert isinstance(final, FinalFrame)
    assert "rating" not in json.loads(dump_frame(final, 1))["cards"][0]
    assert json.loads(dump_frame(final, 2))["cards"][0]["rating"] == {"average": 4.5, "count": 12}


@pytest.mark.req("STR-1")
def test_a_card_without_a_price_goes_to_clients_that_expect_such_alone() -> None:
    priced = FINAL["cards"][0]
    unpriced = {
        name: value for name, value in priced.items() if name not in ("price", "list_price", "in_stock")
    }
    final = frame_adapter.validate_python(
        {**FINAL, "cards": [unpriced, {**priced, "price_as_of": "2026-11-20T08:00:00Z"}]}
    )
    old, new = (json.loads(dump_frame(final, version))["cards"] for version in (2, 3))
    assert [card["price"] for card in old] == [priced["price"]]
    assert "price_as_of" not in old[0]
    assert "price" not in new[0]
    assert new[1]["price_as_of"] == "2026-11-20T08:00:00Z"


@pytest.mark.req("STR-1")
def test_versions_are_negotiated() -> None:
    assert negotiate_version(None) == CURRENT_VERSION
    assert negotiate_version("1") == 1
    for unknown in ("0", "4", "two", "１", "1.0", " 1"):
        with pytest.raises(UnknownProtocolVersion):
            negotiate_version(unknown)


@given(st.text(min_size=1))
def test_text_survives_the_wire(text: str) -> None:
    frame = DeltaFrame(response_id="r", sequence_number=0, text=text) if text.isprintable() else None
    if frame is not None:
        assert json.loads(dump_frame(frame, 2))["text"] == text


def test_response_ids_sort_by_time() -> None:
    ids = [new_response_id() for _ in range(3)]
    assert len(set(ids)) == 3
    assert [one[:12] for one in ids] == sorted(one[:12] for one in ids)


def test_the_token_is_the_second_subprotocol() -> None:
    assert offered_token("mangaassist, abc.def") == "abc.def"
    for header in (None, "", "mangaassist", "other, abc", "mangaassist,", "mangaassist, a, b"):
        assert offered_token(header) is None


def test_a_name_the_client_made_up_is_not_repeated() -> None:
    for frame in (
        '{"action":"message","message_id":"m","text":"x","leak@example.com":1}',
        '{"action":"message","message_id":"m","text":"x","context_hints":{"leak@example.com":1}}',
        '{"action":"ping","leak@example.com":1}',
    ):
        with pytest.raises(MalformedCommand) as refused:
            parse_command(frame)
        assert "leak" not in str(refused.value)
        assert "Unknown field" in str(refused.value)
