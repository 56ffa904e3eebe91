"""The chat protocol: what a client may say and what the server answers.

One connection, one life:

1. The client opens ``wss://…?protocol_version=3[&session_id=…]`` and offers two subprotocols,
   ``mangaassist`` and its token; the server echoes ``mangaassist``. Nothing is sent during the handshake.
2. The client sends a *command*, a JSON object with an ``action``.
3. The server answers a ``message`` with one *response*: frames that share a ``response_id`` and count
   ``sequence_number`` up from 0 without a gap: ``start``, ``delta`` …, ``correction`` if the full guardrail
   pipeline changed the text, and ``final``; or ``error`` as the last frame when the response broke.
4. Anything malformed is answered by an ``error`` frame of its own; the connection stays open.

Three versions are served at once. Cards carry a ``rating`` since version 2; since version 3 they say when their price
last changed, and a card whose price is not known just now comes without one (older clients get no such card). The JSON
Schemas under ``docs/protocol/`` are generated from this module (``make docs``).
"""

from __future__ import annotations

import json
import secrets
import time
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from mangaassist.errors import MalformedCommand
from mangaassist.versions import CURRENT_VERSION

MAX_COMMAND_BYTES: Final = 32 * 1024
"""API Gateway closes a connection on a frame over 32 KB; larger commands never arrive there (APIGW limits)."""
MAX_MESSAGE_CHARACTERS: Final = 2_000

Locale = Literal["en", "ja"]
Identifier = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.:-]+$")]


class Wire(BaseModel):
    """Base of everything on the wire: closed, immutable, strict about types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


# --- commands: client to server -------------------------------------------------------------------


class ContextHints(Wire):
    """What the client knows about where the shopper is; reaches the prompt through the template only."""

    surface: Literal["web", "mobile", "app", "product_page"] = "web"
    product_asin: Annotated[str, Field(pattern=r"^[A-Z0-9]{10}$")] | None = None
    locale: Locale | None = None


class MessageCommand(Wire):
    """Ask a question. A repeated ``message_id`` in one session is answered once and replayed after that."""

    action: Literal["message"]
    message_id: Identifier
    text: Annotated[str, Field(min_length=1, max_length=MAX_MESSAGE_CHARACTERS)]
    context_hints: ContextHints = ContextHints()


class ResendCommand(Wire):
    """Ask again for the frames of a response, from ``from_sequence`` on."""

    action: Literal["resend"]
    response_id: Identifier
    from_sequence: Annotated[int, Field(ge=0)] = 0


class PingCommand(Wire):
    """Keep the connection alive inside the gateway's 10 idle minutes."""

    action: Literal["ping"]


Command = Annotated[MessageCommand | ResendCommand | PingCommand, Field(discriminator="action")]
ACTIONS: Final = ("message", "resend", "ping")


# --- frames: server to client ---------------------------------------------------------------------


class Frame(Wire):
    """What every frame carries. ``sequence_number`` counts from 0 within ``response_id``."""

    response_id: Identifier
    sequence_number: Annotated[int, Field(ge=0)]


class StartFrame(Frame):
    """The response begins: the session it belongs to, and whether a session the client asked for had expired."""

    type: Literal["start"] = "start"
    session_id: Identifier
    message_id: Identifier
    protocol_version: int
    session_resumed: bool = False


class DeltaFrame(Frame):
    """A piece of the answer, 1-5 tokens as the model sent them. Append it to the text so far."""

    type: Literal["delta"] = "delta"
    text: Annotated[str, Field(min_length=1)]


class CorrectionReason(Wire):
    """Which guardrail stage changed the answer, and why, in one safe sentence."""

    stage: str
    reason: str


class CorrectionFrame(Frame):
    """Replaces the whole text streamed so far."""

    type: Literal["correction"] = "correction"
    text: str
    reasons: list[CorrectionReason]


class Money(Wire):
    """An amount with its currency; the amount is a decimal in text, because a price is never a float."""

    amount: Annotated[str, Field(pattern=r"^\d+(\.\d{2})?$")]
    currency: Literal["USD", "JPY"]


class Rating(Wire):
    """Average of 1-5 stars over ``count`` ratings."""

    average: Annotated[float, Field(ge=1, le=5)]
    count: Annotated[int, Field(ge=0)]


Recommended = Literal["similar", "for_you", "popular"]


class ProductCard(Wire):
    """A product to show beside the answer. Its price comes from the pricing service, never from the model.

    ``price`` and ``in_stock`` are absent while that service does not answer: unknown, which is not "sold out".
    ``price_as_of`` is when the price last changed (ISO 8601, UTC). ``recommended`` says why a card is here that the
    question alone did not find: it is like a title the shopper looked at, chosen for them, or popular with readers.
    """

    asin: Annotated[str, Field(pattern=r"^[A-Z0-9]{10}$")]
    series_id: str
    title: str
    title_ja: str | None = None
    creators: list[str] = []
    genres: list[str] = []
    volume: int | None = None
    price: Money | None = None
    list_price: Money | None = None
    price_as_of: str | None = None
    in_stock: bool | None = None
    url: str
    rating: Rating | None = None
    recommended: Recommended | None = None


CARD_FIELDS_SINCE: Final = {"rating": 2, "price_as_of": 3, "recommended": 3}
"""Card fields that clients of an older version do not know."""
PRICE_MAY_BE_ABSENT_SINCE: Final = 3


class ActionButton(Wire):
    """A next step the shopper may take: sending ``text`` as a message, or opening ``url``."""

    label: str
    kind: Literal["message", "link"]
    text: str | None = None
    url: str | None = None


