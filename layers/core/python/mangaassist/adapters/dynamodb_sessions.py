"""Connections, sessions and turns in one DynamoDB table.

| item | pk | sk |
| --- | --- | --- |
| connection | ``CONNECTION#<id>`` | ``CONNECTION`` |
| session | ``SESSION#<id>`` | ``SESSION`` |
| claim on a message | ``SESSION#<id>`` | ``MESSAGE#<digest of message_id>`` |
| turn | ``SESSION#<id>`` | ``TURN#<response_id>`` |

Response ids sort by time, so the turns of a session come back in order. Every item carries ``expires_at`` (epoch
seconds, the table's TTL attribute); TTL deletion lags by days, so every read drops what has expired.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from mangaassist.adapters.errors import translated
from mangaassist.errors import DependencyError, MessageInProgress
from mangaassist.sessions.records import Connection, Session, Turn, TurnStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

DEPENDENCY = "sessions"

Item = dict[str, Any]


class DynamoDBSessions:
    """The session store. ``client`` is a DynamoDB client, ``clock`` gives epoch seconds."""

    def __init__(
        self,
        client: Any,
        table: str,
        *,
        ttl_seconds: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._table = table
        self._ttl_seconds = ttl_seconds
        self._clock = clock

    # --- connecting (synchronous: $connect and $disconnect do one thing after the other) ---------

    def open_connection(
        self,
        *,
        connection_id: str,
        subject: str,
        protocol_version: int,
        new_session_id: str,
        resume_session_id: str | None,
    ) -> Connection:
        """Record a connection on a live session of ``subject``'s, else on a new one."""
        now = int(self._clock())
        session = self.find_session(resume_session_id) if resume_session_id else None
        resumed = session is not None and session.owner == subject
        session_id = session.session_id if session is not None and resumed else new_session_id
        expires_at = now + self._ttl_seconds
        if resumed:
            self._call(
                "update_item",
                Key=_key(f"SESSION#{session_id}", "SESSION"),
                UpdateExpression="SET expires_at = :expires_at",
                ConditionExpression="attribute_exists(pk)",
                ExpressionAttributeValues={":expires_at": {"N": str(expires_at)}},
            )
        else:
            self._put(
                f"SESSION#{session_id}",
                "SESSION",
                {"session_id": session_id, "owner": subject, "created_at": now, "expires_at": expires_at},
            )
        connection = Connection(
            connection_id=connection_id,
            session_id=session_id,
            subject=subject,
            protocol_version=protocol_version,
            session_resumed=resumed,
            expires_at=expires_at,
        )
        self._put(
            f"CONNECTION#{connection_id}",
            "CONNECTION",
            {
                "connection_id": connection_id,
                "session_id": session_id,
                "subject": subject,
                "protocol_version": protocol_version,
                "session_resumed": resumed,
                "expires_at": expires_at,
            },
        )
        return connection

    def close_connection(self, connection_id: str) -> None:
        """Forget a connection; forgetting one twice is no error."""
        self._call("delete_item", Key=_key(f"CONNECTION#{connection_id}", "CONNECTION"))

    def find_session(self, session_id: str) -> Session | None:
        """The session, if it is live."""
        item = self._get(f"SESSION#{session_id}", "SESSION")
        if item is None:
            return None
        return Session(
            session_id=str(item["session_id"]),
            owner=str(item["owner"]),
            created_at=int(item["created_at"]),
            expires_at=int(item["expires_at"]),
        )

    def find_connection(self, connection_id: str) -> Connection | None:
        """The connection, if it is open."""
        item = self._get(f"CONNECTION#{connection_id}", "CONNECTION")
        if item is None:
            return None
        return Connection(
            connection_id=str(item["connection_id"]),
            session_id=str(item["session_id"]),
            subject=str(item["subject"]),
            protocol_version=int(item["protocol_version"]),
            session_resumed=bool(item["session_resumed"]),
            expires_at=int(item["expires_at"]),
        )

    # --- the port of a turn ----------------------------------------------------------------------

    async def connection(self, connection_id: str) -> Connection | None:
        """The connection, if it is open."""
        return await asyncio.to_thread(self.find_connection, connection_id)

    async def session(self, session_id: str) -> Session | None:
        """The session, if it is live."""
        return await asyncio.to_thread(self.find_session, session_id)

    async def forget_connection(self, connection_id: str) -> None:
        """Delete the connection's record."""
        await asyncio.to_thread(self.close_connection, connection_id)

    async def recent_turns(self, session_id: str, limit: int) -> list[Turn]:
        """The last ``limit`` turns, oldest first."""
        result = await asyncio.to_thread(
            self._call,
            "query",
            KeyConditionExpression="pk = :pk AND begins_with(sk, :turn)",
            ExpressionAttributeValues={":pk": {"S": f"SESSION#{session_id}"}, ":turn": {"S": "TURN#"}},
            # A follow-up may come within the moment a replica lags behind the turn it refers to.
            ConsistentRead=True,
            ScanIndexForward=False,
            Limit=limit,
        )
        turns = [_turn(item) for raw in result.get("Items", []) if self._live(item := _plain(raw))]
        return turns[::-1]

    async def claim_message(
        self, session_id: str, message_id: str, response_id: str, *, lease_seconds: int
    ) -> Turn | None:
        """Reserve ``message_id``; the finished turn if it was answered before."""
        return await asyncio.to_thread(self._claim, session_id, message_id, response_id, lease_seconds)

    async def release_message(self, session_id: str, message_id: str) -> None:
        """Give up the claim, so that a retry of the message is answered anew."""
        await asyncio.to_thread(
            self._call, "delete_item", Key=_key(f"SESSION#{session_id}", _claim_key(message_id))
        )

    async def save_turn(self, turn: Turn) -> None:
        """Append a turn. A turn is written once; writing it again is refused by the table."""
        try:
            await asyncio.to_thread(
                self._put,
                f"SESSION#{turn.session_id}",
                f"TURN#{turn.response_id}",
                {
                    "session_id": turn.session_id,
                    "response_id": turn.response_id,
                    "message_id": _digest(turn.message_id),
                    "question": turn.question,
                    "answer": turn.answer,
                    "intent": turn.intent,
                    "status": turn.status,
                    "frames": list(turn.frames),
                    "created_at": turn.created_at,
                    "expires_at": turn.expires_at,
                },
                condition="attribute_not_exists(pk)",
            )
        except _ConditionFailed as refused:
            # The SDK repeats a write whose answer was lost; meeting the same turn is success.
            if refused.item.get("frames") != list(turn.frames):
                raise DependencyError(DEPENDENCY, "turn written before") from None

    async def turn_by_response(self, session_id: str, response_id: str) -> Turn | None:
        """The turn of a response, if it belongs to this session."""
        item = await asyncio.to_thread(self._get, f"SESSION#{session_id}", f"TURN#{response_id}")
        return None if item is None else _turn(item)

    # --- inside ----------------------------------------------------------------------------------

    def _claim(self, session_id: str, message_id: str, response_id: str, lease_seconds: int) -> Turn | None:
        now = int(self._clock())
        claim = {
            "response_id": response_id,
            "lease_until": now + lease_seconds,
            "expires_at": now + self._ttl_seconds,
        }
        refused: Item | None = None
        try:
            self._put(
                f"SESSION#{session_id}",
                _claim_key(message_id),
                claim,
                condition="attribute_not_exists(pk)",
            )
        except _ConditionFailed as failed:
            refused = failed.item
        if refused is None or refused.get("response_id") == response_id:
            # The second case: the SDK repeated a write whose answer was lost, and met its own claim.
            return None
        before = self._get(f"SESSION#{session_id}", f"TURN#{refused.get('response_id', '')}")
        if before is not None and before["status"] == "complete":
            return _turn(before)
        # The earlier attempt died without an answer: take the claim over, unless somebody was quicker.
        try:
            self._put(
                f"SESSION#{session_id}",
                _claim_key(message_id),
                claim,
                condition="response_id = :before AND lease_until <= :now",
                values={":before": {"S": str(refused.get("response_id", ""))}, ":now": {"N": str(now)}},
            )
        except _ConditionFailed:
            raise MessageInProgress(message_id) from None
        return None

    def _live(self, item: Item) -> bool:
        return int(item.get("expires_at", 0)) > self._clock()

    def _get(self, pk: str, sk: str) -> Item | None:
        raw = self._call("get_item", Key=_key(pk, sk), ConsistentRead=True).get("Item")
        item = _plain(raw) if raw else None
        return item if item is not None and self._live(item) else None

    def _put(
        self,
        pk: str,
        sk: str,
        attributes: Mapping[str, object],
        *,
        condition: str | None = None,
        values: Mapping[str, object] | None = None,
    ) -> None:
        from boto3.dynamodb.types import TypeSerializer

        serializer = TypeSerializer()
        item = {
            name: serializer.serialize(value) for name, value in {"pk": pk, "sk": sk, **attributes}.items()
        }
        extra: Item = {}
        if condition:
            extra = {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
            if values:
                extra["ExpressionAttributeValues"] = dict(values)
        self._call("put_item", Item=item, **extra)

    def _call(self, operation: str, **arguments: Any) -> Item:
        from botocore.exceptions import ClientError

        with translated(DEPENDENCY):
            try:
                return cast(Item, getattr(self._client, operation)(TableName=self._table, **arguments))
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != "ConditionalCheckFailedException":
                    raise
                raw: Item = cast(Item, error.response).get("Item") or {}
                raise _ConditionFailed(_plain(raw)) from None


class _ConditionFailed(Exception):
    """A conditional write was refused; ``item`` is what stands there."""

    def __init__(self, item: Item) -> None:
        self.item = item
        super().__init__("condition failed")


def _claim_key(message_id: str) -> str:
    return f"MESSAGE#{_digest(message_id)}"


def _digest(message_id: str) -> str:
    """Clients make their ids up, and some put a phone number or worse into them."""
    return hashlib.sha256(message_id.encode()).hexdigest()[:32]


def _key(pk: str, sk: str) -> Item:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _plain(raw: Item) -> Item:
    from boto3.dynamodb.types import TypeDeserializer

    deserializer = TypeDeserializer()
    return {name: deserializer.deserialize(value) for name, value in raw.items()}


def _turn(item: Item) -> Turn:
    return Turn(
        session_id=str(item["session_id"]),
        response_id=str(item["response_id"]),
        message_id=str(item["message_id"]),
        question=str(item["question"]),
        answer=str(item["answer"]),
        intent=str(item["intent"]),
        status=cast(TurnStatus, item["status"]),
        frames=tuple(str(frame) for frame in item["frames"]),
        created_at=int(item["created_at"]),
        expires_at=int(item["expires_at"]),
    )
