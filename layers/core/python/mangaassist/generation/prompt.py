"""What the answering model is told: a pure function from a turn's facts to system text and messages (GEN-6).

Whatever came from outside (catalogue text, the shopper's words) is escaped, so that it cannot close the tag it stands
in, and collapsed to one line, so that it cannot pose as another field. Prices never enter a prompt: the cards show
them from a live source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

from mangaassist.generation.templates import active_template
from mangaassist.ports import ChatMessage, Chunk

if TYPE_CHECKING:
    from mangaassist.protocol import ContextHints, Locale
    from mangaassist.sessions.records import Turn

WITH_PRODUCTS: Final = "answer_synthesis"
WITHOUT_PRODUCTS: Final = "answer_without_products"
LANGUAGE_NAMES: Final = {"en": "English", "ja": "Japanese"}

PRODUCT_FIELDS: Final = (
    # Name in the prompt, field of the indexed document.
    ("title_ja", "title_ja"),
    ("creators", "creators"),
    ("creators_ja", "creators_ja"),
    ("year", "year"),
    ("volumes", "volume_count"),
    ("status", "status"),
    ("genres", "genres"),
    ("demographic", "demographics"),
    ("publisher", "publisher"),
)

RECOMMENDED: Final[Mapping[object, str]] = {
    "similar": "similar to a title the shopper looks at",
    "for_you": "suggested to this shopper",
    "popular": "popular with readers",
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """The parts of a model request that the turn decides; ``template`` names the file they were made from."""

    system: str
    messages: tuple[ChatMessage, ...]
    template: str


def build_prompt(
    *,
    question: str,
    language: Locale,
    chunks: Sequence[Chunk],
    history: Sequence[Turn],
    hints: ContextHints,
    constraints: Sequence[str] = (),
) -> Prompt:
    """Lay out one question.

    Args:
        question: the shopper's words, redacted already.
        language: of the answer.
        chunks: products found and suggested, best first; without any, the prompt states its limits instead (RET-5).
        history: earlier turns of the session, oldest first.
        hints: where the shopper is.
        constraints: our own sentences about what is not known in this turn (GEN-7).
    """
    template = active_template(WITH_PRODUCTS if chunks else WITHOUT_PRODUCTS)
    system, user = template.render(
        {
            "language_name": LANGUAGE_NAMES[language],
            # Trusted text of our own, so it stands among the rules and not among the data.
            "constraints": "".join(f"- {sentence}\n" for sentence in constraints),
            "context": _context(hints),
            "product_data": "\n".join(
                _product(index, chunk, language) for index, chunk in enumerate(chunks, 1)
            ),
            "answer_language": language,
            "question": _line(question),
        }
    )
    return Prompt(system, (*_recent(history), ChatMessage("user", user)), template.label)


def _recent(history: Sequence[Turn]) -> list[ChatMessage]:
    """Earlier turns as alternating messages; a turn without an answer would break the alternation."""
    messages: list[ChatMessage] = []
    for turn in history:
        if turn.answer.strip():
            messages.append(ChatMessage("user", f"<question>{_line(turn.question)}</question>"))
            messages.append(ChatMessage("assistant", turn.answer))
    return messages


def _context(hints: ContextHints) -> str:
    facts = {"surface": hints.surface, "product_asin": hints.product_asin}
    lines = [f"{name}: {_line(value)}" for name, value in facts.items() if value]
    return "\n".join(["<context>", *lines, "</context>"])


def _product(index: int, chunk: Chunk, language: Locale) -> str:
    facts = chunk.facts
    offer = facts.get("offer")
    fields: list[tuple[str, object]] = [("title", chunk.title)]
    fields += [(name, facts.get(field)) for name, field in PRODUCT_FIELDS]
    fields.append(("asin", offer.get("asin") if isinstance(offer, dict) else None))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    fields.append(("recommended", RECOMMENDED.get(chunk.recommended)))
    fields.append(("summary", facts.get(f"description_{language}") or chunk.text))
    lines = [f"{name}: {text}" for name, value in fields if (text := _text(value))]
    return "\n".join([f'<product_data index="{index}">', *lines, "</product_data>"])


def _text(value: object) -> str:
    """A fact as one line; empty when there is nothing to say."""
    if isinstance(value, list | tuple):
        return "; ".join(_line(str(item)) for item in value if item is not None)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return "" if value is None else _line(str(value))


def _line(text: str) -> str:
    """Foreign text on one line, without control characters, unable to open or close a tag."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return escape(" ".join(printable.split()), quote=False)
