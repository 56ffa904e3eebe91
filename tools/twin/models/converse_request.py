"""Reading a Converse request, and refusing what Bedrock refuses, in its words where they are known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from tools.twin.models import catalogue
from tools.twin.models.composer.prompt import Role
from tools.twin.models.errors import ServiceError
from tools.twin.models.generation import Call

MAXIMUM_OUTPUT_TOKENS = 64_000
"""Of the Claude models since 4.5."""
CONTEXT_TOKENS = 200_000
DEFAULT_OUTPUT_TOKENS = 4_096
MAXIMUM_STOP_SEQUENCES = 2_500
READ_BLOCKS = ("text", "guardContent", "cachePoint")


def read_call(model_id: str, body: bytes) -> Call:
    """The call in a request body; raises ``ServiceError``."""
    model = catalogue.find(model_id)
    if model.kind != "text":
        _refuse(
            "This action doesn't support the model that you provided. Try again with a supported text or chat model."
        )
    document = _object(body)
    if document.get("toolConfig"):
        _refuse("This model doesn't support tool use: the twin's models answer in text only.")
    messages = _messages(document.get("messages"))
    limits = _mapping(document.get("inferenceConfig"), "inferenceConfig")
    call = Call(
        model=model.id,
        grade=model.grade,
        system="\n".join(_texts(document.get("system") or [], "system")),
        messages=messages,
        max_tokens=_max_tokens(limits.get("maxTokens")),
        stop_sequences=_stop_sequences(limits.get("stopSequences")),
        temperature=_share(limits.get("temperature"), "temperature"),
        top_p=_share(limits.get("topP"), "topP"),
    )
    if call.input_tokens > CONTEXT_TOKENS:
        _refuse("Input is too long for requested model.")
    return call


def _messages(given: object) -> tuple[tuple[Role, str], ...]:
    if not isinstance(given, list) or not given:
        _refuse(
            "A conversation must start with a user message. Try again with a conversation that starts with a user message."
        )
    messages: list[tuple[Role, str]] = []
    for place, message in enumerate(given):
        role = _mapping(message, f"messages.{place}").get("role")
        if role not in ("user", "assistant"):
            _refuse(
                f"1 validation error detected: Value '{role}' at 'messages.{place + 1}.member.role' failed to satisfy"
                " constraint: Member must satisfy enum value set: [user, assistant]"
            )
        if place == 0 and role != "user":
            _refuse(
                "A conversation must start with a user message. Try again with a conversation that starts with a user"
                " message."
            )
        if messages and messages[-1][0] == role:
            _refuse(
                "A conversation must alternate between user and assistant roles. Make sure the conversation alternates"
                " between user and assistant roles and try again."
            )
        content = message.get("content")
        if not isinstance(content, list) or not content:
            _refuse(
                f"The content field in the Message object at messages.{place} is empty. Add a ContentBlock object to the"
                " content field and try again."
            )
        messages.append((role, "\n".join(_texts(content, f"messages.{place}.content"))))
    if messages[-1][0] != "user":
        _refuse(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    return tuple(messages)


def _texts(blocks: Sequence[object], path: str) -> list[str]:
    texts: list[str] = []
    for place, block in enumerate(blocks):
        content = _mapping(block, f"{path}.{place}")
        if not set(content) & set(READ_BLOCKS):
            kind = next(iter(content), "nothing")
            _refuse(
                f"The ContentBlock object at {path}.{place} holds {kind}: the twin's models read text only."
            )
        text = content.get("text")
        guarded = content.get("guardContent")
        if isinstance(guarded, dict):
            text = (guarded.get("text") or {}).get("text")
        if text is None:
            continue
        if not isinstance(text, str) or not text.strip():
            _refuse(
                f"The text field in the ContentBlock object at {path}.{place} is blank. Add text to the text field, and"
                " try again."
            )
        texts.append(text)
    return texts


def _max_tokens(given: object) -> int:
    if given is None:
        return DEFAULT_OUTPUT_TOKENS
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        _refuse(
            f"1 validation error detected: Value '{given}' at 'inferenceConfig.maxTokens' failed to satisfy constraint:"
            " Member must have value greater than or equal to 1"
        )
    if given > MAXIMUM_OUTPUT_TOKENS:
        _refuse(
            f"The maximum tokens you requested exceeds the model limit of {MAXIMUM_OUTPUT_TOKENS}. Try again with a"
            f" maximum tokens value that is lower than {MAXIMUM_OUTPUT_TOKENS}."
        )
    return given


def _share(given: object, name: str) -> float | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= 1:
        _refuse(
            f"1 validation error detected: Value '{given}' at 'inferenceConfig.{name}' failed to satisfy constraint:"
            " Member must be between 0 and 1"
        )
    return float(given)


def _stop_sequences(given: object) -> tuple[str, ...]:
    if given is None:
        return ()
    if (
        not isinstance(given, list)
        or len(given) > MAXIMUM_STOP_SEQUENCES
        or not all(isinstance(stop, str) and stop for stop in given)
    ):
        _refuse("The stopSequences field must hold non-empty strings.")
    return tuple(given)


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        return _mapping(json.loads(body), "the request")
    except ValueError:
        _refuse("The request body is not valid JSON.", code="SerializationException")


def _mapping(value: object, path: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        _refuse(f"Expected an object at {path}.", code="SerializationException")
    return value


def _refuse(message: str, *, code: str = "ValidationException") -> NoReturn:
    raise ServiceError(code, message)
