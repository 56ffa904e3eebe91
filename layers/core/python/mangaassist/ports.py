"""What the domain needs from the world, and nothing about who provides it.

The domain (``chat``, ``intents``, ``retrieval``, ``generation``, ``guardrails``, ``sessions``) knows these ports;
``adapters`` implement them on AWS; ``wiring`` is the only module that joins the two. Every method may raise
``DependencyError`` or one of its kinds; other errors are named where they belong.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from mangaassist.generation.policy import ModelPolicy
    from mangaassist.sessions.records import Connection, Session, Turn
    from mangaassist.store.facts import TrustSignals

Vector = Sequence[float]


# --- retrieval ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chunk:
    """One retrieved piece of the catalogue. ``score`` is the engine's, higher is closer."""

    chunk_id: str
    series_id: str
    score: float
    text: str
    title: str
    url: str
    facts: Mapping[str, object] = field(default_factory=dict[str, object])
    """The indexed document without its vector: titles, creators, year, genres …, ``offer`` (the card's data)."""
    index: str | None = None
    """The index it was found in: the version behind the alias."""
    recommended: Literal["similar", "for_you", "popular"] | None = None
    """Why it was suggested; of what the index found nobody says so, whatever its document holds."""


@dataclass(frozen=True, slots=True)
class ChunkFilter:
    """Restrictions applied inside the query, before scoring. ``None`` restricts nothing."""

    genres: tuple[str, ...] = ()
    in_stock: bool | None = None
    access_groups: tuple[str, ...] = ("public",)


class Embedder(Protocol):
    """Turns text into a vector (1024 dimensions with Titan Text Embeddings V2)."""

    async def embed(self, text: str) -> Vector: ...


class ChunkSearch(Protocol):
    """Nearest chunks to a vector, best first."""

    async def nearest(self, vector: Vector, *, limit: int, only: ChunkFilter) -> list[Chunk]: ...


class Reranker(Protocol):
    """Orders texts by how well each answers a question: every place of ``texts`` once, the best first."""

    async def rank(self, question: str, texts: Sequence[str]) -> list[int]: ...


# --- understanding --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IntentScore:
    """A label of INT-1 and the classifier's confidence in it, 0 to 1."""

    intent: str
    confidence: float


class IntentClassifier(Protocol):
    """Stage 2 of understanding."""

    async def classify(self, text: str) -> IntentScore: ...


# --- generation -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of the conversation as the model sees it."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call of a language model. ``timeout_ms`` bounds the wait for the first event; the rest is the caller's."""

    model_id: str
    system: str
    messages: tuple[ChatMessage, ...]
    max_tokens: int
    timeout_ms: int
    parameters: Mapping[str, object] = field(default_factory=dict[str, object])
    """Extra model fields the policy allows for this model (such as an effort level), passed through as they are."""


@dataclass(frozen=True, slots=True)
class TextChunk:
    """Text as the model sent it."""

    text: str


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The model finished. ``answered_by`` is what the runtime says it invoked, when it says so."""

    stop_reason: str
    input_tokens: int = 0
    output_tokens: int = 0
    answered_by: str | None = None


ModelEvent = TextChunk | StreamEnd


class LanguageModel(Protocol):
    """Streams an answer. Closing the iterator closes the model's stream at once."""

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]: ...


class PolicySource(Protocol):
    """The model-tier policy in force; never fails, because a last good copy and a built-in one stand behind it."""

    @property
    def version(self) -> str:
        """Label of the document that ``current`` last returned."""
        ...

    async def current(self) -> ModelPolicy: ...


class ProvisionedModels(Protocol):
    """Bought model capacity in force; never fails, because without an answer everything goes on demand."""

    async def active(self) -> Mapping[str, str]:
        """ARNs by foundation model id."""
        ...


# --- judgement ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Intervention:
    """A guardrail stage changed or blocked the text; ``reason`` is one safe sentence without the matched text."""

    stage: str
    action: Literal["redacted", "replaced", "removed", "blocked", "flagged"]
    reason: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """The full pipeline's verdict on an answer. ``stages`` maps each of the six to what it did."""

    text: str
    interventions: tuple[Intervention, ...] = ()
    stages: Mapping[str, str] = field(default_factory=dict[str, str])


class AnswerJudge(Protocol):
    """The full guardrail pipeline (GRD-4), behind its own function."""

    async def judge(
        self, text: str, *, language: str, allowed_asins: Sequence[str], request_id: str
    ) -> Judgement: ...


class ProductDirectory(Protocol):
    """Which of these ASINs the store knows and sells."""

    def known(self, asins: Sequence[str]) -> set[str]: ...


class ListingTrust(Protocol):
    """What speaks for or against the listings of these ASINs; one without a listing is not for sale, and absent."""

    def signals(self, asins: Sequence[str]) -> Mapping[str, TrustSignals]: ...


# --- sessions and delivery ------------------------------------------------------------------------


class SessionStore(Protocol):
    """Connections, sessions and turns. Expired items never come back, whether or not they are deleted yet."""

    async def connection(self, connection_id: str) -> Connection | None: ...

    async def session(self, session_id: str) -> Session | None: ...

    async def recent_turns(self, session_id: str, limit: int) -> list[Turn]: ...

    async def claim_message(
        self, session_id: str, message_id: str, response_id: str, *, lease_seconds: int
    ) -> Turn | None:
        """Reserve ``message_id`` for this response.

        Returns the finished turn when it was answered before. Raises ``MessageInProgress`` while another execution
        environment answers the same message; its claim lapses after ``lease_seconds``.
        """
        ...

    async def save_turn(self, turn: Turn) -> None: ...

    async def release_message(self, session_id: str, message_id: str) -> None:
        """Give up the claim, so that a retry of the message is answered anew."""
        ...

    async def turn_by_response(self, session_id: str, response_id: str) -> Turn | None: ...

    async def forget_connection(self, connection_id: str) -> None: ...


class FrameChannel(Protocol):
    """Posts one frame to one client.

    Raises ``ConnectionGone`` when the client left and ``DependencyThrottled`` when the gateway asks to slow down.
    ``DependencyUnavailable`` leaves open whether the frame arrived.
    """

    async def post(self, payload: bytes) -> None: ...