class Citation(Wire):
    """``[index]`` in the answer refers to this title and link."""

    index: Annotated[int, Field(ge=1)]
    title: str
    url: str


class Usage(Wire):
    """Tokens of the answering model call, as the model reported them."""

    input_tokens: int = 0
    output_tokens: int = 0


class ResponseMetadata(Wire):
    """How the answer came about. Times are whole milliseconds."""

    request_id: str
    intent: str
    intent_source: Literal["rules", "classifier", "default"]
    intent_confidence: float
    language: Locale
    model_tier: str | None = None
    """Tier that answered (``strong``, ``economy`` …); absent when a template answered without a model."""
    model_id: str | None = None
    answered_by: str | None = None
    """What the model runtime says it invoked; begins with ``stand-in:`` on a twin without a real model."""
    policy_version: str | None = None
    prompt_template: str | None = None
    guardrail_action: Literal["none", "redacted", "corrected", "blocked", "unavailable"]
    retrieval_mode: Literal["vector", "fallback", "none"]
    recommended_by: Literal["personalize", "popularity"] | None = None
    """Who proposed titles that retrieval did not find; ``popularity`` is what the recommender is replaced by."""
    degraded: list[str] = []
    usage: Usage = Usage()
    timings_ms: dict[str, int]


class FinalFrame(Frame):
    """The response is complete: structured data and how it came about."""

    type: Literal["final"] = "final"
    cards: list[ProductCard]
    buttons: list[ActionButton]
    citations: list[Citation]
    metadata: ResponseMetadata


class ErrorCode(StrEnum):
    """Every way a command or a response can fail, as the client sees it."""

    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    UNKNOWN_ACTION = "unknown_action"
    UNSUPPORTED_VERSION = "unsupported_version"
    UNKNOWN_RESPONSE = "unknown_response"
    SESSION_EXPIRED = "session_expired"
    MESSAGE_IN_PROGRESS = "message_in_progress"
    MESSAGE_REFUSED = "message_refused"
    MODEL_UNAVAILABLE = "model_unavailable"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    INTERNAL = "internal"


class ErrorFrame(Frame):
    """A command or a response failed. ``retryable`` says whether sending the same again can help."""

    type: Literal["error"] = "error"
    code: ErrorCode
    message: str
    retryable: bool


class PongFrame(Frame):
    """The answer to ``ping``."""

    type: Literal["pong"] = "pong"


ServerFrame = Annotated[
    StartFrame | DeltaFrame | CorrectionFrame | FinalFrame | ErrorFrame | PongFrame,
    Field(discriminator="type"),
]

_command: TypeAdapter[MessageCommand | ResendCommand | PingCommand] = TypeAdapter(Command)
frame_adapter: TypeAdapter[
    StartFrame | DeltaFrame | CorrectionFrame | FinalFrame | ErrorFrame | PongFrame
] = TypeAdapter(ServerFrame)


def new_response_id() -> str:
    """A fresh, unguessable response id that sorts by the time it was made, as the turns of a session must."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def parse_command(body: str | bytes | None) -> MessageCommand | ResendCommand | PingCommand:
    """Read one client frame.

    Raises:
        MalformedCommand: with the error code and the sentence the client should see.
    """
    if body is None or len(body) == 0:
        raise MalformedCommand(ErrorCode.MALFORMED, "The frame is empty; send a JSON object with an action.")
    raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    if len(raw) > MAX_COMMAND_BYTES:
        raise MalformedCommand(
            ErrorCode.TOO_LARGE, f"The frame has {len(raw)} bytes; at most {MAX_COMMAND_BYTES} are allowed."
        )
    try:
        document: Any = json.loads(raw)
    except (ValueError, RecursionError):
        raise MalformedCommand(ErrorCode.MALFORMED, "The frame is not JSON in UTF-8.") from None
    if not isinstance(document, dict):
        raise MalformedCommand(ErrorCode.MALFORMED, "The frame must be a JSON object with an action.")
    action: Any = document.get("action")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if action not in ACTIONS:
        raise MalformedCommand(ErrorCode.UNKNOWN_ACTION, f"Unknown action; use one of: {', '.join(ACTIONS)}.")
    try:
        return _command.validate_json(raw)
    except ValidationError as error:
        raise MalformedCommand(ErrorCode.MALFORMED, _explain(error)) from None


def dump_frame(frame: Frame, version: int) -> bytes:
    """The frame as it goes out to a client that speaks ``version``."""
    if not isinstance(frame, FinalFrame) or version >= CURRENT_VERSION:
        return frame.model_dump_json(exclude_none=True).encode()
    if version < PRICE_MAY_BE_ABSENT_SINCE:
        priced = [card for card in frame.cards if card.price is not None and card.in_stock is not None]
        frame = frame.model_copy(update={"cards": priced})
    newer = {name for name, since in CARD_FIELDS_SINCE.items() if version < since}
    return frame.model_dump_json(exclude={"cards": {"__all__": newer}}, exclude_none=True).encode()


def _explain(error: ValidationError) -> str:
    """One sentence that names the wrong field and never repeats what the client sent."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    # The discriminator's value heads every location; the client knows it as the action it sent.
    location = first["loc"][1:]
    if first["type"] == "extra_forbidden":
        # The last part is a name that the client made up, and this sentence goes to the log as well.
        where = ".".join(str(part) for part in location[:-1]) or "the frame"
        return f"Unknown field in {where}: send only those of the protocol."
    where = ".".join(str(part) for part in location) or "frame"
    return f"Field {where!r}: {first['msg']}."
