"""The session store against moto's DynamoDB."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from mangaassist.adapters.dynamodb_sessions import DynamoDBSessions
from mangaassist.errors import DependencyError, MessageInProgress
from mangaassist.sessions.records import Turn


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(
            TableName="sessions",
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


@pytest.fixture
def store(dynamodb: Any, clock: Clock) -> DynamoDBSessions:
    return DynamoDBSessions(dynamodb, "sessions", ttl_seconds=3600, clock=clock)


def stored(made: Turn) -> Turn:
    """As it comes back: of the client's id only a digest was kept."""
    return replace(made, message_id=hashlib.sha256(made.message_id.encode()).hexdigest()[:32])


def turn(number: int, **changes: Any) -> Turn:
    made = Turn(
        session_id="s",
        response_id=f"r{number}",
        message_id=f"m{number}",
        question="?",
        answer="うずまき",
        intent="recommendation",
        status="complete",
        frames=('{"type":"start"}',),
        created_at=1,
        expires_at=1_800_003_600,
    )
    return replace(made, **changes)


def connect(store: DynamoDBSessions, subject: str = "guest-1", resume: str | None = None) -> Any:
    return store.open_connection(
        connection_id="c",
        subject=subject,
        protocol_version=2,
        new_session_id="new",
        resume_session_id=resume,
    )


@pytest.mark.req("SES-1")
def test_connections_and_sessions_expire_when_read(store: DynamoDBSessions, clock: Clock) -> None:
    opened = connect(store)
    assert store.find_connection("c") == opened
    clock.now += 3601
    assert store.find_connection("c") is None
    assert store.find_session(opened.session_id) is None


@pytest.mark.req("SEC-1")
def test_a_session_is_resumed_by_its_owner_alone(store: DynamoDBSessions) -> None:
    first = connect(store)
    again = store.open_connection(
        connection_id="d",
        subject="guest-1",
        protocol_version=2,
        new_session_id="x",
        resume_session_id=first.session_id,
    )
    assert again.session_resumed
    assert again.session_id == first.session_id
    stranger = store.open_connection(
        connection_id="e",
        subject="guest-2",
        protocol_version=2,
        new_session_id="y",
        resume_session_id=first.session_id,
    )
    assert not stranger.session_resumed
    assert stranger.session_id == "y"


def test_an_unknown_session_starts_fresh(store: DynamoDBSessions) -> None:
    opened = connect(store, resume="no-such")
    assert not opened.session_resumed
    assert opened.session_id == "new"


async def test_forgetting_twice_is_no_error(store: DynamoDBSessions) -> None:
    connect(store)
    await store.forget_connection("c")
    await store.forget_connection("c")
    assert await store.connection("c") is None


async def test_recent_turns_come_back_in_order(store: DynamoDBSessions) -> None:
    for number in (1, 2, 3, 4):
        await store.save_turn(turn(number))
    await store.save_turn(turn(5, expires_at=1))
    assert [each.response_id for each in await store.recent_turns("s", 3)] == ["r3", "r4"]
    assert (await store.turn_by_response("s", "r2")) == stored(turn(2))
    assert await store.turn_by_response("other", "r2") is None


async def test_a_message_is_claimed_once(store: DynamoDBSessions, clock: Clock) -> None:
    assert await store.claim_message("s", "m1", "r1", lease_seconds=30) is None
    with pytest.raises(MessageInProgress):
        await store.claim_message("s", "m1", "r2", lease_seconds=30)
    await store.save_turn(turn(1))
    answered = await store.claim_message("s", "m1", "r3", lease_seconds=30)
    assert answered == stored(turn(1))


async def test_a_claim_whose_holder_died_lapses(store: DynamoDBSessions, clock: Clock) -> None:
    await store.claim_message("s", "m1", "r1", lease_seconds=30)
    clock.now += 31
    assert await store.claim_message("s", "m1", "r2", lease_seconds=30) is None
    with pytest.raises(MessageInProgress):
        await store.claim_message("s", "m1", "r3", lease_seconds=30)


async def test_a_released_claim_can_be_taken_again(store: DynamoDBSessions) -> None:
    await store.claim_message("s", "m1", "r1", lease_seconds=30)
    await store.release_message("s", "m1")
    assert await store.claim_message("s", "m1", "r2", lease_seconds=30) is None


async def test_failures_carry_the_code_and_nothing_else(dynamodb: Any, clock: Clock) -> None:
    store = DynamoDBSessions(dynamodb, "no-such-table", ttl_seconds=1, clock=clock)
    with pytest.raises(DependencyError) as failed:
        await store.connection("c")
    assert failed.value.dependency == "sessions"
    assert failed.value.reason == "ResourceNotFoundException"


async def test_a_turn_is_written_once(store: DynamoDBSessions) -> None:
    await store.save_turn(turn(1))
    # The SDK repeats a write whose answer was lost.
    await store.save_turn(turn(1))
    with pytest.raises(DependencyError, match="written before"):
        await store.save_turn(turn(1, answer="other", frames=()))
    kept = await store.turn_by_response("s", "r1")
    assert kept is not None
    assert kept.answer == "うずまき"


async def test_a_claim_repeated_by_the_sdk_is_still_ours(store: DynamoDBSessions) -> None:
    assert await store.claim_message("s", "m1", "r1", lease_seconds=30) is None
    assert await store.claim_message("s", "m1", "r1", lease_seconds=30) is None


@pytest.mark.req("SES-1")
def test_a_resumed_session_lives_as_long_as_a_new_one(store: DynamoDBSessions, clock: Clock) -> None:
    first = connect(store)
    clock.now += 3000
    again = connect(store, resume=first.session_id)
    assert again.session_resumed
    clock.now += 3000
    session = store.find_session(first.session_id)
    assert session is not None
    assert session.expires_at == again.expires_at


async def test_what_was_just_written_is_read(dynamodb: Any, store: DynamoDBSessions) -> None:
    reads: list[dict[str, Any]] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        reads.append(params)

    for operation in ("GetItem", "Query"):
        dynamodb.meta.events.register(f"provide-client-params.dynamodb.{operation}", note)
    await store.connection("c")
    await store.turn_by_response("s", "r1")
    await store.recent_turns("s", 3)
    assert [read["ConsistentRead"] for read in reads] == [True] * 3
